"""Conformer encoder around any mixer (arXiv 2005.08100)."""

import torch
import torch.nn.functional as F
from speechbrain.lobes.models.transformer import Conformer as speechbrain_conformer
from speechbrain.nnet.activations import Swish
from speechbrain.nnet.normalization import LayerNorm
from torch import nn

from summarymixing_sb.encoders.base import Encoder
from summarymixing_sb.encoders.convolution import (
    ConvolutionState,
    convolution_sides,
    convolve_chunk,
    convolve_frames,
    require_odd_kernel,
)
from summarymixing_sb.encoders.feed_forward import FeedForward
from summarymixing_sb.encoders.layer import EncoderLayer


class ConvolutionModule(speechbrain_conformer.ConvolutionModule):
    """SpeechBrain's convolution module, same parameters and arguments, independent of padding.

    Examples
    --------
    >>> ConvolutionModule(16, kernel_size=5)(torch.rand(2, 30, 16)).shape
    torch.Size([2, 30, 16])
    """

    def forward(self, x, padding_mask=None, chunks=None):
        """Map (B, T, D) to (B, T, D); for the arguments see :func:`convolve_frames`."""
        out = convolve_frames(self._gate(x), self.conv, padding_mask, chunks, self.causal)
        return self.after_conv(out)

    def make_state(self, batch_size):
        """Start streams, see :class:`ConvolutionState`."""
        return ConvolutionState(self.conv, batch_size, self.causal)

    def step(self, x, state, padding_mask=None):
        """Map the next chunk (B, C, D) to (B, C, D); see :func:`convolve_chunk`."""
        return self.after_conv(convolve_chunk(self._gate(x), self.conv, state, padding_mask))

    def _gate(self, x):
        pointwise = self.bottleneck[0]
        x = F.linear(self.layer_norm(x), pointwise.weight.squeeze(-1), pointwise.bias)
        return F.glu(x)


class ConformerEncoderLayer(EncoderLayer):
    """Half a feed-forward layer, a mixer (if any), a convolution, and another half.

    Parameters
    ----------
    d_model : int
        Width of the frames.
    d_ffn : int
        Width of the feed-forward layers.
    nhead : int
        Heads of the mixer.
    kernel_size : int
        Frames under the convolution's kernel; odd.
    activation : type
        Class of the activation of the convolution and the feed-forward layers.
    bias : bool
        Whether the convolution has a bias.
    dropout : float
        Dropout probability.
    causal : bool
        Whether the kernel covers its frame and those before; the mixer is limited by ``chunks``.
    half_causal_convolution : bool
        Whether half of the convolution's channels cover their frame and those before, see
        :mod:`summarymixing_sb.encoders.convolution`.
    attention_type : str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`.
    mixer_options : dict, optional
        The mixer's own options.

    Examples
    --------
    >>> layer = ConformerEncoderLayer(d_model=16, d_ffn=32, nhead=2, kernel_size=5)
    >>> layer(torch.rand(2, 30, 16)).shape
    torch.Size([2, 30, 16])
    """

    convolution_name = "convolution_module"

    def __init__(
        self,
        d_model,
        d_ffn,
        nhead,
        kernel_size=31,
        activation=Swish,
        bias=True,
        dropout=0.0,
        causal=False,
        attention_type="SummaryMixing",
        mixer_options=None,
        half_causal_convolution=False,
    ):
        require_odd_kernel(kernel_size)
        super().__init__(d_model, nhead, dropout, d_ffn, attention_type, mixer_options)
        if self.mixer is not None:
            self.norm1 = LayerNorm(d_model)
        self.convolution_module = ConvolutionModule(
            d_model, kernel_size, bias, activation, dropout, causal=causal
        )
        self.convolution_module.causal = convolution_sides(causal, half_causal_convolution)
        self.ffn_module1, self.ffn_module2 = (
            nn.Sequential(
                nn.LayerNorm(d_model),
                FeedForward(d_model, d_ffn, dropout, activation),
                nn.Dropout(dropout),
            )
            for _ in range(2)
        )
        self.norm2 = LayerNorm(d_model)

    def encode(self, x, mix, convolve):
        """Encode frames, see :meth:`EncoderLayer.encode`."""
        x = torch.add(x, self.ffn_module1(x), alpha=0.5)
        if self.mixer is not None:
            x = x + mix(self.norm1(x))
        x = x + convolve(x)
        return self.norm2(torch.add(x, self.ffn_module2(x), alpha=0.5))


class ConformerEncoder(Encoder):
    """Conformer encoder around any mixer.

    The arguments are those of :class:`Encoder` and :class:`ConformerEncoderLayer`, by name.

    Examples
    --------
    >>> encoder = ConformerEncoder(num_layers=2, d_model=16, d_ffn=32, nhead=2)
    >>> encoder(torch.rand(2, 50, 16)).shape
    torch.Size([2, 50, 16])
    """

    layer_class = ConformerEncoderLayer
