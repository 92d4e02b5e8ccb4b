"""Means whose weights fade with distance, in linear time and memory.

Letters: B batch, T frames, N chunks or blocks, L frames of one, d summary width.
"""

from contextlib import nullcontext

import torch
import torch.nn.functional as F

from summarymixing_sb.pooling.means import valid_frames

#: Frames of a block, within which every frame meets every other in one small matrix product.
BLOCK = 64


def decayed_means(frames, log_decay, padding_mask=None, chunks=None):
    """Average, for every frame t, the valid frames i that it may see, weighted by gamma^|i - t|.

    Parameters
    ----------
    frames : torch.Tensor
        s(x), shape (B, T, d).
    log_decay : float or torch.Tensor
        Logarithm of gamma, below 0; a tensor has no dimensions.
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.
    chunks : DynChunkTrainConfig, optional
        Limits what a frame sees to its own chunk and the chunks of its left context.

    Returns
    -------
    torch.Tensor
        (B, T, d), in the type of ``frames``. Padding far from every valid frame gives zeros.

    Examples
    --------
    >>> import math
    >>> frames = torch.tensor([[[1.0], [3.0], [100.0]]])
    >>> mask = torch.tensor([[False, False, True]])
    >>> decayed_means(frames, math.log(0.5), mask)[:, :2].flatten()  # (1 + 3 / 2) / (1 + 1 / 2)
    tensor([1.6667, 2.3333])
    """
    total, weight = decayed_sums(frames, log_decay, padding_mask, chunks)
    return decayed_ratio(total, weight).to(frames.dtype)


def decayed_ratio(total, weight):
    """Divide sums by their weights.

    A valid frame sees itself with weight 1. Padding may see faded frames alone: there the clamp
    keeps gradients from growing without bound.
    """
    return total / weight.clamp(min=1)


def decayed_sums(frames, log_decay, padding_mask=None, chunks=None):
    """Sum what :func:`decayed_means` averages, in float32 at least, whatever autocast asks for.

    Parameters
    ----------
    frames, log_decay, padding_mask, chunks
        See :func:`decayed_means`.

    Returns
    -------
    total : torch.Tensor
        (B, T, d).
    weight : torch.Tensor
        (B, T, 1), or (1, T, 1) without a mask.
    """
    frames, valid = valid_frames(frames, padding_mask)
    with _no_autocast(frames.device.type):
        return _seen(frames, log_decay, chunks), _seen(valid, log_decay, chunks)


def fading(size, log_decay, like):
    """Give gamma, gamma^2, ... up to ``size``: (size, 1), with type and device of ``like``."""
    steps = torch.arange(1, size + 1, dtype=like.dtype, device=like.device)
    return torch.exp(log_decay * steps).unsqueeze(-1)


def _no_autocast(device_type):
    # Autocast knows no such device as "meta".
    known = torch.amp.is_autocast_available(device_type)
    return torch.autocast(device_type, enabled=False) if known else nullcontext()


def _seen(frames, log_decay, chunks):
    """Sum what each frame sees: its own chunk both ways, and what earlier chunks left behind."""
    if chunks is None:
        return _sums(frames, log_decay)
    size, left = chunks.chunk_size, chunks.left_context_size
    by_chunk = _split(frames, size)  # (B, N, L, d)
    own = _sums(by_chunk.flatten(0, 1), log_decay).unflatten(0, by_chunk.shape[:2])
    before = _before(own[:, :, -1], size * log_decay)  # (B, N, d)
    if left is not None and left + 1 < before.size(1):
        # Only the past is taken away again, so rounding shows nothing of later chunks.
        too_old = fading(1, left * size * log_decay, before) * _delay(before, left)
        before = before - too_old
    seen = torch.addcmul(own, fading(size, log_decay, own), before.unsqueeze(2))
    return seen.flatten(1, 2)[:, : frames.size(1)]


def _sums(frames, log_decay, ahead=True):
    """Sum gamma^|i - t| frames_i over i up to t, and over i after t if ``ahead``: (B, T, d).

    Within blocks that is one matrix product. A block meets the others through its first and its
    last sum alone, which are again sums of this kind, over N frames that fade by gamma^L; so every
    power of gamma has a positive exponent, and none overflows.
    """
    blocks = _split(frames, min(BLOCK, frames.size(1)))  # (B, N, L, d)
    size = blocks.size(2)
    steps = torch.arange(size, dtype=frames.dtype, device=frames.device)
    weights = torch.exp(log_decay * (steps.unsqueeze(1) - steps).abs())  # (L, L)
    within = (weights if ahead else weights.tril()) @ blocks
    seen = within
    if blocks.size(1) > 1:
        fade = fading(size, log_decay, frames)  # (L, 1)
        before = _before(within[:, :, -1], size * log_decay)
        seen = torch.addcmul(seen, fade, before.unsqueeze(2))
        if ahead:
            after = _before(within[:, :, 0].flip(1), size * log_decay).flip(1)
            seen = torch.addcmul(seen, fade.flip(0), after.unsqueeze(2))
    return seen.flatten(1, 2)[:, : frames.size(1)]


def _before(last, log_decay):
    """Sum, for each of (B, N, d), all earlier ones, the nearest of them with weight 1."""
    return _delay(_sums(last, log_decay, ahead=False), 1)


def _delay(values, steps):
    return F.pad(values, (0, 0, steps, 0))[:, : values.size(1)]


def _split(frames, size):
    """Fill (B, T, d) up with zeros to a whole number of blocks: (B, N, size, d)."""
    missing = -frames.size(1) % size
    if missing:
        frames = F.pad(frames, (0, 0, 0, missing))
    return frames.unflatten(1, (-1, size))
