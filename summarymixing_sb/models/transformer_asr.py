"""TransformerASR, the class that YAML files name."""

import torch
from speechbrain.lobes.models.transformer.Transformer import get_key_padding_mask
from speechbrain.nnet.activations import Swish
from speechbrain.nnet.attention import RelPosEncXL
from speechbrain.nnet.containers import ModuleList
from speechbrain.nnet.linear import Linear
from torch import nn

from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder, TransformerEncoder
from summarymixing_sb.mixers import Mixer
from summarymixing_sb.mixers.positions import SinusoidalPositions
from summarymixing_sb.models.decoder import TextDecoding, padding_mask
from summarymixing_sb.models.streaming import StreamEncoding
from summarymixing_sb.registry import list_mixers, mixer_class

ENCODERS = ("branchformer", "conformer", "transformer")


class TransformerASR(StreamEncoding, TextDecoding):
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
        Heads of the mixer and of the decoder's attention.
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
    attention_type : str
        Name of the mixer, see :func:`summarymixing_sb.list_mixers`.
    max_length : int
        Not used: there is no longest utterance.
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
        far, with ``nhead`` heads and SummaryMixing's ``mixer_options``.

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
        if num_encoder_layers == 0 and (attention_type != "none" or causal):
            raise ValueError(
                "Without encoder layers (num_encoder_layers=0) the front end is the whole encoder: "
                f"attention_type must be 'none' and causal False, not {attention_type!r} and "
                f"{causal}."
            )
        position = mixer_class(attention_type).position if num_encoder_layers else "none"
        options = _by_mixer(attention_type, mixer_options)

        shared = {
            "num_layers": num_encoder_layers,
            "d_model": d_model,
            "nhead": nhead,
            "dropout": dropout,
            "causal": bool(causal),
            "attention_type": attention_type,
            "mixer_options": options.get(attention_type),
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
                **shared,
            )
        elif encoder_module == "conformer":
            self.encoder = ConformerEncoder(
                d_ffn=d_ffn,
                kernel_size=kernel_size,
                activation=conformer_activation,
                bias=bias,
                **shared,
            )
        else:
            self.encoder = TransformerEncoder(
                d_ffn=d_ffn, activation=activation, normalize_before=normalize_before, **shared
            )

        self.output_hidden_states = output_hidden_states
        self.attention_type = attention_type
        absolute = positional_encoding == "fixed_abs_sine"
        sinusoids = SinusoidalPositions(d_model)
        self.positional_encoding = RelPosEncXL(d_model) if position == "relative" else sinusoids
        self.positional_encoding_decoder = sinusoids
        self._encoder_position = position if absolute or position == "relative" else "none"
        # With relative or rotary positions in the encoder, SpeechBrain's decoder has sinusoids
        # even when positional_encoding is None.
        self._decoder_has_positions = absolute or position != "absolute"

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
            nhead=nhead,
            d_ffn=d_ffn,
            dropout=dropout,
            activation=activation,
            normalize_before=normalize_before,
        )
        self._init_params()

    def _init_params(self):
        """Xavier normal everywhere, as in SpeechBrain; mixers then mend what that gets wrong."""
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
            _absolute(wav_len, encoder_out),
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
        mask = padding_mask(_absolute(wav_len, src), src)  # (B, T)
        src = self.custom_src_module(src)
        positions = None
        if self._encoder_position == "absolute":
            src = src + self.positional_encoding(src)
        elif self._encoder_position == "relative":
            positions = self.positional_encoding(src)
        return self.encoder(src, mask, dynchunktrain_config, positions)


def _by_mixer(attention_type, mixer_options):
    """Put options under names of mixers, where they are not; alone they are attention_type's."""
    options = mixer_options or {}
    return options if set(options) <= set(list_mixers()) else {attention_type: options}


def _absolute(wav_len, src):
    return None if wav_len is None else torch.round(wav_len * src.size(1))  # (B,)
