"""Means over time in linear time and memory: one per utterance, or one per chunk.

Letters: B batch, T frames, N chunks, C frames of a chunk, d summary width.
"""

import torch
import torch.nn.functional as F

from summarymixing_sb.pooling.range_sums import range_sums


def utterance_mean(frames, padding_mask=None):
    """Average the valid frames of every utterance (arXiv 2307.07421).

    Sums are kept in float32 at least, whatever the precision of the frames.

    Parameters
    ----------
    frames : torch.Tensor
        s(x), shape (B, T, d).
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.

    Returns
    -------
    torch.Tensor
        (B, 1, d), in the type of ``frames``. Zeros for a row without a valid frame.

    Examples
    --------
    >>> frames = torch.tensor([[[1.0], [3.0], [100.0]]])
    >>> utterance_mean(frames, torch.tensor([[False, False, True]]))
    tensor([[[2.]]])
    """
    total, count = masked_sum(frames.unsqueeze(1), _by_chunk(padding_mask, frames.size(1)))
    return (total / count.clamp(min=1)).to(frames.dtype)  # (B, 1, d)


def chunk_means(frames, chunks, padding_mask=None):
    """Average, for every chunk, the valid frames of it and of its left context (arXiv 2409.07165).

    Every chunk is summed once. Sums over several chunks are differences of prefix sums, so the
    cost does not depend on the left context.

    Parameters
    ----------
    frames : torch.Tensor
        s(x), shape (B, T, d).
    chunks : DynChunkTrainConfig
        Chunk size in frames; left context in chunks, None for all earlier chunks.
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.

    Returns
    -------
    torch.Tensor
        (B, N, d) with N = ceil(T / chunk size), in the type of ``frames``. Zeros for a chunk that
        sees no valid frame.

    Examples
    --------
    >>> from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
    >>> frames = torch.tensor([[[1.0], [3.0], [5.0], [7.0], [9.0]]])
    >>> chunk_means(frames, DynChunkTrainConfig(2, None)).flatten()
    tensor([2., 4., 5.])
    >>> chunk_means(frames, DynChunkTrainConfig(2, 1)).flatten()
    tensor([2., 4., 7.])
    """
    size, time = chunks.chunk_size, frames.size(1)
    missing = -time % size
    if missing:
        # The frames that complete the last chunk are padding, too.
        if padding_mask is None:
            padding_mask = frames.new_zeros(frames.size(0), time, dtype=torch.bool)
        padding_mask = F.pad(padding_mask, (0, missing), value=True)
        frames = F.pad(frames, (0, 0, 0, missing))
    total, count = masked_sum(frames.unflatten(1, (-1, size)), _by_chunk(padding_mask, size))
    return (_over_left_context(total, chunks) / _over_left_context(count, chunks).clamp(min=1)).to(
        frames.dtype
    )  # (B, N, d)


def _by_chunk(padding_mask, size):
    return None if padding_mask is None else padding_mask.unflatten(1, (-1, size))


def masked_sum(frames, padding_mask):
    """Sum the valid frames of every chunk, in float32 at least.

    Parameters
    ----------
    frames : torch.Tensor
        (B, N, C, d).
    padding_mask : torch.Tensor, optional
        (B, N, C), True where a frame is padding.

    Returns
    -------
    total : torch.Tensor
        (B, N, d).
    count : torch.Tensor
        (B, N, 1), or (1, N, 1) without a mask.
    """
    accumulator = torch.promote_types(frames.dtype, torch.float32)
    if padding_mask is None:
        count = torch.full(
            (1, frames.size(1), 1), frames.size(2), dtype=accumulator, device=frames.device
        )
        return frames.sum(2, dtype=accumulator), count
    total = frames.masked_fill(padding_mask.unsqueeze(-1), 0).sum(2, dtype=accumulator)
    count = (~padding_mask).sum(2, keepdim=True, dtype=accumulator)
    return total, count


def zero_padding(frames, padding_mask):
    """Set padding to zero, and give the weights 1 and 0 of valid frames and of padding.

    Parameters
    ----------
    frames : torch.Tensor
        (B, T, d).
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.

    Returns
    -------
    frames : torch.Tensor
        (B, T, d), in float32 at least.
    valid : torch.Tensor
        (B, T, 1), or (1, T, 1) without a mask: 1 where a frame is valid, 0 where it is padding.
    """
    accumulator = torch.promote_types(frames.dtype, torch.float32)
    if padding_mask is None:
        return frames.to(accumulator), frames.new_ones(1, frames.size(1), 1, dtype=accumulator)
    padding_mask = padding_mask.unsqueeze(-1)
    return frames.masked_fill(padding_mask, 0).to(accumulator), (~padding_mask).to(accumulator)


def _over_left_context(values, chunks):
    """Sum (B, N, d) over every chunk and its left context."""
    if chunks.left_context_size is None:
        return values.cumsum(1)
    end = torch.arange(1, values.size(1) + 1, device=values.device)
    seen = min(chunks.left_context_size + 1, values.size(1))
    return range_sums(values, (end - seen).clamp(min=0), end, seen)
