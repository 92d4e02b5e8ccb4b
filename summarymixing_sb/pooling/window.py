"""Means over a neighbourhood of every frame, in linear time and memory.

Letters: B batch, T frames, d summary width.
"""

import torch

from summarymixing_sb.pooling.means import zero_padding
from summarymixing_sb.pooling.range_sums import range_sums


def window_means(frames, window, padding_mask=None, chunks=None):
    """Average, for every frame, the valid frames around it (arXiv 2602.09043).

    Sums are kept in float32 at least. The cost does not depend on the window.

    Parameters
    ----------
    frames : torch.Tensor
        s(x), shape (B, T, d).
    window : int
        Frames on either side that a frame sees.
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.
    chunks : DynChunkTrainConfig, optional
        Limits what a frame sees to its own chunk and the chunks of its left context.

    Returns
    -------
    torch.Tensor
        (B, T, d), in the type of ``frames``. Zeros for a frame that sees no valid frame.

    Examples
    --------
    >>> frames = torch.tensor([[[1.0], [3.0], [5.0], [100.0]]])
    >>> mask = torch.tensor([[False, False, False, True]])
    >>> window_means(frames, 1, mask)[:, :3].flatten()
    tensor([2., 3., 4.])
    """
    first, end = _bounds(frames, window, chunks)
    total, count = (
        range_sums(values, first, end, 2 * window + 1)
        for values in zero_padding(frames, padding_mask)
    )
    return (total / count.clamp(min=1)).to(frames.dtype)


def _bounds(frames, window, chunks):
    """Give the first frame that each frame sees, and the one after the last: (T,) each."""
    time = frames.size(1)
    t = torch.arange(time, device=frames.device)
    first, end = (t - window).clamp(min=0), (t + window + 1).clamp(max=time)
    if chunks is not None:
        chunk = t // chunks.chunk_size
        end = end.minimum((chunk + 1) * chunks.chunk_size)
        if chunks.left_context_size is not None:
            first = first.maximum((chunk - chunks.left_context_size) * chunks.chunk_size)
    return first, end
