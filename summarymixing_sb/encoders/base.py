"""Base class of the encoders.

Letters: B batch or streams, T frames, C frames of a chunk, D model width.
"""

from itertools import cycle, islice

import torch
from speechbrain.nnet.normalization import LayerNorm
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb.encoders.state import EncoderState, put_rows, take_rows
from summarymixing_sb.mixers import Mixer, NoMixer
from summarymixing_sb.registry import (
    list_mixers,
    mixer_class,
    mixer_names,
    options_by_mixer,
)

#: Chunks of one frame with unlimited left context: every frame sees itself and those before.
CAUSAL_CHUNKS = DynChunkTrainConfig(chunk_size=1, left_context_size=None)


class Encoder(nn.Module):
    """Base class of the encoders: layers in a row, and a LayerNorm at the end.

    Parameters
    ----------
    num_layers : int
        Number of layers.
    d_model : int
        Width of the frames.
    attention_type : str or list of str
        Name of the mixer inside the layers, see :func:`summarymixing_sb.list_mixers`; or one for
        each layer, in a list or with commas between them, begun again where there are more layers.
    causal : bool
        Whether no frame may see a later one.
    mixer_options : dict, optional
        The mixer's own options; with several mixers, under their names.
    output_hidden_states : bool
        Whether to also return the input and the output of every layer.
    layerdrop_prob : float
        Probability to skip a layer in training.
    **layer_options
        The other arguments of the layers.

    Attributes
    ----------
    layer_class : type
        Class of the layers, a subclass of :class:`summarymixing_sb.encoders.EncoderLayer`; set by
        the subclass.

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
        mixer_options=None,
        output_hidden_states=False,
        layerdrop_prob=0.0,
        **layer_options,
    ):
        super().__init__()
        names = mixer_names(attention_type)
        self._mixers = {name: mixer_class(name) for name in names}
        for name, mixer in self._mixers.items():
            if causal and not mixer.supports_chunks:
                raise ValueError(
                    f"{name} sees the whole utterance, so it cannot be causal: set causal=False or "
                    "choose another attention_type."
                )
        if 0 < num_layers < len(names):
            raise ValueError(
                f"attention_type names {len(names)} mixers, and num_encoder_layers is {num_layers}."
            )
        layers, options = [], options_by_mixer(names, mixer_options)
        for name in islice(cycle(names), num_layers):
            own = {"mixer_options": options[name]} if options.get(name) else {}
            layers.append(
                self.layer_class(
                    d_model=d_model, attention_type=name, causal=causal, **own, **layer_options
                )
            )
        self.layers = nn.ModuleList(layers)
        self.norm = LayerNorm(d_model, eps=1e-6)
        self.attention_type = ",".join(names)
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
        for name, mixer in self._mixers.items():
            if mixer is not NoMixer and not _streams(mixer):
                able = ", ".join(name for name in list_mixers() if _streams(mixer_class(name)))
                raise ValueError(
                    f"{name} cannot work on one chunk at a time. Mixers that can: {able} "
                    "(attention_type)."
                )
        if self.causal and chunks != CAUSAL_CHUNKS:
            raise ValueError(
                f"A causal encoder streams frame by frame: give {CAUSAL_CHUNKS}, not {chunks}."
            )
        # A mixer that refuses its options or these chunks does so here, not in mid-stream.
        self._start_layers(1, chunks)
        return EncoderState(chunks, layers=[])

    def step(self, x, state, padding_mask=None, active=None):
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
        active : torch.Tensor, optional
            (B,) bool, True where a stream has a chunk; the others wait and pass no layer.

        Returns
        -------
        torch.Tensor
            (B, C, D); zeros where a stream waits.

        Raises
        ------
        ValueError
            If the chunk is empty or too long, or the number of streams has changed.
        """
        state.require_next(x)
        if not state.layers:
            state.batch_size = x.size(0)
            state.layers = self._start_layers(state.batch_size, state.chunks)
        if active is not None:
            state.position = state.position + x.size(1) * active
            rows = active.nonzero().squeeze(1)  # (R,)
            if len(rows) < len(active):
                return self._step_rows(x, state, padding_mask, rows)
        else:
            state.position = state.position + x.size(1)
        return self._step_layers(x, state.layers, padding_mask)

    def restart(self, state, rows):
        """Give streams to new recordings; the others go on.

        Parameters
        ----------
        state : EncoderState
            It is updated.
        rows : torch.Tensor
            (R,) int64, of the streams.
        """
        if state.layers and len(rows):
            put_rows(state.layers, rows, self._start_layers(len(rows), state.chunks))
            start = torch.zeros(state.batch_size, dtype=torch.int64, device=rows.device)
            state.position = (start + state.position).index_fill(0, rows, 0)

    def _step_rows(self, x, state, padding_mask, rows):
        """Encode a chunk of some of the streams."""
        out = torch.zeros_like(x)
        if len(rows):
            layers = take_rows(state.layers, rows)
            mask = None if padding_mask is None else padding_mask[rows]
            encoded = self._step_layers(x[rows], layers, mask)
            put_rows(state.layers, rows, layers)
            out = out.to(encoded.dtype).index_copy(0, rows, encoded)
        return out

    def _step_layers(self, x, layers, padding_mask):
        for layer, layer_state in zip(self.layers, layers):
            x = layer.step(x, layer_state, padding_mask)
        return self.norm(x)

    def _start_layers(self, batch_size, chunks):
        return [layer.make_state(batch_size, chunks) for layer in self.layers]

    def _check_call(self, chunks, positions):
        if chunks is not None and self.causal:
            raise ValueError("A causal encoder takes no chunks: build it with causal=False.")
        for name, mixer in self._mixers.items():
            if chunks is not None and not mixer.supports_chunks:
                raise ValueError(f"{name} sees the whole utterance, never chunks.")
            if mixer.position == "relative" and positions is None:
                raise ValueError(
                    f"{name} needs relative positions: give positions (1, 2 T - 1, D), as "
                    "speechbrain.nnet.attention.RelPosEncXL makes them."
                )


def _streams(mixer):
    """Check if a class of mixers can work on one chunk at a time."""
    return mixer.make_state is not Mixer.make_state
