"""Decoding one token at a time: what the layers of a decoder remember between two tokens.

SpeechBrain's Transformer layers have no such state; these functions read their parameters.

Letters: B batch, T frames, U tokens so far, K beams of an utterance, H heads, D model width.
"""

import torch
import torch.nn.functional as F


def add_part(layer, x, part, norm, dropout):
    """Add what a part of a Transformer layer makes of its input, with LayerNorm before or after.

    Parameters
    ----------
    layer : torch.nn.Module
        Of SpeechBrain's Transformer: it has ``normalize_before``.
    x : torch.Tensor
    part, norm, dropout : callable
        From and to tensors of the shape of `x`.

    Returns
    -------
    torch.Tensor
    """
    if layer.normalize_before:
        return x + dropout(part(norm(x)))
    return norm(x + dropout(part(x)))


def decoder_layer(layer, x, mix, attend):
    """Compute a decoder layer, whose tokens meet in `mix` and look at the speech in `attend`.

    Parameters
    ----------
    layer : speechbrain.lobes.models.transformer.Transformer.TransformerDecoderLayer
    x : torch.Tensor
        Embedded tokens.
    mix, attend : callable

    Returns
    -------
    torch.Tensor
    """
    x = add_part(layer, x, mix, layer.norm1, layer.dropout1)
    x = add_part(layer, x, attend, layer.norm2, layer.dropout2)
    return add_part(layer, x, layer.pos_ffn, layer.norm3, layer.dropout3)


class DecoderState:
    """What a decoder remembers between two tokens.

    Parameters
    ----------
    decoder : torch.nn.Module
        Its layers are of SpeechBrain's TransformerDecoder, or like them.
    tokens : list of AttendedTokens or SummarisedTokens
        One a layer, for B K rows.
    memory : torch.Tensor
        (B, T, D), encoded speech.
    memory_key_padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.

    Attributes
    ----------
    position : int
        Tokens so far.

    Examples
    --------
    >>> from speechbrain.lobes.models.transformer.Transformer import TransformerDecoder
    >>> decoder = TransformerDecoder(num_layers=2, nhead=2, d_ffn=32, d_model=16).eval()
    >>> tokens, speech = torch.rand(1, 5, 16), torch.rand(1, 40, 16)
    >>> causal = torch.ones(5, 5, dtype=torch.bool).triu(1)
    >>> decoded, _, _ = decoder(tokens, speech, tgt_mask=causal)
    >>> own = [AttendedTokens(layer.self_attn.att) for layer in decoder.layers]
    >>> state = DecoderState(decoder, own, speech)
    >>> steps = [state.step(token) for token in tokens.split(1, dim=1)]
    >>> torch.allclose(torch.cat(steps, dim=1), decoded, atol=1e-5)
    True
    """

    def __init__(self, decoder, tokens, memory, memory_key_padding_mask=None):
        self.decoder = decoder
        self.tokens = tokens
        self.speech = [
            AttendedSpeech(layer.multihead_attn.att, memory, memory_key_padding_mask)
            for layer in decoder.layers
        ]
        self.position = 0

    def step(self, x):
        """Decode the next token of every row.

        Parameters
        ----------
        x : torch.Tensor
            (B K, 1, D), embedded tokens; the K rows of an utterance are neighbours.

        Returns
        -------
        torch.Tensor
            (B K, 1, D).
        """
        for layer, tokens, speech in zip(self.decoder.layers, self.tokens, self.speech):
            x = decoder_layer(layer, x, tokens.take_in, speech.attend)
        self.position += 1
        return self.decoder.norm(x)

    def reorder(self, index):
        """Let row i go on from hypothesis ``index[i]``, which must be of the same utterance.

        Parameters
        ----------
        index : torch.Tensor
            (B K,) rows.
        """
        for tokens in self.tokens:
            tokens.reorder(index)


class _Projections:
    """The linear parts of an attention, batch second or not: only its parameters are used."""

    def __init__(self, attention):
        self.width, self.heads = attention.embed_dim, attention.num_heads
        self.weight, self.bias = attention.in_proj_weight, attention.in_proj_bias
        self.to_output = attention.out_proj

    def split(self, x, part=slice(None)):
        """Project (N, L, D) to queries, keys, values or some of them, each (N, H, L, D / H)."""
        rows = slice((part.start or 0) * self.width, part.stop and part.stop * self.width)
        bias = None if self.bias is None else self.bias[rows]
        x = F.linear(x, self.weight[rows], bias)
        return x.unflatten(-1, (-1, self.heads, self.width // self.heads)).permute(2, 0, 3, 1, 4)

    def join(self, attended):
        """Project (N, H, L, D / H) to (N, L, D)."""
        return self.to_output(attended.transpose(1, 2).flatten(2))


class AttendedTokens:
    """The tokens so far as one layer attends to them: their keys and values.

    Parameters
    ----------
    attention : torch.nn.MultiheadAttention
        The layer's own.
    """

    def __init__(self, attention):
        self.projections = _Projections(attention)
        self.keys_and_values = None  # (2, rows, H, U, D / H)

    def take_in(self, x, visible=None):
        """Attend, without dropout, from one token more to itself and those before.

        Parameters
        ----------
        x : torch.Tensor
            (rows, 1, D).
        visible : torch.Tensor, optional
            (rows, U + 1), False where a token is padding.

        Returns
        -------
        torch.Tensor
            (rows, 1, D).
        """
        query, *new = self.projections.split(x)
        new = torch.stack(new)
        if self.keys_and_values is not None:
            new = torch.cat([self.keys_and_values, new], dim=3)
        self.keys_and_values = new
        mask = None if visible is None else visible[:, None, None]
        return self.projections.join(F.scaled_dot_product_attention(query, *new, attn_mask=mask))

    def reorder(self, index):
        """Let row i go on from row ``index[i]``."""
        self.keys_and_values = self.keys_and_values.index_select(1, index)


class AttendedSpeech:
    """The speech as one layer attends to it: keys and values, projected once for all steps.

    The beams of an utterance ask the same keys, so nothing is repeated for them.

    Parameters
    ----------
    attention : torch.nn.MultiheadAttention
        The layer's own.
    memory : torch.Tensor
        (B, T, D).
    padding_mask : torch.Tensor, optional
        (B, T), True where a frame is padding.
    """

    def __init__(self, attention, memory, padding_mask=None):
        self.projections = _Projections(attention)
        self.keys, self.values = self.projections.split(memory, slice(1, 3))  # (B, H, T, D / H)
        self.visible = None if padding_mask is None else ~padding_mask[:, None, None]

    def attend(self, x):
        """Attend, without dropout, from tokens (B K, 1, D): the same shape."""
        beams = x.view(self.keys.size(0), -1, x.size(-1))  # (B, K, D)
        (query,) = self.projections.split(beams, slice(0, 1))
        attended = F.scaled_dot_product_attention(
            query, self.keys, self.values, attn_mask=self.visible
        )
        return self.projections.join(attended).view(x.shape)
