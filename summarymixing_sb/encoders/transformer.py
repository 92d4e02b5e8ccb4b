"""Transformer encoder around any mixer (arXiv 1706.03762)."""

from speechbrain.nnet.normalization import LayerNorm
from torch import nn

from summarymixing_sb.encoders.base import Encoder
from summarymixing_sb.encoders.feed_forward import FeedForward
from summarymixing_sb.encoders.layer import EncoderLayer


class TransformerEncoderLayer(EncoderLayer):
    """A mixer, then a feed-forward layer.

    Parameters
    ----------
    d_model : int
        Width of the frames.
    d_ffn : int
        Width of the feed-forward layers.
    nhead : int
        Heads of the mixer.
    activation : type
        Class of the activation of the feed-forward layer.
    dropout : float
        Dropout probability.
    causal : bool
        Not used; the mixer is limited by ``chunks``.
    normalize_before : bool
        Whether LayerNorm comes before each part of the layer, or after it.
    attention_type : str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`.
    mixer_options : dict, optional
        The mixer's own options.

    Raises
    ------
    ValueError
        If there is no mixer.

    Examples
    --------
    >>> import torch
    >>> layer = TransformerEncoderLayer(d_model=16, d_ffn=32, nhead=2)
    >>> layer(torch.rand(2, 30, 16)).shape
    torch.Size([2, 30, 16])
    """

    mixer_name = "self_att"

    def __init__(
        self,
        d_model,
        d_ffn,
        nhead,
        activation=nn.ReLU,
        dropout=0.0,
        causal=False,
        normalize_before=True,
        attention_type="SummaryMixing",
        mixer_options=None,
    ):
        if attention_type == "none":
            raise ValueError(
                "A Transformer without a mixer moves nothing between frames; attention_type "
                "'none' is for the branchformer and the conformer."
            )
        super().__init__(d_model, nhead, dropout, d_ffn, attention_type, mixer_options)
        self.normalize_before = normalize_before
        self.pos_ffn = FeedForward(d_model, d_ffn, dropout, activation)
        self.norm1 = LayerNorm(d_model, eps=1e-6)
        self.norm2 = LayerNorm(d_model, eps=1e-6)
        self.dropout1 = nn.Dropout(dropout)
        self.dropout2 = nn.Dropout(dropout)

    def encode(self, x, mix, convolve):
        """Encode frames, see :meth:`EncoderLayer.encode`."""
        if self.normalize_before:
            x = x + self.dropout1(mix(self.norm1(x)))
            return x + self.dropout2(self.pos_ffn(self.norm2(x)))
        x = self.norm1(x + self.dropout1(mix(x)))
        return self.norm2(x + self.dropout2(self.pos_ffn(x)))


class TransformerEncoder(Encoder):
    """Transformer encoder around any mixer.

    The arguments are those of :class:`Encoder` and :class:`TransformerEncoderLayer`, by name.

    Examples
    --------
    >>> import torch
    >>> encoder = TransformerEncoder(num_layers=2, d_model=16, d_ffn=32, nhead=2)
    >>> encoder(torch.rand(2, 50, 16)).shape
    torch.Size([2, 50, 16])
    """

    layer_class = TransformerEncoderLayer
