"""The summary decoder: its tokens meet in a running mean instead of in self-attention.

Row "SummaryMixing + summary decoder" of arXiv 2307.07421. Training takes all tokens at once, by
prefix sums; a search takes one token at a time, from (sum, count).

Letters: B batch, U tokens, T frames, K beams of an utterance, H heads, D model width.
"""

import torch.nn.functional as F
from speechbrain.lobes.models.transformer.Transformer import TransformerDecoderLayer
from speechbrain.nnet.normalization import LayerNorm
from torch import nn

from summarymixing_sb.encoders.base import CAUSAL_CHUNKS
from summarymixing_sb.registry import build_mixer


class SummaryDecoder(nn.Module):
    """Transformer decoder with a causal SummaryMixing where SpeechBrain's has self-attention.

    Everything else, and its parameter names, is SpeechBrain's ``TransformerDecoder``.

    Parameters
    ----------
    num_layers : int
        Number of layers.
    mixer_options : dict, optional
        Options of :class:`summarymixing_sb.SummaryMixing`.
    d_model : int
        Width D.
    **layer_options
        The other arguments of :class:`SummaryDecoderLayer`.

    Examples
    --------
    >>> import torch
    >>> decoder = SummaryDecoder(2, d_model=16, nhead=2, d_ffn=32).eval()
    >>> tokens, speech = torch.rand(3, 5, 16), torch.rand(3, 40, 16)
    >>> decoded, _, attention = decoder(tokens, speech)
    >>> decoded.shape, attention[-1].shape
    (torch.Size([3, 5, 16]), torch.Size([3, 5, 40]))
    >>> state = decoder.make_state(speech)
    >>> steps = [decoder.step(token, state) for token in tokens.split(1, dim=1)]
    >>> torch.allclose(torch.cat(steps, dim=1), decoded, atol=1e-5)
    True
    """

    def __init__(self, num_layers, d_model, mixer_options=None, **layer_options):
        super().__init__()
        self.layers = nn.ModuleList(
            SummaryDecoderLayer(d_model=d_model, mixer_options=mixer_options, **layer_options)
            for _ in range(num_layers)
        )
        self.norm = LayerNorm(d_model, eps=1e-6)

    def forward(self, tgt, memory, tgt_key_padding_mask=None, memory_key_padding_mask=None):
        """Decode all tokens at once; time and memory are linear in U.

        Parameters
        ----------
        tgt : torch.Tensor
            (B, U, D), embedded tokens.
        memory : torch.Tensor
            (B, T, D), encoded speech.
        tgt_key_padding_mask : torch.Tensor, optional
            (B, U), True where a token is padding.
        memory_key_padding_mask : torch.Tensor, optional
            (B, T), True where a frame is padding.

        Returns
        -------
        tuple
            (B, U, D); the list of self-attention maps, empty as there are none; the list of what
            each layer attends to in the speech, (B, U, T).
        """
        attentions = []
        for layer in self.layers:
            tgt, attention = layer(tgt, memory, tgt_key_padding_mask, memory_key_padding_mask)
            attentions.append(attention)
        return self.norm(tgt), [], attentions

    def make_state(self, memory, memory_key_padding_mask=None, beams=1):
        """Start to decode one token at a time.

        Parameters
        ----------
        memory, memory_key_padding_mask
            Encoded speech (B, T, D), see :meth:`forward`.
        beams : int
            Hypotheses K of each utterance.

        Returns
        -------
        DecoderState
            Of no tokens so far, for B K rows.
        """
        return DecoderState(
            summaries=[
                layer.self_attn.make_state(memory.size(0) * beams, CAUSAL_CHUNKS)
                for layer in self.layers
            ],
            speech=[
                AttendedSpeech(layer.multihead_attn.att, memory, memory_key_padding_mask)
                for layer in self.layers
            ],
        )

    def step(self, x, state):
        """Decode the next token of every row; time does not grow with the tokens before.

        Parameters
        ----------
        x : torch.Tensor
            (B K, 1, D), embedded tokens; the K rows of an utterance are neighbours.
        state : DecoderState
            From :meth:`make_state`; it takes in the tokens.

        Returns
        -------
        torch.Tensor
            (B K, 1, D).
        """
        for layer, summary, speech in zip(self.layers, state.summaries, state.speech):
            x = layer.step(x, summary, speech)
        state.position += 1
        return self.norm(x)


