"""PoM: each frame selects from the mean of products of its utterance's projections.

Letters: B batch, T frames, N chunks, D model width, k degree, E expansion.
"""

import torch.nn.functional as F
from torch import nn

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.pooling import UtterancePooling
from summarymixing_sb.registry import register_mixer


@register_mixer("PoM")
class PoM(Mixer):
    """The polynomial mixer (arXiv 2603.00683, equations 1 to 3), in linear time and memory.

    With products p_1 = GELU(W_1 x), p_2 = GELU(W_1 x) * GELU(W_2 x), up to p_k, a frame gives
    h_t = W_o (sigmoid(W_s x_t) * mean over time of [p_1 ; ... ; p_k]).

    The paper sums over time; this is the mean over the valid frames, or over those that a frame's
    chunk sees, so that utterances of all lengths have one scale. There is no LayerNorm behind it,
    as in the equations.

    Parameters
    ----------
    d_model : int
        Width D of the input and of the output.
    nhead : int
        Not used.
    dropout : float
        Not used.
    d_ffn : int, optional
        Not used.
    degree : int
        Factors k of the longest product.
    expansion : int
        Width of each product, in D.

    Raises
    ------
    ValueError
        If degree or expansion is below 1.

    Examples
    --------
    >>> import torch
    >>> PoM(d_model=64)(torch.rand(2, 100, 64)).shape
    torch.Size([2, 100, 64])
    """

    position = "absolute"

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None, degree=3, expansion=1):
        super().__init__()
        for name, value in (("degree", degree), ("expansion", expansion)):
            if value < 1:
                raise ValueError(f"{name} of PoM must be 1 or more, not {value}.")
        self.degree = degree
        self.width = degree * expansion * d_model
        self.factors = nn.Linear(d_model, self.width, bias=False)
        self.select = nn.Linear(d_model, self.width, bias=False)
        self.output = nn.Linear(self.width, d_model, bias=False)
        self.pool = UtterancePooling()

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time and memory are linear in T."""
        (means,) = self.pool(self._products(x), padding_mask, chunks)  # (B, 1 or N, k E D)
        if chunks is not None:
            means = means.unsqueeze(2).expand(-1, -1, chunks.chunk_size, -1)
            means = means.flatten(1, 2)[:, : x.size(1)]
        return self._select(x, means)

    def make_state(self, batch_size, chunks):
        """Start streams, see :meth:`Mixer.make_state`; the state does not grow with time."""
        return self.pool.make_state(batch_size, self.width, chunks, self.factors.weight.device)

    def step(self, x, state, padding_mask=None):
        """Mix the next chunk, see :meth:`Mixer.step`."""
        (means,) = self.pool.step(self._products(x), state, padding_mask)
        return self._select(x, means)

    def _products(self, x):
        """Compute [p_1 ; ... ; p_k] of every frame, (B, T, k E D)."""
        factors = F.gelu(self.factors(x)).unflatten(-1, (self.degree, -1))
        return factors.cumprod(dim=-2).flatten(-2)

    def _select(self, x, means):
        return self.output(self.select(x).sigmoid() * means)
