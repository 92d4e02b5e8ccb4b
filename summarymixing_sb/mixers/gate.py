"""Gates by which each frame chooses from the mean of its utterance.

Letters: B batch, T frames, N chunks, C frames of a chunk, D model width, d summary width, H heads.
"""

import torch
from torch import nn

from summarymixing_sb.mixers.heads import reset_linear

GATES = ("none", "channel", "head")


class SummaryGate(nn.Module):
    """Gate g(x_t) = sigmoid(W x_t + b) on the summary that a frame gets: c([f(x_t) ; g(x_t) * s]).

    It is this package's own. PoM (arXiv 2603.00683) selects from its state in this way.

    Parameters
    ----------
    kind : str
        "channel": a value for each channel of the summary. "head": one for each head of it; the
        summary is then still combined once for each mean, not for each frame.
    d_model : int
        Width D of the frames.
    width : int
        Width d of the summary.
    nhead : int
        Heads H.
    """

    def __init__(self, kind, d_model, width, nhead):
        super().__init__()
        self.kind, self.nhead = kind, nhead
        self.linear = nn.Linear(d_model, width if kind == "channel" else nhead)

    def reset(self, initialisation):
        """Initialise, see :func:`summarymixing_sb.mixers.heads.reset_linear`."""
        reset_linear(self.linear, initialisation=initialisation)

    def forward(self, x, summary, combine):
        """Gate and combine.

        Parameters
        ----------
        x : torch.Tensor
            (B, N, C, D).
        summary : torch.Tensor
            (B, N, 1 or C, d).
        combine : callable
            Linear, without a bias, from d to D.

        Returns
        -------
        torch.Tensor
            (B, N, C, D).
        """
        gate = self.linear(x).sigmoid()
        if self.kind == "channel":
            return combine(gate * summary)
        if summary.size(2) > 1:  # each frame has its own
            return combine(
                (gate.unsqueeze(-1) * summary.unflatten(-1, (self.nhead, -1))).flatten(-2)
            )
        # what each head alone gives, (B, N, H, D)
        heads = torch.eye(self.nhead, dtype=summary.dtype, device=summary.device)
        alone = heads.unsqueeze(-1) * summary.unflatten(-1, (self.nhead, -1))  # (B, N, H, H, d / H)
        return gate @ combine(alone.flatten(-2))
