"""The half of TransformerASR that reads and writes text: embedding, positions, decoder."""

import torch
from speechbrain.dataio.dataio import length_to_mask
from speechbrain.lobes.models.transformer.Transformer import (
    NormalizedEmbedding,
    TransformerDecoder,
    get_lookahead_mask,
)
from speechbrain.nnet.containers import ModuleList
from torch import nn

from summarymixing_sb.models.summary_decoder import SummaryDecoder

DECODER_ATTENTION_TYPES = ("regularMHA", "SummaryMixing")


class TextDecoding(nn.Module):
    """What TransformerASR inherits to decode: all tokens at once, the next one, or one at a time.

    The subclass sets ``positional_encoding_decoder`` and ``_decoder_has_positions``, and calls
    :meth:`_build_decoder`. Letters: B batch, U tokens, T frames, K beams, D model width.
    """

    def _build_decoder(
        self, attention_type, num_layers, tgt_vocab, d_model, mixer_options, **layer_options
    ):
        """Make the modules, under SpeechBrain's names."""
        if attention_type not in DECODER_ATTENTION_TYPES:
            raise ValueError(
                f"Unknown decoder_attention_type {attention_type!r}: "
                f"{' or '.join(DECODER_ATTENTION_TYPES)}."
            )
        self.num_decoder_layers = num_layers
        self.decoder_attention_type = attention_type
        if num_layers == 0:
            return
        self.custom_tgt_module = ModuleList(NormalizedEmbedding(d_model, tgt_vocab))
        options = {"num_layers": num_layers, "d_model": d_model, **layer_options}
        if attention_type == "SummaryMixing":
            self.decoder = SummaryDecoder(mixer_options=mixer_options, **options)
        else:
            self.decoder = TransformerDecoder(causal=True, attention_type=attention_type, **options)

    @torch.no_grad()
    def decode(self, tgt, encoder_out, enc_len=None):
        """Decode the next token, as SpeechBrain's beam searchers ask for it.

        Parameters
        ----------
        tgt : torch.Tensor
            (B, U) tokens so far.
        encoder_out : torch.Tensor
            (B, T, D).
        enc_len : torch.Tensor, optional
            (B,) valid frames of ``encoder_out``.

        Returns
        -------
        prediction : torch.Tensor
            (B, U, D).
        attention : torch.Tensor
            (B, U, T), what the last layer attends to in the speech.

        Raises
        ------
        ValueError
            If the model has no decoder.
        """
        return self._decode(tgt, encoder_out, enc_len)

    @torch.no_grad()
    def make_decoder_state(self, encoder_out, enc_len=None, beams=1):
        """Start to decode one token at a time.

        Parameters
        ----------
        encoder_out : torch.Tensor
            (B, T, D).
        enc_len : torch.Tensor, optional
            (B,) valid frames of ``encoder_out``.
        beams : int
            Hypotheses K of each utterance.

        Returns
        -------
        summarymixing_sb.models.summary_decoder.DecoderState
            For :meth:`decode_step`. What it holds of the text does not grow with the tokens.

        Raises
        ------
        ValueError
            If the model has no decoder, or its decoder has self-attention.
        """
        self._require_decoder()
        if self.decoder_attention_type != "SummaryMixing":
            raise ValueError(
                f"A decoder with {self.decoder_attention_type} needs all tokens so far: call "
                "decode, or build the model with decoder_attention_type='SummaryMixing'."
            )
        return self.decoder.make_state(encoder_out, padding_mask(enc_len, encoder_out), beams)

    @torch.no_grad()
    def decode_step(self, tokens, state):
        """Decode one token more of every hypothesis.

        Parameters
        ----------
        tokens : torch.Tensor
            (B K,), the K hypotheses of an utterance beside each other.
        state : summarymixing_sb.models.summary_decoder.DecoderState
            From :meth:`make_decoder_state`; it takes in the tokens.

        Returns
        -------
        torch.Tensor
            (B K, D), what :meth:`decode` gives for the last token of a prefix.

        Examples
        --------
        >>> from summarymixing_sb import TransformerASR
        >>> model = TransformerASR(
        ...     tgt_vocab=30, input_size=80, d_model=16, nhead=2, num_encoder_layers=1,
        ...     num_decoder_layers=1, d_ffn=32, attention_type="SummaryMixing",
        ...     decoder_attention_type="SummaryMixing",
        ... ).eval()
        >>> encoder_out, prefix = torch.rand(1, 50, 16), torch.tensor([[1, 7, 4]])
        >>> state = model.make_decoder_state(encoder_out)
        >>> for token in prefix[0]:
        ...     last = model.decode_step(token.view(1), state)
        >>> torch.allclose(last, model.decode(prefix, encoder_out)[0][:, -1], atol=1e-5)
        True
        """
        x = self.custom_tgt_module(tokens.unsqueeze(1))  # (B K, 1, D)
        if self._decoder_has_positions:
            x = x + self.positional_encoding_decoder(x, state.position)
        return self.decoder.step(x, state).squeeze(1)

    def _decode(self, tgt, encoder_out, enc_len=None, tgt_padding_mask=None):
        self._require_decoder()
        masks = {
            "tgt_key_padding_mask": tgt_padding_mask,
            "memory_key_padding_mask": padding_mask(enc_len, encoder_out),
        }
        if self.decoder_attention_type == "regularMHA":
            # As bool, like the padding masks: torch warns where the types differ.
            masks["tgt_mask"] = get_lookahead_mask(tgt).isinf()  # (U, U)
        tgt = self.custom_tgt_module(tgt)
        if self._decoder_has_positions:
            tgt = tgt + self.positional_encoding_decoder(tgt)
        out, _, attentions = self.decoder(tgt, encoder_out, **masks)
        return out, attentions[-1]

    def _require_decoder(self):
        if self.num_decoder_layers == 0:
            raise ValueError("This model has no decoder (num_decoder_layers=0): tgt must be None.")


def padding_mask(lengths, src):
    """Mark the frames of (B, T, ...) from (B,) lengths on: (B, T); None without lengths."""
    return None if lengths is None else ~length_to_mask(lengths, max_len=src.size(1)).bool()
