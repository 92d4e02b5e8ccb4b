"""Mixer that mixes nothing, for encoders of the other layers alone."""

import torch

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.registry import register_mixer


@register_mixer("none")
class NoMixer(Mixer):
    """No mixer, as in the row "CNN only" of arXiv 2307.07421.

    It takes the arguments of every mixer and has no parameters. Its positions are those of
    SummaryMixing, so that the two rows differ only in the mixer.

    Examples
    --------
    >>> NoMixer(d_model=4)(torch.ones(1, 2, 4)).sum()
    tensor(0.)
    """

    position = "absolute"

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        super().__init__()

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Return zeros."""
        return torch.zeros_like(x)
