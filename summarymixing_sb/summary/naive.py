"""The loops that define each summary. Slow on purpose: tests hold the fast forms against them."""

import torch


def naive_means(frames, padding_mask=None, chunks=None):
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

    Returns
    -------
    torch.Tensor
        (B, T, d). Where no valid frame is seen, zeros.
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
            seen = [
                frames[b, i]
                for i in range(first, last)
                if padding_mask is None or not padding_mask[b, i]
            ]
            rows.append(sum(seen) / len(seen) if seen else torch.zeros_like(frames[b, t]))
    return torch.stack(rows).view_as(frames)
