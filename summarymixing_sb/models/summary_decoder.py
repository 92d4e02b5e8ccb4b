"""The summary decoder: its tokens meet in a running mean instead of in self-attention.

Row "SummaryMixing + summary decoder" of arXiv 2307.07421. Training takes all tokens at once, by
prefix sums; a search takes one token at a time, from (sum, count).

Letters: B batch, U tokens, T frames, K beams of an utterance, H heads, D model width.
"""

from speechbrain.lobes.models.transformer.Transformer import TransformerDecoderLayer
from speechbrain.nnet.normalization import LayerNorm
from torch import nn

from summarymixing_sb.encoders.base import CAUSAL_CHUNKS
from summarymixing_sb.models.one_token import DecoderState, decoder_layer
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
    >>> steps = [state.step(token) for token in tokens.split(1, dim=1)]
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
        summarymixing_sb.models.one_token.DecoderState
            Of no tokens so far, for B K rows; its time a token does not grow.
        """
        tokens = [
            SummarisedTokens(layer.self_attn, memory.size(0) * beams) for layer in self.layers
        ]
        return DecoderState(self, tokens, memory, memory_key_padding_mask)


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

        decoded = decoder_layer(
            self, tgt, lambda x: self.self_attn(x, tgt_key_padding_mask, CAUSAL_CHUNKS), attend
        )
        return decoded, attentions[0]


class SummarisedTokens:
    """The tokens so far as one layer knows them: (sum, count), which does not grow.

    Parameters
    ----------
    mixer : summarymixing_sb.SummaryMixing
        The layer's own.
    rows : int
        B K.
    """

    def __init__(self, mixer, rows):
        self.mixer = mixer
        self.summary = mixer.make_state(rows, CAUSAL_CHUNKS)

    def take_in(self, x):
        """Mix one token more, (B K, 1, D), with those before: the same shape."""
        return self.mixer.step(x, self.summary)

    def reorder(self, index):
        """Let row i go on from row ``index[i]``."""
        self.summary.reorder(index)
