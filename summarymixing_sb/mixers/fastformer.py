"""FastFormer: additive attention with one global query and one global key.

Letters: B batch, T frames, D model width, H heads, d = D / H.
"""

import math

import torch
from torch import nn

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.registry import register_mixer


@register_mixer("fastformer")
class FastFormer(Mixer):
    """Additive attention in linear time and memory (arXiv 2108.09084, section 3).

    In each head, with q_t, k_t, v_t linear functions of x_t and learned vectors a, b of d values:

        alpha = softmax over t of a . q_t / sqrt(d)             q = sum of alpha_t q_t
        beta  = softmax over t of b . (q * k_t) / sqrt(d)       k = sum of beta_t (q * k_t)
        h_t   = W (heads of k * v_t) + q_t

    As in the paper's experiments, v_t and q_t share their parameters. The products q * k_t are
    never made, since b . (q * k_t) = (b * q) . k_t, and q is a common factor of the sum in k.

    Parameters
    ----------
    d_model : int
        Width D of the input and of the output.
    nhead : int
        Heads H.
    dropout : float
        Dropout probability of the weights alpha and beta.
    d_ffn : int, optional
        Not used.

    Raises
    ------
    ValueError
        If the heads do not divide the width.

    Examples
    --------
    >>> FastFormer(d_model=64, nhead=4)(torch.rand(2, 100, 64)).shape
    torch.Size([2, 100, 64])
    """

    position = "absolute"
    supports_chunks = False

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        super().__init__()
        if d_model % nhead:
            raise ValueError(f"nhead={nhead} does not divide d_model={d_model}.")
        self.nhead = nhead
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.query_scorer = nn.Parameter(torch.empty(nhead, d_model // nhead))
        self.key_scorer = nn.Parameter(torch.empty(nhead, d_model // nhead))
        self.output = nn.Linear(d_model, d_model)
        self.dropout = nn.Dropout(dropout)
        self.reset_mixer_parameters()

    def reset_mixer_parameters(self):
        """Initialise the scorers with Xavier normal, for d inputs and one score."""
        for scorer in (self.query_scorer, self.key_scorer):
            nn.init.normal_(scorer, std=math.sqrt(2 / (scorer.size(1) + 1)))

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time and memory are linear in T."""
        if chunks is not None:
            raise ValueError("fastformer sees the whole utterance: it cannot work on chunks.")
        if padding_mask is not None:
            x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
        query = self.query(x)  # (B, T, D), the value as well
        queries, keys = (y.unflatten(-1, (self.nhead, -1)) for y in (query, self.key(x)))
        global_query = self._pool(queries, self.query_scorer, padding_mask)  # (B, H, d)
        global_key = global_query * self._pool(keys, self.key_scorer * global_query, padding_mask)
        return self.output(global_key.flatten(1).unsqueeze(1) * query) + query

    def _pool(self, frames, scorer, padding_mask):
        """Average (B, T, H, d) over time, weighted by scores: (B, H, d).

        ``scorer`` is (H, d), or (B, H, d) with one for each utterance.
        """
        frames = frames.transpose(1, 2)  # (B, H, T, d)
        scores = frames @ scorer.unsqueeze(-1) / math.sqrt(frames.size(-1))  # (B, H, T, 1)
        if padding_mask is not None:
            # Not minus infinity, which would make rows of padding NaN.
            lowest = torch.finfo(scores.dtype).min
            scores = scores.masked_fill(padding_mask[:, None, :, None], lowest)
        weights = self.dropout(scores.softmax(2))
        return (weights.transpose(2, 3) @ frames).squeeze(2)
