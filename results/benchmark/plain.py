"""Mixers written down as their papers' equations read: what our fast forms are measured against.

Same parameters, same outputs and gradients. Letters: B batch, T frames, D model width, d summary
width, H heads.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb.mixers import FastFormer, SummaryMixing
from summarymixing_sb.mixers.masks import chunk_attention_mask


class PlainSummaryMixing(nn.Module):
    """h_t = c([f(x_t) ; mean of s(x)]): the mean is repeated over time and concatenated.

    Means over chunks, by distance and over a window are products of dense (T, T) weights and s(x)
    (arXiv 2307.07421, section 2.1; arXiv 2409.07165; arXiv 2602.09043).

    Parameters
    ----------
    mixer : SummaryMixing
        Whose f, s, norms, pooling and dropout are shared, and whose combiner is copied, its parts
        joined.

    Raises
    ------
    ValueError
        If the mixer's dropout is not "per_frame".

    Examples
    --------
    >>> mixer, x = SummaryMixing(d_model=16).eval(), torch.rand(2, 7, 16)
    >>> torch.allclose(PlainSummaryMixing(mixer).eval()(x), mixer(x), atol=1e-6)
    True
    """

    def __init__(self, mixer):
        super().__init__()
        if mixer.summary_dropout != "per_frame":
            raise ValueError(
                "the plain form is written for summary_dropout='per_frame', not "
                f"{mixer.summary_dropout!r}"
            )
        self.form, self.nhead, self.dropout = mixer.form, mixer.nhead, mixer.dropout
        self.pooling, self.pool, self.summary_norm = mixer.pooling, mixer.pool, mixer.summary_norm
        if mixer.pooling == "window":
            self.window_norm = mixer.window_norm
        if mixer.form == "fast":
            self.joint = mixer.joint
        else:
            self.summary = mixer.summary
        if mixer.form == "full":
            self.local = mixer.local
        if mixer.form != "lite":
            self.local_norm = mixer.local_norm
            parts = [mixer.combine_local, mixer.combine_summary]
            if mixer.pooling == "window":
                parts.append(mixer.combine_window)
            weight = torch.cat([part.weight for part in parts], dim=1).detach()  # (D, 2 d)
            self.combine = nn.Linear(*reversed(weight.shape)).to(weight)
            self.combine.weight = nn.Parameter(weight)
            self.combine.bias = nn.Parameter(mixer.combine_local.bias.detach().clone())

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`summarymixing_sb.mixers.Mixer.forward`."""
        local, frames = self._project(x)
        weights = None
        if self.pooling == "decay":
            faded = self.pool.log_decay * _distances(x)
            weights = faded.exp().to(x.dtype)  # (T, T)
        summary = self.summary_norm(_dense_means(frames, padding_mask, chunks, weights))
        if self.form == "lite":
            return summary
        parts = [self.local_norm(local), summary]  # (B, T, d) each
        if self.pooling == "window":
            weights = (_distances(x) <= self.pool.window).to(x.dtype)
            parts.append(self.window_norm(_dense_means(frames, padding_mask, chunks, weights)))
        return F.gelu(self.combine(self.dropout(torch.cat(parts, dim=-1))))

    def _project(self, x):
        """Give f(x), or None for lite, and s(x): both (B, T, .)."""
        if self.form == "lite":
            return None, self.summary(x)
        if self.form == "full":
            return self.local(x), self.summary(x)
        halves = self.joint(x).chunk(2 * self.nhead, dim=-1)  # of each head, local and summary
        return torch.cat(halves[0::2], -1), torch.cat(halves[1::2], -1)


def _distances(x):
    """Frames between any two frames of (B, T, D): (T, T)."""
    steps = torch.arange(x.size(1), device=x.device)
    return (steps.unsqueeze(1) - steps).abs()


def _dense_means(frames, padding_mask, chunks, weights=None):
    """Give every frame its mean, weighted by (T, T) if wanted: (B, T, d) to (B, T, d)."""
    valid = torch.ones_like(frames[..., :1])
    if padding_mask is not None:
        valid = (~padding_mask).unsqueeze(-1).to(frames)  # (B, T, 1)
    frames = frames * valid
    if chunks is None and weights is None:
        mean = frames.sum(1, keepdim=True) / valid.sum(1, keepdim=True).clamp(min=1)
        return mean.repeat(1, frames.size(1), 1)
    if chunks is not None:
        seen = _seen(
            frames.size(1), chunks.chunk_size, chunks.left_context_size, frames.device, frames.dtype
        )
        weights = seen if weights is None else seen * weights
    return weights @ frames / (weights @ valid).clamp(min=1)


# Made once a batch in a model, not once a layer.
@lru_cache(maxsize=1)
def _seen(time, chunk_size, left_context_size, device, dtype):
    """1 where a frame sees another, (T, T)."""
    chunks = DynChunkTrainConfig(chunk_size, left_context_size)
    return (~chunk_attention_mask(time, chunks, device)).to(dtype)


class PlainFastFormer(nn.Module):
    """FastFormer (arXiv 2108.09084, section 3) with its products q * k_t and k * v_t made.

    Parameters
    ----------
    mixer : FastFormer
        Whose parameters are shared.
    """

    def __init__(self, mixer):
        super().__init__()
        self.mixer = mixer

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`summarymixing_sb.mixers.Mixer.forward`."""
        mixer = self.mixer
        query = mixer.query(x)
        queries, keys = (y.unflatten(-1, (mixer.nhead, -1)) for y in (query, mixer.key(x)))
        products = keys * self._pool(queries, mixer.query_scorer, padding_mask)  # (B, T, H, D / H)
        mixed = queries * self._pool(products, mixer.key_scorer, padding_mask)
        return mixer.output(mixed.flatten(2)) + query

    def _pool(self, frames, scorer, padding_mask):
        """Average (B, T, H, D / H), weighted by its scores: (B, 1, H, D / H)."""
        scores = (frames * scorer).sum(-1, keepdim=True) / math.sqrt(frames.size(-1))
        if padding_mask is not None:
            scores = scores.masked_fill(padding_mask[:, :, None, None], -math.inf)
        return (self.mixer.dropout(scores.softmax(1)) * frames).sum(1, keepdim=True)


PLAIN_FORMS = {SummaryMixing: PlainSummaryMixing, FastFormer: PlainFastFormer}


def write_plainly(part):
    """Put the plain form in the place of every mixer that has one.

    Parameters
    ----------
    part : torch.nn.Module
        A mixer, or a model with mixers in it, which is changed.

    Returns
    -------
    torch.nn.Module
        The plain mixer, or the model.
    """
    if type(part) in PLAIN_FORMS:
        return PLAIN_FORMS[type(part)](part)
    for layer in list(part.modules()):
        mixer = getattr(layer, "mha_layer", None)
        if type(mixer) in PLAIN_FORMS:
            layer.mha_layer = PLAIN_FORMS[type(mixer)](mixer)
    return part
