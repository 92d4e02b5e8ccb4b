"""Means with exponentially decaying weights, in linear time and memory.

Letters: B batch, T frames, N chunks or blocks, L frames of one, d summary width.
"""

from contextlib import nullcontext

import torch
import torch.nn.functional as F

from summarymixing_sb.pooling.means import zero_padding

#: Frames of a block; sums within a block are one small matrix product.
BLOCK = 64


def decayed_means(frames, log_decay, padding_mask=None, chunks=None):
    """Average, for every frame t, the valid frames i that it sees, weighted by gamma^|i - t|.

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
        (B, T, d), in the type of ``frames``. Zeros at padding far from every valid frame.

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
    """Divide sums by their weights, at least 1.

    A valid frame sees itself with weight 1. The sum of weights is smaller only at padding, where
    the clamp keeps gradients bounded.

    Parameters
    ----------
    total, weight : torch.Tensor
        From :func:`decayed_sums`.

    Returns
    -------
    torch.Tensor
        (B, T, d).
    """
    return total / weight.clamp(min=1)


def decayed_sums(frames, log_decay, padding_mask=None, chunks=None):
    """Sum frames and weights of :func:`decayed_means`, in float32 at least, even under autocast.

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
    frames, valid = zero_padding(frames, padding_mask)
    with _no_autocast(frames.device.type):
        return tuple(_visible_sums(values, log_decay, chunks) for values in (frames, valid))


def decay_powers(size, log_decay, like):
    """Compute gamma, gamma^2, ..., gamma^size.

    Parameters
    ----------
    size : int
        Number of powers.
    log_decay : float or torch.Tensor
        Logarithm of gamma; a tensor has no dimensions.
    like : torch.Tensor
        Gives type and device.

    Returns
    -------
    torch.Tensor
        (size, 1).
    """
    steps = torch.arange(1, size + 1, dtype=like.dtype, device=like.device)
    return torch.exp(log_decay * steps).unsqueeze(-1)


def _no_autocast(device_type):
    # Autocast knows no such device as "meta".
    known = torch.amp.is_autocast_available(device_type)
    return torch.autocast(device_type, enabled=False) if known else nullcontext()


def _visible_sums(frames, log_decay, chunks):
    """Sum what each frame sees: all frames of its chunk (intra), earlier chunks (inter)."""
    if chunks is None:
        return _decayed_scan(frames, log_decay)
    size, left = chunks.chunk_size, chunks.left_context_size
    by_chunk = _split(frames, size)  # (B, N, L, d)
    intra = _decayed_scan(by_chunk.flatten(0, 1), log_decay).unflatten(0, by_chunk.shape[:2])
    inter = _exclusive_scan(intra[:, :, -1], size * log_decay)  # (B, N, d)
    if left is not None and left + 1 < inter.size(1):
        # Only earlier sums are subtracted, so rounding reveals nothing of later chunks.
        inter = inter - decay_powers(1, left * size * log_decay, inter) * _shift(inter, left)
    sums = torch.addcmul(intra, decay_powers(size, log_decay, intra), inter.unsqueeze(2))
    return sums.flatten(1, 2)[:, : frames.size(1)]


def _decayed_scan(frames, log_decay, both_ways=True):
    """Sum gamma^|i - t| frames_i over i up to t, and over i after t if ``both_ways``: (B, T, d).

    Within a block this is one matrix product. Between blocks, only the last sum of each earlier
    block and the first sum of each later one are needed. Their sums are scans of the same kind,
    over N values that decay by gamma^L. Every power of gamma has a positive exponent, so none
    overflows.
    """
    blocks = _split(frames, min(BLOCK, frames.size(1)))  # (B, N, L, d)
    size = blocks.size(2)
    steps = torch.arange(size, dtype=frames.dtype, device=frames.device)
    weights = torch.exp(log_decay * (steps.unsqueeze(1) - steps).abs())  # (L, L)
    intra = (weights if both_ways else weights.tril()) @ blocks
    sums = intra
    if blocks.size(1) > 1:
        powers = decay_powers(size, log_decay, frames)  # (L, 1)
        earlier = _exclusive_scan(intra[:, :, -1], size * log_decay)
        sums = torch.addcmul(sums, powers, earlier.unsqueeze(2))
        if both_ways:
            later = _exclusive_scan(intra[:, :, 0].flip(1), size * log_decay).flip(1)
            sums = torch.addcmul(sums, powers.flip(0), later.unsqueeze(2))
    return sums.flatten(1, 2)[:, : frames.size(1)]


def _exclusive_scan(values, log_decay):
    """Sum, for each of (B, N, d), all before it; the nearest has weight 1."""
    return _shift(_decayed_scan(values, log_decay, both_ways=False), 1)


def _shift(values, steps):
    """Move (B, N, d) to later places; zeros come first."""
    return F.pad(values, (0, 0, steps, 0))[:, : values.size(1)]


def _split(frames, size):
    """Split (B, T, d) into (B, N, size, d), with zeros at the end if needed."""
    missing = -frames.size(1) % size
    if missing:
        frames = F.pad(frames, (0, 0, 0, missing))
    return frames.unflatten(1, (-1, size))
