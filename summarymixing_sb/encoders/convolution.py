"""Depthwise convolution over time without padding and future chunks in its outputs.

It is symmetric, causal, or of two halves ("half", BACON of NVIDIA, Interspeech 2026): the kernel is
causal for the first half of the channels, and symmetric for the second. Across the borders of
chunks, a kernel sees what is before, and zeros for what is behind.

Letters: B batch, T frames, N chunks, C frames of a chunk, K kernel size, P = K // 2, E channels.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from summarymixing_sb.encoders.depthwise import depthwise_convolution


def convolution_sides(causal, half_causal):
    """Choose the frames under the kernel: what :func:`convolve_frames` calls ``causal``.

    Parameters
    ----------
    causal : bool
        Of the encoder.
    half_causal : bool

    Returns
    -------
    bool or str

    Raises
    ------
    ValueError
        If both are set.
    """
    if causal and half_causal:
        raise ValueError("half_causal_convolution: the convolution of a causal encoder is causal.")
    return "half" if half_causal else causal


def convolve_frames(x, conv, padding_mask=None, chunks=None, causal=False, reflect=False):
    """Convolve frames so that an output depends only on valid frames that it may see.

    Parameters
    ----------
    x : torch.Tensor
        (B, T, E).
    conv : torch.nn.Conv1d
        The depthwise convolution whose parameters are used; its padding is ignored.
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding; padding follows the valid frames.
    chunks : DynChunkTrainConfig, optional
        Hides the frames after each chunk; those before it are seen as far as the kernel reaches.
    causal : bool or str
        Whether the kernel covers its frame and those before, instead of both sides; "half": that
        of the first half of the channels does.
    reflect : bool
        Whether an utterance is continued by its mirror image at both ends, or by zeros. With
        chunks and in a causal convolution it is zeros, since the mirror image shows the future.

    Returns
    -------
    torch.Tensor
        (B, T, E).
    """
    if causal == "half":
        pairs = zip(x.chunk(2, dim=-1), _halves(conv), (True, False))
        parts = [convolve_frames(*pair, padding_mask, chunks, c, reflect) for *pair, c in pairs]
        return torch.cat(parts, dim=-1)
    reach = conv.weight.size(-1) // 2
    if padding_mask is not None:
        x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
    if chunks is not None and not causal:
        return _convolve_chunks(x, conv, chunks.chunk_size, reach)
    if causal:
        x = F.pad(x, (0, 0, 2 * reach, 0))
    elif reflect:
        x = mirror_ends(x, padding_mask, reach)
    padding = 0 if causal or reflect else reach
    return depthwise_convolution(x, conv.weight, conv.bias, padding)


def _convolve_chunks(x, conv, size, reach):
    """Convolve each chunk with the frames before it and zeros after it (DCConv, ICASSP 2023)."""
    batch, time, _ = x.shape
    x = F.pad(x, (0, 0, reach, -time % size))
    chunks = x.unfold(1, reach + size, size).transpose(2, 3)  # (B, N, P + C, E)
    chunks = F.pad(chunks.flatten(0, 1), (0, 0, 0, reach))  # (B * N, P + C + P, E)
    out = depthwise_convolution(chunks, conv.weight, conv.bias)  # (B * N, C, E)
    return out.unflatten(0, (batch, -1)).flatten(1, 2)[:, :time]


class ConvolutionState:
    """Frames before a chunk that the kernel covers; zeros before the first chunk.

    Parameters
    ----------
    conv : torch.nn.Conv1d
        The depthwise convolution.
    batch_size : int
        Streams B.
    causal : bool or str
        Whether the kernel, or that of "half" of the channels, covers its frame and those before,
        and so reaches back twice as far.
    """

    def __init__(self, conv, batch_size, causal=False):
        channels, _, kernel_size = conv.weight.shape
        self.causal = causal
        kept = kernel_size - 1 if causal else kernel_size // 2
        self.before = conv.weight.new_zeros(batch_size, kept, channels)  # (B, P or 2 P, E)


def convolve_chunk(x, conv, state, padding_mask=None):
    """Convolve the next chunk of a stream, as :func:`convolve_frames` does with chunks.

    Parameters
    ----------
    x : torch.Tensor
        (B, C, E).
    conv : torch.nn.Conv1d
        The depthwise convolution whose parameters are used; its padding is ignored.
    state : ConvolutionState
        Made for ``conv``; it is updated.
    padding_mask : torch.Tensor, optional
        (B, C), True where a frame is padding.

    Returns
    -------
    torch.Tensor
        (B, C, E).
    """
    if padding_mask is not None:
        x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
    x = torch.cat((state.before, x), dim=1)
    # A copy, since a view would keep the memory of the whole chunk.
    state.before = x[:, x.size(1) - state.before.size(1) :].clone()
    reach = conv.weight.size(-1) // 2
    if state.causal == "half":
        past, both = x.chunk(2, dim=-1)
        parts = past, F.pad(both[:, reach:], (0, 0, 0, reach))
        halves = zip(parts, _halves(conv))
        return torch.cat([depthwise_convolution(y, c.weight, c.bias) for y, c in halves], dim=-1)
    if not state.causal:
        x = F.pad(x, (0, 0, 0, reach))
    return depthwise_convolution(x, conv.weight, conv.bias)


def _halves(conv):
    """Split a depthwise convolution by its channels."""
    biases = (None, None) if conv.bias is None else conv.bias.chunk(2)
    return [
        SimpleNamespace(weight=weight, bias=bias)
        for weight, bias in zip(conv.weight.chunk(2), biases)
    ]


def mirror_ends(x, padding_mask, reach):
    """Extend every utterance by its mirror image at both ends.

    Only the 2 P frames beyond the ends are gathered, not the whole tensor. A very short utterance
    is mirrored several times; a single frame is repeated.

    Parameters
    ----------
    x : torch.Tensor
        (B, T, E).
    padding_mask : torch.Tensor or None
        (B, T), True where a frame is padding.
    reach : int
        Frames P beyond each end.

    Returns
    -------
    torch.Tensor
        (B, P + T + P, E).
    """
    batch, time, _ = x.shape
    if padding_mask is None:
        lengths = torch.full((batch, 1), time, device=x.device)
    else:
        lengths = (~padding_mask).sum(1, keepdim=True).clamp(min=1)  # (B, 1)
    offsets = torch.arange(reach, device=x.device)
    beyond = torch.cat(((offsets - reach).expand(batch, -1), lengths + offsets), 1)  # (B, 2 P)
    period = (2 * (lengths - 1)).clamp(min=1)
    phase = beyond.remainder(period)
    source = torch.minimum(phase, period - phase).where(lengths > 1, 0)
    rows = torch.arange(batch, device=x.device).unsqueeze(1)
    mirrored = x[rows, source]  # (B, 2 P, E)
    return F.pad(x, (0, 0, reach, reach)).index_put((rows, beyond + reach), mirrored)


def require_odd_kernel(kernel_size):
    """Check that a kernel has a middle frame.

    Parameters
    ----------
    kernel_size : int
        Frames under the kernel.

    Raises
    ------
    ValueError
        If ``kernel_size`` is even.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size must be odd, not {kernel_size}.")
