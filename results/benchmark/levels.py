"""The parts that are measured, each with one call, whoever made the mixer in it.

Letters: B batch, T frames, S samples, D model width, V vocabulary.
"""

import torch
from speechbrain.lobes.features import Fbank
from speechbrain.lobes.models import convolution as speechbrain_convolution
from speechbrain.lobes.models.transformer import Branchformer as speechbrain_branchformer
from speechbrain.lobes.models.transformer import Conformer as speechbrain_conformer
from speechbrain.lobes.models.transformer.Transformer import PositionalEncoding
from speechbrain.lobes.models.transformer.TransformerASR import TransformerASR as StockASR
from speechbrain.lobes.models.transformer.TransformerASR import make_transformer_src_mask
from speechbrain.nnet.attention import RelPosEncXL
from speechbrain.nnet.linear import Linear
from speechbrain.processing.features import InputNormalization
from torch import nn

from results.benchmark.points import SAMPLE_RATE
from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder
from summarymixing_sb.lengths import feature_frames, from_relative
from summarymixing_sb.mixers.positions import SinusoidalPositions
from summarymixing_sb.models.front_end import ConvolutionFrontEnd
from summarymixing_sb.models.transformer_asr import TransformerASR
from summarymixing_sb.registry import mixer_class

OUR_ENCODERS = {"conformer": ConformerEncoder, "branchformer": BranchformerEncoder}
STOCK_ENCODERS = {
    "conformer": speechbrain_conformer.ConformerEncoder,
    "branchformer": speechbrain_branchformer.BranchformerEncoder,
}
N_MELS, CNN_WIDTH, HOP = 80, 640, 160  # bands, features a frame, samples


def build_encoder(kind, attention_type, stock, **options):
    """Build an encoder without front end.

    Parameters
    ----------
    kind : Kind
    attention_type : str
    stock : bool
        Whether it is SpeechBrain's.
    **options
        ``nhead``, and ``mixer_options`` of ours.

    Returns
    -------
    torch.nn.Module
    """
    sizes = kind.sizes
    by_encoder = {
        "conformer": {"d_ffn": sizes.d_ffn},
        "branchformer": {"csgu_linear_units": sizes.csgu_linear_units},
    }
    classes = STOCK_ENCODERS if stock else OUR_ENCODERS
    return classes[kind.encoder](
        num_layers=kind.layers,
        d_model=sizes.d_model,
        kernel_size=sizes.kernel_size,
        dropout=sizes.dropout,
        attention_type=attention_type,
        **by_encoder[kind.encoder],
        **options,
    )


class FrameLevel(nn.Module):
    """A mixer or an encoder, called with (B, T, D) frames and a (B, T) padding mask.

    SpeechBrain's are called as its TransformerASR calls them: with a mask of chunks made once,
    which its encoders hand to every layer.

    Parameters
    ----------
    part : torch.nn.Module
    stock : bool
        Whether it is SpeechBrain's.
    attention_type : str
        Name of the mixer: what positions it gets.
    kind : Kind
    """

    def __init__(self, part, stock, attention_type, kind):
        super().__init__()
        self.part, self.stock, self.chunks = part, stock, kind.chunks
        self.alone = kind.level.startswith("mixer")
        self.position = mixer_class(attention_type).position
        if self.position == "relative":
            self.positions = RelPosEncXL(kind.sizes.d_model)
        elif stock:
            self.positions = PositionalEncoding(kind.sizes.d_model)  # of 2500 frames at most
        else:
            self.positions = SinusoidalPositions(kind.sizes.d_model)
        self._made = None

    def forward(self, x, padding_mask):
        """Map (B, T, D) to (B, T, D)."""
        positions = self._relative(x) if self.position == "relative" else None
        if self.position == "absolute" and not self.alone:
            x = x + self.positions(x)
        if not self.stock:
            return self.part(x, padding_mask, self.chunks, positions)
        mask = make_transformer_src_mask(x, dynchunktrain_config=self.chunks)
        if self.alone:
            out = self.part(
                x, x, x, attn_mask=mask, key_padding_mask=padding_mask, pos_embs=positions
            )
        else:
            out = self.part(
                x,
                src_mask=mask,
                src_key_padding_mask=padding_mask,
                pos_embs=positions,
                dynchunktrain_config=self.chunks,
            )
        return out[0]

    def _relative(self, x):
        """Make the positions; those of a mixer alone once, since a model shares them."""
        if not self.alone:
            return self.positions(x)
        if self._made is None or self._made.size(1) != 2 * x.size(1) - 1:
            self._made = self.positions(x)
        return self._made


