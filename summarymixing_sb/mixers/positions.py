"""Absolute positions without a longest length."""

import math

import torch
from torch import nn


class SinusoidalPositions(nn.Module):
    """Sinusoids for any number of frames (arXiv 1706.03762, section 3.5).

    They equal those of SpeechBrain's ``PositionalEncoding``, whose table ends at 2500 frames (100
    seconds of speech); a checkpoint that holds such a table is accepted, and the table left out.

    Parameters
    ----------
    d_model : int
        Width; must be even.

    Examples
    --------
    >>> SinusoidalPositions(8)(torch.rand(2, 5000, 8)).shape
    torch.Size([1, 5000, 8])
    """

    def __init__(self, d_model):
        super().__init__()
        if d_model % 2:
            raise ValueError(f"Sinusoidal positions need an even d_model, not {d_model}.")
        self.d_model = d_model

    def forward(self, x, first=0):
        """Give the positions of x.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, D); only its length, type and device matter.
        first : int
            Position of its first frame.

        Returns
        -------
        torch.Tensor
            (1, T, D).
        """
        time = torch.arange(first, first + x.size(1), device=x.device, dtype=torch.float32)
        pairs = torch.arange(0, self.d_model, 2, device=x.device, dtype=torch.float32)
        rates = torch.exp(pairs * -(math.log(10000.0) / self.d_model))
        angles = torch.outer(time, rates)  # (T, D / 2)
        return torch.stack((angles.sin(), angles.cos()), -1).flatten(1).unsqueeze(0).to(x.dtype)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict.pop(prefix + "pe", None)
        super()._load_from_state_dict(state_dict, prefix, *args)
