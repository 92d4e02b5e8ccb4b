"""TransformerASR: the encoder-decoder that YAML files name.

Letters: B batch, T frames, C frames of a chunk, U tokens, K beams of an utterance, D model width.
"""

import torch
from speechbrain.lobes.models.transformer.Transformer import (
    NormalizedEmbedding,
    TransformerDecoder,
    get_key_padding_mask,
    get_lookahead_mask,
)
from speechbrain.lobes.models.transformer.TransformerASR import TransformerASRStreamingContext
from speechbrain.nnet.activations import Swish
from speechbrain.nnet.attention import RelPosEncXL
from speechbrain.nnet.containers import ModuleList
from speechbrain.nnet.linear import Linear
from speechbrain.utils.logger import get_logger
from torch import nn

from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder, TransformerEncoder
from summarymixing_sb.lengths import from_relative, padding_mask
from summarymixing_sb.mixers import Mixer
from summarymixing_sb.mixers.positions import SinusoidalPositions
from summarymixing_sb.models.one_token import AttendedTokens, DecoderState
from summarymixing_sb.models.summary_decoder import SummaryDecoder
from summarymixing_sb.registry import mixer_class, mixer_names, options_by_mixer

logger = get_logger(__name__)

ENCODERS = ("branchformer", "conformer", "transformer")
DECODER_ATTENTION_TYPES = ("regularMHA", "SummaryMixing")


