"""SummaryMixing as its paper writes it, frame by frame; tests hold the fast form against it."""

import torch
import torch.nn.functional as F

from summarymixing_sb.summary.naive import naive_means


def naive_summary_mixing(mixer, x, padding_mask=None, chunks=None):
    """Compute h_t = c([f(x_t) ; mean of s(x)]) with a concatenation, without dropout.

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
    summary = mixer.summary_norm(naive_means(frames, padding_mask, chunks))  # (B, T, d)
    if mixer.form == "lite":
        return summary
    weight = torch.cat((mixer.combine_local.weight, mixer.combine_summary.weight), dim=1)
    both = torch.cat((mixer.local_norm(local), summary), dim=-1)  # (B, T, d + d)
    return F.gelu(F.linear(both, weight, mixer.combine_local.bias))
