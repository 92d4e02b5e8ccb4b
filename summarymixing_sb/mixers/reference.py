"""Reference definitions of SummaryMixing and PoM with dense weights, slow and obvious, for tests.

Letters: B batch, T frames, D model width, d summary width.
"""

from functools import partial

import torch
import torch.nn.functional as F

from summarymixing_sb.mixers.masks import chunk_attention_mask


def reference_means(frames, padding_mask=None, chunks=None, weight=torch.ones_like):
    """Average, for every frame, the frames that it sees, as one matrix product.

    Without chunks, a frame sees the valid frames of the utterance (arXiv 2307.07421, equation for
    the mean of s). With chunks, it sees the valid frames of its own chunk and of the
    ``left_context_size`` chunks before, or of all chunks before if that is None (arXiv 2409.07165).

    Parameters
    ----------
    frames : torch.Tensor
        s(x), shape (B, T, d).
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.
    chunks : DynChunkTrainConfig, optional
        Chunk size in frames, left context in chunks.
    weight : callable
        Gives the weights of frames by their distances, (T, T) int64: ``gamma**distances`` for
        decay, ``distances <= window`` for a window (arXiv 2602.09043), 1 by default.

    Returns
    -------
    torch.Tensor
        (B, T, d). Zeros where a frame sees no valid frame. The divisor is at least 1. A valid
        frame sees itself with weight 1, so the clamp only matters for padding.

    Examples
    --------
    >>> frames = torch.tensor([[[1.0], [3.0], [100.0]]])
    >>> reference_means(frames, torch.tensor([[False, False, True]])).flatten()
    tensor([2., 2., 2.])
    """
    time = torch.arange(frames.size(1), device=frames.device)
    weights = weight((time.unsqueeze(1) - time).abs()).to(frames.dtype)  # (T, T)
    if chunks is not None:
        hidden = chunk_attention_mask(frames.size(1), chunks, frames.device)
        weights = weights.masked_fill(hidden, 0)
    if padding_mask is not None:
        weights = weights.masked_fill(padding_mask.unsqueeze(1), 0)  # (B, T, T)
        frames = frames.masked_fill(padding_mask.unsqueeze(2), 0)
    return weights @ frames / weights.sum(-1, keepdim=True).clamp(min=1)


def reference_summary_mixing(mixer, x, padding_mask=None, chunks=None):
    """Compute h_t = c([f(x_t) ; mean of s(x)]) with a concatenation, without dropout.

    With a window, the mean over the window is a third part of the concatenation.

    Parameters
    ----------
    mixer : SummaryMixing
        Whose parameters are used.
    x, padding_mask, chunks
        See :meth:`summarymixing_sb.mixers.Mixer.forward`.

    Returns
    -------
    torch.Tensor
        (B, T, D).
    """
    if mixer.form == "fast":
        local, frames = mixer.joint(x).chunk(2, dim=-1)
    else:
        local = mixer.local(x) if mixer.form == "full" else None
        frames = mixer.summary(x)
    weight = torch.ones_like
    if mixer.pooling == "decay":
        gamma = torch.as_tensor(mixer.pool.log_decay, dtype=frames.dtype).exp()
        weight = partial(torch.pow, gamma)
    summary = mixer.summary_norm(reference_means(frames, padding_mask, chunks, weight))
    if mixer.form == "lite":
        return summary
    if mixer.gate is not None:
        gate = mixer.gate.linear(x).sigmoid()
        summary = summary * gate.repeat_interleave(summary.size(-1) // gate.size(-1), dim=-1)
    parts, combiners = [mixer.local_norm(local), summary], ["combine_local", "combine_summary"]
    if mixer.pooling == "window":
        near = reference_means(frames, padding_mask, chunks, lambda gap: gap <= mixer.pool.window)
        parts.append(mixer.window_norm(near))
        combiners.append("combine_window")
    combiner = torch.cat([getattr(mixer, name).weight for name in combiners], dim=1)
    return mixer.activation(F.linear(torch.cat(parts, dim=-1), combiner, mixer.combine_local.bias))


def reference_pom(mixer, x, padding_mask=None, chunks=None):
    """Compute h_t = W_o (sigmoid(W_s x_t) * mean of the products), a product at a time.

    Parameters
    ----------
    mixer : PoM
        Whose parameters are used.
    x, padding_mask, chunks
        See :meth:`summarymixing_sb.mixers.Mixer.forward`.

    Returns
    -------
    torch.Tensor
        (B, T, D).
    """
    products = []
    for weight in mixer.factors.weight.chunk(mixer.degree):
        factor = F.gelu(F.linear(x, weight))
        products.append(factor * products[-1] if products else factor)
    state = reference_means(torch.cat(products, dim=-1), padding_mask, chunks)
    return F.linear(F.linear(x, mixer.select.weight).sigmoid() * state, mixer.output.weight)
