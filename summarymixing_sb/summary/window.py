"""Means over a neighbourhood of every frame, in linear time and memory.

Letters: B batch, T frames, N blocks, L frames of a block, d summary width.
"""

import torch
import torch.nn.functional as F

from summarymixing_sb.summary.pooling import valid_frames


def window_means(frames, window, padding_mask=None, chunks=None):
    """Average, for every frame, the valid frames around it (arXiv 2602.09043).

    Sums are kept in float32 at least. The cost does not depend on the window.

    Parameters
    ----------
    frames : torch.Tensor
        s(x), shape (B, T, d).
    window : int
        How many frames before and after a frame it sees, beside itself.
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.
    chunks : DynChunkTrainConfig, optional
        Limits what a frame sees to its own chunk and the chunks of its left context.

    Returns
    -------
    torch.Tensor
        (B, T, d), in the type of ``frames``. A frame that sees no valid frame gives zeros.

    Examples
    --------
    >>> frames = torch.tensor([[[1.0], [3.0], [5.0], [100.0]]])
    >>> mask = torch.tensor([[False, False, False, True]])
    >>> window_means(frames, 1, mask)[:, :3].flatten()
    tensor([2., 3., 4.])
    """
    first, end = _bounds(frames, window, chunks)
    total, count = (
        _range_sums(values, first, end, 2 * window + 1)
        for values in valid_frames(frames, padding_mask)
    )
    return (total / count.clamp(min=1)).to(frames.dtype)


def _bounds(frames, window, chunks):
    """First frame that each frame sees, and the first after those: (T,) each."""
    time = frames.size(1)
    t = torch.arange(time, device=frames.device)
    first, end = (t - window).clamp(min=0), (t + window + 1).clamp(max=time)
    if chunks is not None:
        chunk = t // chunks.chunk_size
        end = end.minimum((chunk + 1) * chunks.chunk_size)
        if chunks.left_context_size is not None:
            first = first.maximum((chunk - chunks.left_context_size) * chunks.chunk_size)
    return first, end


def _range_sums(values, first, end, size):
    """Sum (B, T, d) from ``first`` to before ``end``, which are at most ``size`` apart.

    Such a range lies in one block of ``size`` frames or in two that follow each other, so prefix
    sums that start anew in each block are enough. They stay small, however long T is, and what
    is lost by subtracting them is small, too.
    """
    blocks = F.pad(values, (0, 0, 0, -values.size(1) % size)).unflatten(1, (-1, size))
    # A zero first: entry k of a block is the sum of its first k frames.
    prefix = F.pad(blocks, (0, 0, 1, 0)).cumsum(2).flatten(1, 2)  # (B, N (L + 1), d)

    def of_first(frames, block):
        return prefix.index_select(1, block * (size + 1) + frames)

    start_block, end_block = first // size, (end - 1) // size
    in_start_block = size * (end_block > start_block)  # all of it, if the range goes on
    sums = of_first(end - end_block * size, end_block)
    sums = sums - of_first(first - start_block * size, start_block)
    return sums + of_first(in_start_block, start_block)
