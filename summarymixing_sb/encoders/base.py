"""Base classes of the encoders and of their layers.

Letters: B batch or streams, T frames, C frames of a chunk, D model width.
"""

import torch
from speechbrain.nnet.normalization import LayerNorm
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb.encoders.state import EncoderState, LayerState
from summarymixing_sb.mixers import Mixer, NoMixer
from summarymixing_sb.registry import build_mixer, list_mixers, mixer_class

#: Chunks of one frame with unlimited left context: every frame sees itself and those before.
CAUSAL_CHUNKS = DynChunkTrainConfig(chunk_size=1, left_context_size=None)


class EncoderLayer(nn.Module):
    """Base class of a layer with a mixer, and with a convolution or without.

    A subclass adds its modules and writes :meth:`encode`, for whole recordings and single chunks
    alike. Mixer and convolution have the attribute names of SpeechBrain's layers, so that its
    checkpoints load.

    Parameters
    ----------
    d_model : int
        Width of the frames.
    nhead : int
        Heads of the mixer.
    dropout : float
        Dropout probability.
    d_ffn : int or None
        Width of the feed-forward layers, for mixers that are sized by it.
    attention_type : str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`; "none" builds no mixer.
    mixer_options : dict or None
        The mixer's own options.

    Attributes
    ----------
    mixer_name : str
        Attribute that holds the :class:`summarymixing_sb.mixers.Mixer`, or None without one.
    convolution_name : str or None
        Attribute that holds the convolution, called as ``convolution(x, padding_mask, chunks)``,
        with ``make_state(batch_size)`` and ``step(x, state, padding_mask)``; None without one.
    """

    mixer_name = "mha_layer"
    convolution_name = None

    def __init__(self, d_model, nhead, dropout, d_ffn, attention_type, mixer_options):
        super().__init__()
        mixer = build_mixer(attention_type, d_model, nhead, dropout, d_ffn, **(mixer_options or {}))
        setattr(self, self.mixer_name, None if isinstance(mixer, NoMixer) else mixer)

    @property
    def mixer(self):
        """The mixer, or None."""
        return getattr(self, self.mixer_name)

    @property
    def convolution(self):
        """The convolution, or None."""
        return None if self.convolution_name is None else getattr(self, self.convolution_name)

    def encode(self, x, mix, convolve):
        """Encode frames of whole recordings or of a chunk.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, D).
        mix : callable
            Applies the mixer to (B, T, D). Not to be called in a layer without a mixer.
        convolve : callable
            Applies the convolution to (B, T, D). Not to be called in a layer without one.

        Returns
        -------
        torch.Tensor
            (B, T, D).
        """
        raise NotImplementedError

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Encode frames, see :meth:`Encoder.forward`."""
        return self.encode(
            x,
            lambda x: self.mixer(x, padding_mask, chunks, positions),
            lambda x: self.convolution(x, padding_mask, chunks),
        )

    def make_state(self, batch_size, chunks):
        """Start streams, see :meth:`summarymixing_sb.mixers.Mixer.make_state`."""
        return LayerState(
            None if self.mixer is None else self.mixer.make_state(batch_size, chunks),
            None if self.convolution is None else self.convolution.make_state(batch_size),
        )

    def step(self, x, state, padding_mask=None):
        """Encode the next chunk, see :meth:`Encoder.step`."""
        return self.encode(
            x,
            lambda x: self.mixer.step(x, state.mixer, padding_mask),
            lambda x: self.convolution.step(x, state.convolution, padding_mask),
        )


class Encoder(nn.Module):
    """Base class of the encoders: layers in a row, and a LayerNorm at the end.

    Parameters
    ----------
    num_layers : int
        Number of layers.
    d_model : int
        Width of the frames.
    attention_type : str
        Name of the mixer inside the layers, see :func:`summarymixing_sb.list_mixers`.
    causal : bool
        Whether no frame may see a later one.
    output_hidden_states : bool
        Whether to also return the input and the output of every layer.
    layerdrop_prob : float
        Probability to skip a layer in training.
    **layer_options
        The other arguments of the layers.

    Attributes
    ----------
    layer_class : type
        Class of the layers, a subclass of :class:`EncoderLayer`; set by the subclass.

    Raises
    ------
    ValueError
        If the mixer is unknown, or cannot be built or used so.
    """

    layer_class = None

    def __init__(
        self,
        num_layers,
        d_model,
        attention_type="SummaryMixing",
        causal=False,
        output_hidden_states=False,
        layerdrop_prob=0.0,
        **layer_options,
    ):
        super().__init__()
        if causal and not mixer_class(attention_type).supports_chunks:
            raise ValueError(
                f"{attention_type} sees the whole utterance, so it cannot be causal: set "
                "causal=False or choose another attention_type."
            )
        self.layers = nn.ModuleList(
            self.layer_class(
                d_model=d_model, attention_type=attention_type, causal=causal, **layer_options
            )
            for _ in range(num_layers)
        )
        self.norm = LayerNorm(d_model, eps=1e-6)
        self.attention_type = attention_type
        self.causal = causal
        self.output_hidden_states = output_hidden_states
        self.layerdrop_prob = layerdrop_prob

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Encode frames.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, D).
        padding_mask : torch.Tensor, optional
            (B, T), True where a frame is padding; padding follows the valid frames.
        chunks : DynChunkTrainConfig, optional
            Limits what a frame sees, see :meth:`summarymixing_sb.mixers.Mixer.forward`.
        positions : torch.Tensor, optional
            (1, 2 T - 1, D), where the mixer's ``position`` is "relative".

        Returns
        -------
        torch.Tensor or tuple
            (B, T, D); with ``output_hidden_states`` also a list of the input and the outputs of
            all layers, each (B, T, D).

        Raises
        ------
        ValueError
            If chunks are given to a causal encoder or to a mixer that cannot use them, or
            relative positions are missing.
        """
        self._check_call(chunks, positions)
        if self.causal:
            chunks = CAUSAL_CHUNKS
        hidden_states = [x]
        kept = self.layers
        if self.training and self.layerdrop_prob > 0:
            draws = torch.rand(len(self.layers)).tolist()
            kept = [layer for layer, u in zip(self.layers, draws) if u >= self.layerdrop_prob]
        for layer in kept:
            x = layer(x, padding_mask, chunks, positions)
            hidden_states.append(x)
        x = self.norm(x)
        return (x, hidden_states) if self.output_hidden_states else x

    def make_state(self, chunks):
        """Start streams, which :meth:`step` encodes one chunk at a time.

        Parameters
        ----------
        chunks : DynChunkTrainConfig
            Chunk size and left context. A causal encoder takes chunks of one frame with unlimited
            left context, as on a whole recording.

        Returns
        -------
        EncoderState
            For any number of streams: it is set by the first chunk.

        Raises
        ------
        ValueError
            If the mixer cannot be streamed, or a causal encoder is given other chunks.
        """
        mixer = mixer_class(self.attention_type)
        if mixer is not NoMixer and not _streams(mixer):
            names = ", ".join(name for name in list_mixers() if _streams(mixer_class(name)))
            raise ValueError(
                f"{self.attention_type} cannot work on one chunk at a time. Mixers that can: "
                f"{names} (attention_type)."
            )
        if self.causal and chunks != CAUSAL_CHUNKS:
            raise ValueError(
                f"A causal encoder streams frame by frame: give {CAUSAL_CHUNKS}, not {chunks}."
            )
        # A mixer that refuses its options or these chunks does so here, not in mid-stream.
        self._start_layers(1, chunks)
        return EncoderState(chunks, layers=[])

    def step(self, x, state, padding_mask=None):
        """Encode the next chunk; chunk by chunk, this gives what :meth:`forward` gives with chunks.

        Parameters
        ----------
        x : torch.Tensor
            (B, C, D), one chunk of every stream. Only the last chunk may be shorter than the chunk
            size, if :meth:`forward` is to give the same.
        state : EncoderState
            From :meth:`make_state`; it is updated.
        padding_mask : torch.Tensor, optional
            (B, C), True where a frame is padding; no frame of a stream follows its padding.

        Returns
        -------
        torch.Tensor
            (B, C, D).

        Raises
        ------
        ValueError
            If the chunk is empty or too long, or the number of streams has changed.
        """
        state.require_next(x)
        if not state.layers:
            state.batch_size = x.size(0)
            state.layers = self._start_layers(state.batch_size, state.chunks)
        for layer, layer_state in zip(self.layers, state.layers):
            x = layer.step(x, layer_state, padding_mask)
        state.position += x.size(1)
        return self.norm(x)

    def _start_layers(self, batch_size, chunks):
        return [layer.make_state(batch_size, chunks) for layer in self.layers]

    def _check_call(self, chunks, positions):
        mixer = mixer_class(self.attention_type)
        if chunks is not None and self.causal:
            raise ValueError("A causal encoder takes no chunks: build it with causal=False.")
        if chunks is not None and not mixer.supports_chunks:
            raise ValueError(f"{self.attention_type} sees the whole utterance, never chunks.")
        if mixer.position == "relative" and positions is None:
            raise ValueError(
                f"{self.attention_type} needs relative positions: give positions (1, 2 T - 1, D), "
                "as speechbrain.nnet.attention.RelPosEncXL makes them."
            )


def _streams(mixer):
    """Check if a class of mixers can work on one chunk at a time."""
    return mixer.make_state is not Mixer.make_state
