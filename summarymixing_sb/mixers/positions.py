"""Sinusoidal positions for any number of frames."""

import math

import torch
from torch import nn


class SinusoidalPositions(nn.Module):
    """Sinusoids for any number of frames (arXiv 1706.03762, section 3.5).

    They equal those of SpeechBrain's ``PositionalEncoding``, whose table has 2500 frames (100
    seconds of speech). A checkpoint with such a table loads, and the table is ignored.

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
        """Compute the positions of frames.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, D); only length, type and device are used.
        first : int or torch.Tensor
            Position of the first frame; a tensor has no dimensions, or is (B,).

        Returns
        -------
        torch.Tensor
            (1, T, D), or (B, T, D).
        """
        time = torch.arange(x.size(1), device=x.device, dtype=torch.float32)
        if isinstance(first, torch.Tensor) and first.dim():
            first = first.unsqueeze(-1)
        time = first + time  # (T,) or (B, T)
        pairs = torch.arange(0, self.d_model, 2, device=x.device, dtype=torch.float32)
        rates = torch.exp(pairs * -(math.log(10000.0) / self.d_model))
        angles = time.unsqueeze(-1) * rates  # (..., T, D / 2)
        found = torch.stack((angles.sin(), angles.cos()), -1).flatten(-2)
        return (found if found.dim() == 3 else found.unsqueeze(0)).to(x.dtype)

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict.pop(prefix + "pe", None)
        super()._load_from_state_dict(state_dict, prefix, *args)