class SummaryDecoderLayer(TransformerDecoderLayer):
    """A causal SummaryMixing over the tokens, attention to the speech, a feed-forward layer.

    Parameters
    ----------
    d_model : int
        Width D.
    nhead : int
        Heads of the mixer and of the attention to the speech.
    d_ffn : int
        Width of the feed-forward layer.
    dropout : float
        Dropout probability.
    activation : type
        Class of the activation of the feed-forward layer.
    normalize_before : bool
        Whether LayerNorm stands before each part of the layer, or after it.
    mixer_options : dict, optional
        Options of :class:`summarymixing_sb.SummaryMixing`.
    """

    def __init__(
        self,
        d_model,
        nhead,
        d_ffn,
        dropout=0.0,
        activation=nn.ReLU,
        normalize_before=False,
        mixer_options=None,
    ):
        super().__init__(
            d_ffn=d_ffn,
            nhead=nhead,
            d_model=d_model,
            dropout=dropout,
            activation=activation,
            normalize_before=normalize_before,
        )
        self.self_attn = build_mixer(
            "SummaryMixing", d_model, nhead, dropout, d_ffn, **(mixer_options or {})
        )

    def forward(self, tgt, memory, tgt_key_padding_mask=None, memory_key_padding_mask=None):
        """Decode all tokens, see :meth:`SummaryDecoder.forward`: output and attention."""
        attentions = []

        def attend(x):
            attended, attention = self.multihead_attn(
                x, memory, memory, key_padding_mask=memory_key_padding_mask
            )
            attentions.append(attention)
            return attended

        decoded = self._decode(
            tgt, lambda x: self.self_attn(x, tgt_key_padding_mask, CAUSAL_CHUNKS), attend
        )
        return decoded, attentions[0]

    def step(self, x, summary, speech):
        """Decode one token, see :meth:`SummaryDecoder.step`."""
        return self._decode(x, lambda x: self.self_attn.step(x, summary), speech.attend)

    def _decode(self, x, mix, attend):
        """Do what all tokens at once and one at a time have in common."""
        x = self._add(x, mix, self.norm1, self.dropout1)
        x = self._add(x, attend, self.norm2, self.dropout2)
        return self._add(x, self.pos_ffn, self.norm3, self.dropout3)

    def _add(self, x, part, norm, dropout):
        if self.normalize_before:
            return x + dropout(part(norm(x)))
        return norm(x + dropout(part(x)))


class DecoderState:
    """What a summary decoder remembers between two tokens.

    Parameters
    ----------
    summaries : list of SummaryState
        One a layer, for B K rows.
    speech : list of AttendedSpeech
        One a layer, for B utterances.

    Attributes
    ----------
    position : int
        Tokens so far.
    """

    def __init__(self, summaries, speech):
        self.summaries = summaries
        self.speech = speech
        self.position = 0

    def reorder(self, index):
        """Let row i go on from hypothesis ``index[i]``, which must be of the same utterance.

        Parameters
        ----------
        index : torch.Tensor
            (B K,) rows.
        """
        for summary in self.summaries:
            summary.reorder(index)


class AttendedSpeech:
    """The speech as one layer attends to it: keys and values, projected once for all steps.

    The beams of an utterance ask the same keys, so nothing is repeated for them.

    Parameters
    ----------
    attention : torch.nn.MultiheadAttention
        The layer's own, batch second or not: only its parameters are used.
    memory : torch.Tensor
        (B, T, D).
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.
    """

    def __init__(self, attention, memory, padding_mask=None):
        width, heads = attention.embed_dim, attention.num_heads
        self.to_query = attention.in_proj_weight[:width], attention.in_proj_bias[:width]
        self.to_output = attention.out_proj
        to_keys_and_values = attention.in_proj_weight[width:], attention.in_proj_bias[width:]
        both = F.linear(memory, *to_keys_and_values).unflatten(-1, (2, heads, -1))
        self.keys, self.values = both.permute(2, 0, 3, 1, 4)  # (B, H, T, D / H) each
        self.visible = None if padding_mask is None else ~padding_mask[:, None, None]

    def attend(self, x):
        """Attend, without dropout, from tokens (B K, 1, D): the same shape."""
        batch, heads, _, _ = self.keys.shape
        query = F.linear(x, *self.to_query).view(batch, -1, heads, x.size(-1) // heads)
        attended = F.scaled_dot_product_attention(
            query.transpose(1, 2), self.keys, self.values, attn_mask=self.visible
        )  # (B, H, K, D / H)
        return self.to_output(attended.transpose(1, 2).reshape(x.shape))