class TransformerASR(nn.Module):
    """SpeechBrain's TransformerASR with any mixer in its encoder, SummaryMixing in its decoder.

    It takes the arguments of ``speechbrain.lobes.models.transformer.TransformerASR`` and has its
    methods and parameter names, so that a recipe switches by its ``!new:`` line. Different are:
    there is no longest utterance; an utterance's output never depends on what it is batched with;
    a Branchformer can be trained on dynamic chunks; and ``causal`` is False unless set.

    Parameters
    ----------
    tgt_vocab : int
        Size of the decoder's vocabulary.
    input_size : int
        Width of the frames that come in.
    d_model : int
        Width D of encoder and decoder.
    nhead : int
        Heads of the mixer.
    num_encoder_layers, num_decoder_layers : int
        Number of layers. Without decoder layers the model is for CTC. Without encoder layers the
        front end is the whole encoder (:class:`summarymixing_sb.ContextNet`): a projection and a
        LayerNorm follow it, no positions are added, and ``attention_type`` is "none".
    d_ffn : int
        Width of the feed-forward layers.
    dropout : float
        Dropout probability.
    activation : type
        Class of the activation of the decoder and of a Transformer encoder.
    positional_encoding : str, optional
        "fixed_abs_sine", or None for no absolute positions.
    normalize_before : bool
        Whether LayerNorm stands before each part of a Transformer layer.
    kernel_size : int
        Frames under the convolution's kernel; odd.
    bias : bool
        Whether the Conformer's convolution has a bias.
    encoder_module : str
        "branchformer", "conformer" or "transformer".
    conformer_activation, branchformer_activation : type
        Classes of the activations of these encoders.
    attention_type : str or list of str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`, or the dotted path of a class;
        or one for each layer, in a list or with commas between them, begun again where there are
        more layers.
    max_length : int
        Not used, SpeechBrain's argument: there is no longest utterance.
    causal : bool
        Whether no frame of the encoder may see a later one.
    csgu_linear_units, gate_activation, use_linear_after_conv
        The Branchformer's gating unit, see
        :class:`summarymixing_sb.encoders.branchformer.BranchformerEncoderLayer`.
    output_hidden_states : bool
        Whether to return the encoder's hidden states, too.
    layerdrop_prob : float
        Probability to leave an encoder layer out, in training.
    mixer_options : dict, optional
        The mixer's own options; or such options under the names of several mixers, of which it
        takes its own, so that one YAML serves every ``attention_type``.
    decoder_attention_type : str
        Self-attention of the decoder: "regularMHA", or "SummaryMixing", the mean of the tokens so
        far, with SummaryMixing's ``mixer_options``.
    decoder_nhead : int, optional
        Heads of the decoder's attention; ``nhead`` by default.
    encoder_positions, decoder_positions : bool, optional
        Whether sinusoids are added to the frames, for a mixer that takes absolute positions, and
        to the tokens; by default as ``positional_encoding`` says. In the models of the Interspeech
        2024 table, the decoder alone has them.
    half_causal_convolution : bool
        Whether half of the channels of a Conformer's or Branchformer's convolution are causal, see
        :mod:`summarymixing_sb.encoders.convolution`.

    Raises
    ------
    ValueError
        If a name is unknown or a pair cannot work; the message says which would.

    Examples
    --------
    >>> model = TransformerASR(
    ...     tgt_vocab=30, input_size=80, d_model=16, nhead=2, num_encoder_layers=2,
    ...     num_decoder_layers=1, d_ffn=32, encoder_module="conformer", normalize_before=True,
    ...     attention_type="SummaryMixing", mixer_options={"form": "full"}, causal=False,
    ... )
    >>> source, target = torch.rand(4, 100, 80), torch.randint(1, 30, (4, 7))
    >>> encoded, decoded = model(source, target, wav_len=torch.tensor([1.0, 0.9, 0.5, 0.2]))
    >>> encoded.shape, decoded.shape
    (torch.Size([4, 100, 16]), torch.Size([4, 7, 16]))
    """

    def __init__(
        self,
        tgt_vocab,
        input_size,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        d_ffn=2048,
        dropout=0.1,
        activation=nn.ReLU,
        positional_encoding="fixed_abs_sine",
        normalize_before=False,
        kernel_size=31,
        bias=True,
        encoder_module="transformer",
        conformer_activation=Swish,
        branchformer_activation=nn.GELU,
        attention_type="regularMHA",
        max_length=2500,
        causal=False,
        csgu_linear_units=3072,
        gate_activation=nn.Identity,
        use_linear_after_conv=False,
        output_hidden_states=False,
        layerdrop_prob=0.0,
        mixer_options=None,
        decoder_attention_type="regularMHA",
        decoder_nhead=None,
        encoder_positions=None,
        decoder_positions=None,
        half_causal_convolution=False,
    ):
        super().__init__()
        if encoder_module not in ENCODERS:
            raise ValueError(
                f"Unknown encoder_module {encoder_module!r}. Encoders: {', '.join(ENCODERS)}."
            )
        if positional_encoding not in ("fixed_abs_sine", None):
            raise ValueError(
                f"Unknown positional_encoding {positional_encoding!r}: 'fixed_abs_sine' or None."
            )
        if num_encoder_layers < 0:
            raise ValueError(f"num_encoder_layers must be 0 or more, not {num_encoder_layers}.")
        names = mixer_names(attention_type)
        if num_encoder_layers == 0 and (names != ["none"] or causal):
            raise ValueError(
                "Without encoder layers (num_encoder_layers=0) the front end is the whole encoder: "
                f"attention_type must be 'none' and causal False, not {attention_type!r} and "
                f"{causal}."
            )
        positions = {mixer_class(name).position for name in names} if num_encoder_layers else set()
        options = options_by_mixer(attention_type, mixer_options)

        shared = {
            "num_layers": num_encoder_layers,
            "d_model": d_model,
            "nhead": nhead,
            "dropout": dropout,
            "causal": bool(causal),
            "attention_type": attention_type,
            "mixer_options": options,
            "output_hidden_states": output_hidden_states,
            "layerdrop_prob": layerdrop_prob,
        }
        if encoder_module == "branchformer":
            self.encoder = BranchformerEncoder(
                kernel_size=kernel_size,
                activation=branchformer_activation,
                csgu_linear_units=csgu_linear_units,
                gate_activation=gate_activation,
                use_linear_after_conv=use_linear_after_conv,
                half_causal_convolution=half_causal_convolution,
                **shared,
            )
        elif encoder_module == "conformer":
            self.encoder = ConformerEncoder(
                d_ffn=d_ffn,
                kernel_size=kernel_size,
                activation=conformer_activation,
                bias=bias,
                half_causal_convolution=half_causal_convolution,
                **shared,
            )
        else:
            self.encoder = TransformerEncoder(
                d_ffn=d_ffn, activation=activation, normalize_before=normalize_before, **shared
            )

        self.output_hidden_states = output_hidden_states
        self.attention_type = self.encoder.attention_type
        relative = "relative" in positions
        self._sinusoids = SinusoidalPositions(d_model)
        self.positional_encoding = RelPosEncXL(d_model) if relative else self._sinusoids
        self.positional_encoding_decoder = self._sinusoids
        absolute = positional_encoding == "fixed_abs_sine"
        # With relative or rotary positions in the encoder, SpeechBrain's decoder has sinusoids
        # even when positional_encoding is None.
        in_encoder = absolute if encoder_positions is None else encoder_positions
        in_decoder = absolute or "absolute" not in positions
        if (
            positions == {"absolute"}
            and not in_encoder
            and not {*names} <= {"SummaryMixing", "none"}
        ):
            logger.warning(
                f"{self.attention_type} is built without positions: it cannot tell the order of "
                "frames, unless encoder_positions is True."
            )
        self._encoder_positions = positions if in_encoder else positions - {"absolute"}
        self._decoder_has_positions = in_decoder if decoder_positions is None else decoder_positions

        self.custom_src_module = ModuleList(
            Linear(input_size=input_size, n_neurons=d_model, bias=True, combine_dims=False),
            nn.Dropout(dropout),
        )
        self._build_decoder(
            decoder_attention_type,
            num_decoder_layers,
            tgt_vocab,
            d_model,
            options.get("SummaryMixing"),
            nhead=decoder_nhead or nhead,
            d_ffn=d_ffn,
            dropout=dropout,
            activation=activation,
            normalize_before=normalize_before,
        )
        self._init_params()

    def _build_decoder(
        self, attention_type, num_layers, tgt_vocab, d_model, mixer_options, **layer_options
    ):
        """Make the decoder's modules, under SpeechBrain's names."""
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

    def _init_params(self):
        """Draw Xavier normal weights, as SpeechBrain does; then let mixers draw theirs anew."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
        for module in self.modules():
            if isinstance(module, Mixer):
                module.reset_mixer_parameters()

    def forward(self, src, tgt, wav_len=None, pad_idx=0, dynchunktrain_config=None):
        """Encode speech and, teacher-forced, decode text.

        Parameters
        ----------
        src : torch.Tensor
            (B, T, input_size), or (B, T, F, channels) as a front end gives it.
        tgt : torch.Tensor or None
            (B, U) tokens; None to encode only.
        wav_len : torch.Tensor, optional
            (B,) lengths relative to T.
        pad_idx : int
            The token that pads ``tgt``.
        dynchunktrain_config : DynChunkTrainConfig, optional
            Limits what the encoder's frames see.

        Returns
        -------
        tuple
            The encoder's output (B, T, D); with ``output_hidden_states`` the list of its hidden
            states; and the decoder's output (B, U, D). Without ``tgt``, SpeechBrain's order: the
            output, a list of attention maps (empty: none are made), the hidden states if asked for.

        Raises
        ------
        ValueError
            If ``tgt`` is given and the model has no decoder.
        """
        encoded = self.encode(src, wav_len, pad_idx, dynchunktrain_config)
        encoder_out, *hidden_states = encoded if self.output_hidden_states else (encoded,)
        if tgt is None:
            return encoder_out, [], *hidden_states
        decoder_out, _ = self._decode(
            tgt,
            encoder_out,
            _frames(wav_len, encoder_out),
            tgt_padding_mask=get_key_padding_mask(tgt, pad_idx),
        )
        return encoder_out, *hidden_states, decoder_out

    def encode(self, src, wav_len=None, pad_idx=0, dynchunktrain_config=None):
        """Encode speech.

        Parameters
        ----------
        src, wav_len, dynchunktrain_config
            See :meth:`forward`.
        pad_idx : int
            Not used; SpeechBrain's signature.

        Returns
        -------
        torch.Tensor or tuple
            (B, T, D); with ``output_hidden_states`` also the list of the hidden states.
        """
        if src.dim() == 4:
            src = src.flatten(2)
        mask = padding_mask(_frames(wav_len, src), src.size(1))  # (B, T)
        src = self.custom_src_module(src)
        positions = None
        if "relative" in self._encoder_positions:
            positions = self.positional_encoding(src)
        if "absolute" in self._encoder_positions:
            src = src + self._sinusoids(src)
        return self.encoder(src, mask, dynchunktrain_config, positions)

    def make_streaming_context(self, dynchunktrain_config, encoder_kwargs=None):
        """Start streams, which :meth:`encode_streaming` encodes one chunk at a time.

        With it, SpeechBrain's streaming wrappers (``EncoderWrapper``, ``StreamingASR``) work.

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
            SpeechBrain's class. What it holds does not grow with time.

        Raises
        ------
        ValueError
            If the mixer cannot be streamed (the message names those that can), or a causal
            encoder is given other chunks.
        """
        state = self.encoder.make_state(dynchunktrain_config, **(encoder_kwargs or {}))
        return TransformerASRStreamingContext(dynchunktrain_config, encoder_context=state)

    @torch.no_grad()
    def encode_streaming(self, src, context, wav_len=None, active=None):
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
        active : torch.Tensor, optional
            (B,) bool, True where a stream has a chunk; the others wait and pass no layer. A row
            is given to another recording by ``encoder.restart(context.encoder_context, rows)``.

        Returns
        -------
        torch.Tensor
            (B, C, D); zeros where a stream waits.

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
        mask = padding_mask(_frames(wav_len, src), src.size(1))  # (B, C)
        src = self.custom_src_module(src.flatten(2))
        if "absolute" in self._encoder_positions:
            src = src + self._sinusoids(src, state.position)
        return self.encoder.step(src, state, mask, active)

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
        summarymixing_sb.models.one_token.DecoderState
            For :meth:`decode_step`. Of the text, a decoder with SummaryMixing keeps a sum; one with
            self-attention keeps the keys and values of all tokens so far.

        Raises
        ------
        ValueError
            If the model has no decoder.
        """
        self._require_decoder()
        mask = padding_mask(enc_len, encoder_out.size(1))
        if self.decoder_attention_type == "SummaryMixing":
            return self.decoder.make_state(encoder_out, mask, beams)
        tokens = [AttendedTokens(layer.self_attn.att) for layer in self.decoder.layers]
        return DecoderState(self.decoder, tokens, encoder_out, mask)

    @torch.no_grad()
    def decode_step(self, tokens, state):
        """Decode one token more of every hypothesis.

        Parameters
        ----------
        tokens : torch.Tensor
            (B K,), the K hypotheses of an utterance beside each other.
        state : summarymixing_sb.models.one_token.DecoderState
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
        return state.step(x).squeeze(1)

    def _decode(self, tgt, encoder_out, enc_len=None, tgt_padding_mask=None):
        self._require_decoder()
        masks = {
            "tgt_key_padding_mask": tgt_padding_mask,
            "memory_key_padding_mask": padding_mask(enc_len, encoder_out.size(1)),
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


def _frames(wav_len, src):
    """Count valid frames from SpeechBrain's relative lengths; None without them."""
    return None if wav_len is None else from_relative(wav_len, src.size(1))  # (B,)
