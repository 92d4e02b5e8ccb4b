"""The loops that define each summary. Slow on purpose: tests hold the fast forms against them."""

import torch


def naive_means(frames, padding_mask=None, chunks=None, weight=torch.ones_like):
    """Average, for every frame, the frames that it may see, one frame at a time.

    Without chunks these are the valid frames of the utterance (arXiv 2307.07421, equation for
    the mean of s). With chunks they are the valid frames up to the end of the frame's own chunk,
    from ``left_context_size`` chunks back, or from the start when that is None (arXiv 2409.07165).

    Parameters
    ----------
    frames : torch.Tensor
        s(x), shape (B, T, d).
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.
    chunks : DynChunkTrainConfig, optional
        Chunk size in frames, left context in chunks.
    weight : callable
        How much frames count, by their distances in frames: ``gamma**distances`` for
        decay, ``distances <= window`` for a window (arXiv 2602.09043), 1 by default.

    Returns
    -------
    torch.Tensor
        (B, T, d). Where no valid frame is seen, zeros. The divisor is 1 at least: a valid frame
        sees itself with weight 1, so only padding that sees faded frames alone can have less.
    """
    batch, time, _ = frames.shape
    rows = []
    for b in range(batch):
        for t in range(time):
            first, last = 0, time
            if chunks is not None:
                chunk = t // chunks.chunk_size
                last = min(time, (chunk + 1) * chunks.chunk_size)
                if chunks.left_context_size is not None:
                    first = max(0, (chunk - chunks.left_context_size) * chunks.chunk_size)
            seen = torch.arange(first, last)
            if padding_mask is not None:
                seen = seen[~padding_mask[b, first:last]]
            weights = weight((seen - t).abs())
            total = (weights.unsqueeze(-1) * frames[b, seen]).sum(0)
            rows.append(total / weights.sum().clamp(min=1))
    return torch.stack(rows).view_as(frames)
