"""Feed-forward layer that several encoders share."""

from torch import nn


class FeedForward(nn.Module):
    """Position-wise feed-forward layer, with the parameter names of SpeechBrain's.

    Parameters
    ----------
    d_model : int
        Width of the frames.
    d_ffn : int
        Hidden width.
    dropout : float
        Dropout probability after the activation.
    activation : type
        Class of the activation.
    """

    def __init__(self, d_model, d_ffn, dropout, activation):
        super().__init__()
        self.ffn = nn.Sequential(
            nn.Linear(d_model, d_ffn),
            activation(),
            nn.Dropout(dropout),
            nn.Linear(d_ffn, d_model),
        )

    def forward(self, x):
        """Map (B, T, d_model) to (B, T, d_model)."""
        return self.ffn(x)
