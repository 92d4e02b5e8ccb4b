"""Linear layers and small MLPs whose features are split into heads."""

import itertools
import math

import torch
from torch import nn

INITIALISATIONS = ("per_head", "original")


class HeadLinear(nn.Module):
    """A linear layer with a block-diagonal weight: each head has its own slice of the features.

    Parameters
    ----------
    in_features, out_features : int
        Widths over all heads; both must be divisible by ``heads``.
    heads : int
        Number of blocks.

    Examples
    --------
    >>> HeadLinear(8, 12, heads=4)(torch.rand(2, 5, 8)).shape
    torch.Size([2, 5, 12])
    """

    def __init__(self, in_features, out_features, heads):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads, in_features // heads, out_features // heads))
        self.bias = nn.Parameter(torch.empty(heads, out_features // heads))
        reset_linear(self)

    def forward(self, x):
        """Map (..., in_features) to (..., out_features)."""
        heads, width, _ = self.weight.shape
        by_head = x.reshape(-1, heads, width).transpose(0, 1)  # (heads, B * T, in / heads)
        out = torch.baddbmm(self.bias.unsqueeze(1), by_head, self.weight)
        return out.transpose(0, 1).reshape(*x.shape[:-1], -1)

    def extra_repr(self):
        """Give the shape, for printing the model."""
        heads, width_in, width_out = self.weight.shape
        return f"in={heads * width_in}, out={heads * width_out}, heads={heads}"


def head_mlp(widths, heads, activation=nn.GELU):
    """Stack linear layers, each with an activation.

    Parameters
    ----------
    widths : list of int
        Input width, hidden widths, output width.
    heads : int
        Number of heads; 1 gives dense layers.
    activation : type
        Class of the activation.

    Returns
    -------
    torch.nn.Sequential
        From (B, T, widths[0]) to (B, T, widths[-1]).

    Raises
    ------
    ValueError
        If the heads do not divide a width.
    """
    for width in widths:
        if width % heads:
            raise ValueError(
                f"nhead={heads} does not divide the width {width} (widths of this MLP: {widths})."
            )
    layers = []
    for width_in, width_out in itertools.pairwise(widths):
        linear = (
            nn.Linear(width_in, width_out) if heads == 1 else HeadLinear(width_in, width_out, heads)
        )
        layers += [linear, activation()]
    return nn.Sequential(*layers)


def reset_linear(linear, fan_in=None, initialisation="per_head"):
    """Initialise a Linear or HeadLinear.

    Parameters
    ----------
    linear : torch.nn.Linear or HeadLinear
        The layer.
    fan_in : int, optional
        Inputs of each output, if the layer is a part of a wider one.
    initialisation : str
        "per_head": Xavier normal weights with the fans of one head, and uniform biases. "original",
        as the code of the published models does: biases of dense layers are zero, and the fans of
        several heads are those that torch counts for a tensor of three dimensions, which makes
        their weights smaller (at a width of 64 and four heads, a standard deviation of 0.08
        instead of 0.25).
    """
    if isinstance(linear, HeadLinear):
        heads, own_fan_in, fan_out = linear.weight.shape
    else:
        fan_out, own_fan_in = linear.weight.shape
    fan_in = fan_in or own_fan_in
    fans = fan_in + fan_out
    original = initialisation == "original"
    if original and isinstance(linear, HeadLinear):
        fans = (fan_in + heads) * fan_out
    nn.init.normal_(linear.weight, std=math.sqrt(2 / fans))
    if linear.bias is None:
        return
    if original and isinstance(linear, nn.Linear):
        nn.init.zeros_(linear.bias)
    else:
        bound = 1 / math.sqrt(fan_in)
        nn.init.uniform_(linear.bias, -bound, bound)
