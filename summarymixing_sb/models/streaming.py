"""The part of TransformerASR that encodes a stream, one chunk at a time.

Letters: B streams, C frames of a chunk, D model width.
"""

import torch
from speechbrain.lobes.models.transformer.TransformerASR import TransformerASRStreamingContext

from summarymixing_sb.encoders.state import state_bytes  # noqa: F401  moved there
from summarymixing_sb.models.decoder import padding_mask


class StreamEncoding:
    """What TransformerASR inherits to be called by SpeechBrain's streaming wrappers.

    These are ``EncoderWrapper``, which has ``forward_streaming``, and the ``StreamingASR`` around
    it. The class that inherits has ``encoder``, ``custom_src_module`` and ``positional_encoding``.
    """

    def make_streaming_context(self, dynchunktrain_config, encoder_kwargs=None):
        """Start streams, which :meth:`encode_streaming` encodes one chunk at a time.

        Parameters
        ----------
        dynchunktrain_config : DynChunkTrainConfig
            Chunk size in frames, left context in chunks. A causal encoder takes chunks of one
            frame with all of the left context.
        encoder_kwargs : dict, optional
            SpeechBrain's signature: more arguments of the encoder's ``make_state``; ours has none.

        Returns
        -------
        TransformerASRStreamingContext
            SpeechBrain's class. What it holds does not grow with time, see :func:`state_bytes`.

        Raises
        ------
        ValueError
            If the mixer cannot be streamed (the message names those that can), or a causal
            encoder is given other chunks.
        """
        state = self.encoder.make_state(dynchunktrain_config, **(encoder_kwargs or {}))
        return TransformerASRStreamingContext(dynchunktrain_config, encoder_context=state)

    @torch.no_grad()
    def encode_streaming(self, src, context, wav_len=None):
        """Encode the next chunk of every stream.

        Chunk by chunk this gives what ``encode(src, dynchunktrain_config=...)`` gives.

        Parameters
        ----------
        src : torch.Tensor
            (B, C, input_size), or (B, C, F, channels) as a front end gives it. A chunk that is
            shorter than the chunk size counts as a chunk, so only the last should be.
        context : TransformerASRStreamingContext
            From :meth:`make_streaming_context`; it takes in the chunk.
        wav_len : torch.Tensor, optional
            (B,) lengths relative to C, where some of the streams end before the others; 0 where
            one has ended already. ``speechbrain.utils.streaming.split_wav_lens`` gives them.

        Returns
        -------
        torch.Tensor
            (B, C, D).

        Raises
        ------
        ValueError
            If the chunk is empty or too long, or the number of streams has changed.

        Examples
        --------
        >>> from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
        >>> from summarymixing_sb import TransformerASR
        >>> model = TransformerASR(
        ...     tgt_vocab=30, input_size=80, d_model=16, nhead=2, num_encoder_layers=2,
        ...     num_decoder_layers=0, d_ffn=32, encoder_module="conformer",
        ...     attention_type="SummaryMixing",
        ... ).eval()
        >>> recording, chunks = torch.rand(1, 50, 80), DynChunkTrainConfig(8, left_context_size=4)
        >>> context = model.make_streaming_context(chunks)
        >>> encoded = [model.encode_streaming(x, context) for x in recording.split(8, dim=1)]
        >>> at_once = model.encode(recording, dynchunktrain_config=chunks)
        >>> torch.allclose(torch.cat(encoded, dim=1), at_once, atol=1e-5)
        True
        """
        state = context.encoder_context
        lengths = None if wav_len is None else torch.round(wav_len * src.size(1))
        mask = padding_mask(lengths, src)  # (B, C)
        src = self.custom_src_module(src.flatten(2))
        if self._encoder_position == "absolute":
            src = src + self.positional_encoding(src, state.position)
        return self.encoder.step(src, state, mask)
