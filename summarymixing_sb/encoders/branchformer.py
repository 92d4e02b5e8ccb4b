"""Branchformer encoder around any mixer (arXiv 2207.02971)."""

import torch
from speechbrain.lobes.models import convolution
from speechbrain.lobes.models.transformer import Branchformer as speechbrain_branchformer
from speechbrain.nnet.normalization import LayerNorm
from speechbrain.utils.logger import get_logger
from torch import nn

from summarymixing_sb.encoders.base import Encoder
from summarymixing_sb.encoders.convolution import (
    ConvolutionState,
    convolution_sides,
    convolve_chunk,
    convolve_frames,
    require_odd_kernel,
)
from summarymixing_sb.encoders.layer import EncoderLayer
from summarymixing_sb.mixers.heads import head_mlp

logger = get_logger(__name__)


class ConvolutionalSpatialGatingUnit(convolution.ConvolutionalSpatialGatingUnit):
    """SpeechBrain's gating unit, same parameters and arguments, with padding and chunks.

    Examples
    --------
    >>> ConvolutionalSpatialGatingUnit(16, kernel_size=5)(torch.rand(2, 30, 16)).shape
    torch.Size([2, 30, 8])
    """

    def forward(self, x, padding_mask=None, chunks=None, causal=False):
        """Map (B, T, E) to (B, T, E / 2); for the arguments see :func:`convolve_frames`."""

        def convolve(gate):
            conv = self.conv.conv
            return convolve_frames(gate, conv, padding_mask, chunks, causal, reflect=True)

        return self._gate(x, convolve)

    def step(self, x, state, padding_mask=None):
        """Map the next chunk (B, C, E) to (B, C, E / 2); see :func:`convolve_chunk`."""
        return self._gate(x, lambda gate: convolve_chunk(gate, self.conv.conv, state, padding_mask))

    def _gate(self, x, convolve):
        content, gate = x.chunk(2, dim=-1)
        gate = convolve(self.norm(gate))
        if self.use_linear_after_conv:
            gate = self.linear(gate)
        return self.dropout(self.activation(gate) * content)


class ConvolutionBranch(speechbrain_branchformer.ConvolutionBranch):
    """SpeechBrain's convolution branch (cgMLP) with :class:`ConvolutionalSpatialGatingUnit`."""

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

    def make_state(self, batch_size):
        """Start streams, see :class:`ConvolutionState`."""
        return ConvolutionState(self.csgu.conv.conv, batch_size, self.causal)

    def step(self, x, state, padding_mask=None):
        """Map the next chunk (B, C, D) to (B, C, D); see :func:`convolve_chunk`."""
        x = self.activation(self.pre_channel_proj(x))
        return self.post_channel_proj(self.csgu.step(x, state, padding_mask))


class BranchformerEncoderLayer(EncoderLayer):
    """A mixer and a convolution in parallel, merged; without a mixer, the convolution alone.

    Parameters
    ----------
    d_model : int
        Width of the frames.
    nhead : int
        Heads of the mixer.
    kernel_size : int
        Frames under the kernel of the gating unit; odd.
    activation : type
        Class of the activation of the convolution branch, and of the MLP that merges the branches.
    dropout : float
        Dropout probability.
    causal : bool
        Whether the kernel covers its frame and those before; the mixer is limited by ``chunks``.
    half_causal_convolution : bool
        Whether half of the convolution's channels cover their frame and those before, see
        :mod:`summarymixing_sb.encoders.convolution`.
    attention_type : str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`; "none" builds no branch.
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

    convolution_name = "convolution_branch"

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
        half_causal_convolution=False,
    ):
        require_odd_kernel(kernel_size)
        super().__init__(d_model, nhead, dropout, None, attention_type, mixer_options)
        if self.mixer is not None:
            self.norm_mhsa = LayerNorm(d_model)
            hidden = self.mixer.merge_hidden or d_model
            self.merge_proj = (
                head_mlp([2 * d_model, hidden, d_model], 1, activation)
                if self.mixer.branch_merge == "mlp"
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
            convolution_sides(causal, half_causal_convolution),
        )
        self.norm_conv = LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def encode(self, x, mix, convolve):
        """Encode frames, see :meth:`EncoderLayer.encode`."""
        merged = self.dropout(convolve(self.norm_conv(x)))
        if self.mixer is not None:
            mixed = self.dropout(mix(self.norm_mhsa(x)))
            merged = self.dropout(self.merge_proj(torch.cat((mixed, merged), dim=-1)))
        return x + merged

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        """Load parameters; the merging MLP of versions before 0.2 had D hidden units."""
        weight = state_dict.get(f"{prefix}merge_proj.0.weight")
        if weight is not None and len(weight) == weight.size(1) // 2:
            d_model, hidden = len(weight), self.merge_proj[0].out_features
            if hidden != d_model:
                logger.info(
                    f"{prefix}merge_proj: trained by a version before 0.2, with {d_model} hidden "
                    f"units; the published models have {hidden}"
                )
                merge = head_mlp([2 * d_model, d_model, d_model], 1, type(self.merge_proj[1]))
                self.merge_proj = merge.to(self.merge_proj[0].weight.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class BranchformerEncoder(Encoder):
    """Branchformer encoder around any mixer.

    The arguments are those of :class:`Encoder` and :class:`BranchformerEncoderLayer`, by name.

    Examples
    --------
    >>> encoder = BranchformerEncoder(num_layers=2, d_model=16, nhead=2, csgu_linear_units=32)
    >>> encoder(torch.rand(2, 50, 16)).shape
    torch.Size([2, 50, 16])
    """

    layer_class = BranchformerEncoderLayer
