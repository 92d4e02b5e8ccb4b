"""SummaryMixing as its paper writes it, frame by frame; tests hold the fast form against it."""

import torch
import torch.nn.functional as F

from summarymixing_sb.pooling.naive import naive_means


def naive_summary_mixing(mixer, x, padding_mask=None, chunks=None):
    """Compute h_t = c([f(x_t) ; mean of s(x)]) with a concatenation, without dropout.

    With a window, the mean over it is a third part of the concatenation.

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
        # Each head's outputs are its local half followed by its summary half.
        halves = mixer.joint(x).chunk(2 * mixer.nhead, dim=-1)
        local, frames = torch.cat(halves[0::2], -1), torch.cat(halves[1::2], -1)
    else:
        local = mixer.local(x) if mixer.form == "full" else None
        frames = mixer.summary(x)
    means = naive_means(frames, padding_mask, chunks, _fading(mixer, frames.dtype))
    summary = mixer.summary_norm(means)  # (B, T, d)
    if mixer.form == "lite":
        return summary
    parts = [mixer.local_norm(local), summary]
    combiners = [mixer.combine_local, mixer.combine_summary]
    if mixer.pooling == "window":
        near = naive_means(
            frames, padding_mask, chunks, lambda distances: distances <= mixer.pool.window
        )
        parts.append(mixer.window_norm(near))
        combiners.append(mixer.combine_window)
    weight = torch.cat([combiner.weight for combiner in combiners], dim=1)
    return F.gelu(F.linear(torch.cat(parts, dim=-1), weight, mixer.combine_local.bias))


def _fading(mixer, dtype):
    """How much frames count in the mean, by their distances."""
    if mixer.pooling != "decay":
        return torch.ones_like
    gamma = torch.as_tensor(mixer.pool.log_decay, dtype=dtype).exp()
    return lambda distances: gamma**distances