class WholeModel(nn.Module):
    """From (B, S) samples and (B,) relative lengths to (B, T, V) log-probabilities of CTC.

    Parameters
    ----------
    kind : Kind
    attention_type : str
    stock : bool
        Whether encoder and front end are SpeechBrain's.
    **options
        See :func:`build_encoder`.
    """

    def __init__(self, kind, attention_type, stock, **options):
        super().__init__()
        sizes, self.stock, self.chunks = kind.sizes, stock, kind.chunks
        self.features = Fbank(sample_rate=SAMPLE_RATE, n_fft=512, win_length=32, n_mels=N_MELS)
        self.normalize = InputNormalization(norm_type="sentence")
        front_end = speechbrain_convolution.ConvolutionFrontEnd if stock else ConvolutionFrontEnd
        cnn = front_end(
            input_shape=(8, 10, N_MELS),
            num_blocks=2,
            num_layers_per_block=1,
            out_channels=(64, 32),
            kernel_sizes=(3, 3),
            strides=(2, 2),
            residuals=(False, False),
        )
        transformer = (StockASR if stock else TransformerASR)(
            tgt_vocab=sizes.vocabulary,
            input_size=CNN_WIDTH,
            d_model=sizes.d_model,
            num_encoder_layers=sizes.layers,
            num_decoder_layers=0,
            d_ffn=sizes.d_ffn,
            dropout=sizes.dropout,
            activation=nn.GELU,
            encoder_module=kind.encoder,
            attention_type=attention_type,
            kernel_size=sizes.kernel_size,
            csgu_linear_units=sizes.csgu_linear_units,
            normalize_before=True,
            causal=False,
            **options,
        )
        ctc = Linear(input_size=sizes.d_model, n_neurons=sizes.vocabulary)
        self.part = nn.ModuleDict({"cnn": cnn, "transformer": transformer, "ctc": ctc})

    def forward(self, samples, lengths):
        """Recognise speech."""
        features = self.features(samples)
        if self.stock:
            features = self.normalize(features, lengths)
            encoded = self.part["cnn"](features)
        else:
            frames = feature_frames(from_relative(lengths, samples.size(1)), HOP)
            features = self.normalize(features, frames / features.size(1))
            encoded = self.part["cnn"](features, frames)
            lengths = self.part["cnn"].subsampled(frames) / encoded.size(1)
        encoded = self.part["transformer"].encode(
            encoded, lengths, dynchunktrain_config=self.chunks
        )
        return self.part["ctc"](encoded).log_softmax(-1)


def make_inputs(kind, batch_size, frames, samples, valid=None):
    """Make random inputs of a level.

    Parameters
    ----------
    kind : Kind
    batch_size, frames, samples : int
        B; T for mixers and encoders; S for models.
    valid : list of float, optional
        Share of each utterance that is valid; all of it by default.

    Returns
    -------
    tuple of torch.Tensor
        (B, T, D) and a padding mask (B, T); or (B, S) and relative lengths (B,).
    """
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor(valid if valid is not None else [1.0] * batch_size)
    if kind.level == "model":
        x = 0.1 * torch.randn(batch_size, samples, generator=generator)
        return x.to(kind.device), lengths.to(kind.device)
    x = torch.randn(batch_size, frames, kind.sizes.d_model, generator=generator)
    mask = torch.arange(frames) >= torch.round(lengths * frames).unsqueeze(1)  # (B, T)
    return x.to(kind.device), mask.to(kind.device)
