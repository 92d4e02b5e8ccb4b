"""Branchformer encoder around any mixer (arXiv 2207.02971)."""

import torch
from speechbrain.lobes.models import convolution
from speechbrain.lobes.models.transformer import Branchformer as speechbrain_branchformer
from speechbrain.nnet.normalization import LayerNorm
from torch import nn

from summarymixing_sb.encoders.convolution import convolve_frames
from summarymixing_sb.encoders.layers import require_odd_kernel
from summarymixing_sb.encoders.stack import EncoderStack
from summarymixing_sb.mixers import NoMixer
from summarymixing_sb.mixers.heads import head_mlp
from summarymixing_sb.registry import build_mixer


class ConvolutionalSpatialGatingUnit(convolution.ConvolutionalSpatialGatingUnit):
    """SpeechBrain's gating unit, its parameters and arguments, exact under padding and chunks.

    Examples
    --------
    >>> ConvolutionalSpatialGatingUnit(16, kernel_size=5)(torch.rand(2, 30, 16)).shape
    torch.Size([2, 30, 8])
    """

    def forward(self, x, padding_mask=None, chunks=None, causal=False):
        """Map (B, T, E) to (B, T, E / 2); for the arguments see :func:`convolve_frames`."""
        content, gate = x.chunk(2, dim=-1)
        gate = convolve_frames(
            self.norm(gate), self.conv.conv, padding_mask, chunks, causal, reflect=True
        )
        if self.use_linear_after_conv:
            gate = self.linear(gate)
        return self.dropout(self.activation(gate) * content)


class ConvolutionBranch(speechbrain_branchformer.ConvolutionBranch):
    """SpeechBrain's convolution branch (cgMLP) with the gating unit above."""

    def __init__(
        self,
        input_size,
        linear_units,
        kernel_size,
        activation,
        gate_activation,
        dropout,
        use_linear_after_conv,
        causal,
    ):
        super().__init__(input_size, linear_units, kernel_size, activation)
        self.causal = causal
        self.csgu = ConvolutionalSpatialGatingUnit(
            linear_units, kernel_size, dropout, use_linear_after_conv, gate_activation
        )

    def forward(self, x, padding_mask=None, chunks=None):
        """Map (B, T, D) to (B, T, D); for the arguments see :func:`convolve_frames`."""
        x = self.activation(self.pre_channel_proj(x))
        return self.post_channel_proj(self.csgu(x, padding_mask, chunks, self.causal))


class BranchformerEncoderLayer(nn.Module):
    """A mixer and a convolution side by side, merged; without a mixer, the convolution alone.

    Parameters
    ----------
    d_model : int
        Width of the frames.
    nhead : int
        Heads of the mixer.
    kernel_size : int
        Frames under the kernel of the gating unit; odd.
    activation : type
        Class of the activation of the convolution branch.
    dropout : float
        Dropout probability.
    causal : bool
        Whether the convolution's kernel lies before its frame; the mixer is limited by the chunks
        it is given.
    attention_type : str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`; "none" leaves its branch out.
    mixer_options : dict, optional
        The mixer's own options.
    csgu_linear_units : int
        Channels of the gating unit; even.
    gate_activation : type
        Class of the activation of the gate.
    use_linear_after_conv : bool
        Whether a linear layer follows the convolution of the gating unit.

    Examples
    --------
    >>> layer = BranchformerEncoderLayer(d_model=16, nhead=2, csgu_linear_units=32)
    >>> layer(torch.rand(2, 30, 16)).shape
    torch.Size([2, 30, 16])
    """

    def __init__(
        self,
        d_model,
        nhead,
        kernel_size=31,
        activation=nn.GELU,
        dropout=0.0,
        causal=False,
        attention_type="SummaryMixing",
        mixer_options=None,
        csgu_linear_units=3072,
        gate_activation=nn.Identity,
        use_linear_after_conv=False,
    ):
        super().__init__()
        require_odd_kernel(kernel_size)
        # The names are SpeechBrain's, so that its checkpoints load.
        mixer = build_mixer(attention_type, d_model, nhead, dropout, **(mixer_options or {}))
        self.mha_layer = None if isinstance(mixer, NoMixer) else mixer
        if self.mha_layer is not None:
            self.norm_mhsa = LayerNorm(d_model)
            self.merge_proj = (
                head_mlp([2 * d_model, d_model, d_model], heads=1)
                if mixer.branch_merge == "mlp"
                else nn.Linear(2 * d_model, d_model)
            )
        self.convolution_branch = ConvolutionBranch(
            d_model,
            csgu_linear_units,
            kernel_size,
            activation,
            gate_activation,
            dropout,
            use_linear_after_conv,
            causal,
        )
        self.norm_conv = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Encode frames, see :meth:`EncoderStack.forward`."""
        merged = self.dropout(self.convolution_branch(self.norm_conv(x), padding_mask, chunks))
        if self.mha_layer is not None:
            mixed = self.mha_layer(self.norm_mhsa(x), padding_mask, chunks, positions)
            both = torch.cat((self.dropout(mixed), merged), dim=-1)  # (B, T, 2 D)
            merged = self.dropout(self.merge_proj(both))
        return x + merged


class BranchformerEncoder(EncoderStack):
    """Branchformer encoder around any mixer.

    The arguments are those of :class:`EncoderStack` and :class:`BranchformerEncoderLayer`, by name.

    Examples
    --------
    >>> encoder = BranchformerEncoder(num_layers=2, d_model=16, nhead=2, csgu_linear_units=32)
    >>> encoder(torch.rand(2, 50, 16)).shape
    torch.Size([2, 50, 16])
    """

    layer_class = BranchformerEncoderLayer
