"""Mixers and encoders that are measured, ours and SpeechBrain's, at one width.

Letters: B batch, T frames, D model width.
"""

from dataclasses import dataclass, field
from pathlib import Path

import torch
from speechbrain.lobes.models.transformer import Branchformer as speechbrain_branchformer
from speechbrain.lobes.models.transformer import Conformer as speechbrain_conformer
from speechbrain.lobes.models.transformer.Transformer import PositionalEncoding
from speechbrain.lobes.models.transformer.TransformerASR import make_transformer_src_mask
from speechbrain.nnet.attention import RelPosEncXL
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder
from summarymixing_sb.hyperparameters import load_hparams
from summarymixing_sb.mixers.positions import SinusoidalPositions
from summarymixing_sb.mixers.reference import reference_summary_mixing
from summarymixing_sb.registry import mixer_class

ROOT = Path(__file__).resolve().parents[2]
ENCODERS = {
    "conformer": (ConformerEncoder, speechbrain_conformer.ConformerEncoder),
    "branchformer": (BranchformerEncoder, speechbrain_branchformer.BranchformerEncoder),
}
BASELINE = "SummaryMixing"
FRAME_SECONDS = 0.04  # between frames, behind the convolutional front end
LEFT_CONTEXT = 4  # chunks
ATTENTION_HEADS = 8


@dataclass(frozen=True)
class Case:
    """What is measured of a model.

    Attributes
    ----------
    part : str
        "mixer", or "encoder" for all layers.
    mode : str
        "inference", or "training" for forward and backward.
    seconds : float
        Length of each utterance.
    batch_size : int
        Utterances.
    encoder : str
        "conformer" or "branchformer".
    chunk : int
        Frames of a chunk; 0 for none.
    layers, d_model : int
        The other widths follow d_model: feed-forward layers of 4 D, gating units of 6 D.
    device : str
    precision : str
        "fp32", "bf16" or "fp16", as SpeechBrain names them.
    compiled : bool
        Whether torch.compile is used.
    """

    part: str
    mode: str
    seconds: float
    batch_size: int = 1
    encoder: str = "conformer"
    chunk: int = 0
    layers: int = 12
    d_model: int = 512
    device: str = "cpu"
    precision: str = "fp32"
    compiled: bool = False

    @property
    def training(self):
        """Whether it is a training step."""
        return self.mode == "training"

    @property
    def frames(self):
        """Frames T of each utterance."""
        return max(1, round(self.seconds / FRAME_SECONDS))

    @property
    def chunks(self):
        """The chunks as SpeechBrain describes them, or None."""
        return DynChunkTrainConfig(self.chunk, LEFT_CONTEXT) if self.chunk else None


@dataclass(frozen=True)
class Model:
    """A model of the benchmark.

    Attributes
    ----------
    attention_type : str
        Its mixer.
    speechbrain : bool
        Whether the encoder is SpeechBrain's.
    nhead : int
    mixer_options : dict
    reference : str, optional
        Name of the model whose outputs it must have, with the same parameters.
    """

    attention_type: str
    speechbrain: bool = False
    nhead: int = ATTENTION_HEADS
    mixer_options: dict = field(default_factory=dict)
    reference: str | None = None


def _summary_mixing(nhead=1, **options):
    return Model("SummaryMixing", nhead=nhead, mixer_options=options, reference="equations")


MODELS = {
    BASELINE: _summary_mixing(),
    "SummaryMixing 8 heads": _summary_mixing(nhead=8),
    "SummaryMixing-lite": _summary_mixing(form="lite"),
    "SummaryMixing-fast": _summary_mixing(form="fast"),
    "SummaryMixing shared dropout": _summary_mixing(summary_dropout="shared"),
    "SummaryMixing decay": _summary_mixing(pooling="decay"),
    "SummaryMixing window": _summary_mixing(pooling="window"),
    "SummaryMixing reference": Model("SummaryMixing", nhead=1),
    "SummaryMixing gate": Model("SummaryMixing", nhead=1, mixer_options={"gate": "channel"}),
    "PoM": Model("PoM"),
    "mamba": Model("mamba"),
    "LocalAttention": Model("LocalAttention"),
    "fastformer": Model("fastformer"),
    "RoPESDPA": Model("RoPESDPA", reference="SpeechBrain RoPEMHA"),
    **{
        f"SpeechBrain {name}": Model(name, speechbrain=True)
        for name in ("RoPEMHA", "RelPosMHAXL", "regularMHA", "hypermixing")
    },
}


def build_model(name, case):
    """Build a model, with the same weights each time.

    Parameters
    ----------
    name : str
        Of :data:`MODELS`, or any ``attention_type`` for our encoder with that mixer.
    case : Case

    Returns
    -------
    Callee
        On the case's device, in evaluation mode.

    Raises
    ------
    ValueError
        If there is no mixer of that name, or SpeechBrain's encoder does not offer it.
    """
    model = MODELS.get(name) or Model(name)
    mixer = mixer_class(model.attention_type)
    if model.speechbrain and (case.encoder, name) == ("branchformer", "SpeechBrain RoPEMHA"):
        raise ValueError("SpeechBrain's Branchformer has no RoPEMHA")
    widths = {
        "conformer": {"d_ffn": 4 * case.d_model},
        "branchformer": {"csgu_linear_units": 6 * case.d_model},
    }
    ours = {} if model.speechbrain else {"mixer_options": model.mixer_options}
    torch.manual_seed(0)
    part = ENCODERS[case.encoder][model.speechbrain](
        num_layers=case.layers if case.part == "encoder" else 1,
        d_model=case.d_model,
        nhead=model.nhead,
        kernel_size=31,
        dropout=0.1,
        attention_type=model.attention_type,
        **widths[case.encoder],
        **ours,
    )
    if case.part == "mixer":
        part = part.layers[0].mha_layer
    if name == "SummaryMixing reference":
        part = with_reference_mixers(part)
    return Callee(part, model.speechbrain, mixer.position, case).to(case.device).eval()


def build_yaml(name, **overrides):
    """Build what a YAML file of LibriSpeech describes, its modules in evaluation mode.

    Parameters
    ----------
    name : str
        Of a file in ``hparams/LibriSpeech``.
    **overrides
        Keys of the file.

    Returns
    -------
    dict
        As :func:`summarymixing_sb.hyperparameters.load_hparams` gives it.
    """
    file = ROOT / "hparams" / "LibriSpeech" / f"{name}.yaml"
    hparams = load_hparams(file, {"data_folder": ".", **overrides})
    for module in hparams["modules"].values():
        module.eval()
    return hparams


class ReferenceMixer(nn.Module):
    """The slow reference of SummaryMixing with a mixer's parameters; it has no dropout."""

    def __init__(self, mixer):
        super().__init__()
        self.mixer = mixer

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`summarymixing_sb.mixers.Mixer.forward`."""
        return reference_summary_mixing(self.mixer, x, padding_mask, chunks)


def with_reference_mixers(part):
    """Replace every mixer of an encoder, or a mixer, by its reference."""
    for layer in getattr(part, "layers", ()):
        layer.mha_layer = ReferenceMixer(layer.mha_layer)
    return part if hasattr(part, "layers") else ReferenceMixer(part)


class Callee(nn.Module):
    """A mixer or an encoder, called with (B, T, D) frames and a (B, T) padding mask.

    SpeechBrain's encoders are called as its TransformerASR calls them: with a mask of chunks made
    once, which they hand to every layer.

    Parameters
    ----------
    part : torch.nn.Module
    speechbrain : bool
        Whether it is SpeechBrain's.
    position : str
        Kind of positions that the mixer needs, see :class:`summarymixing_sb.Mixer`.
    case : Case
    """

    def __init__(self, part, speechbrain, position, case):
        super().__init__()
        self.part, self.speechbrain, self.position, self.case = part, speechbrain, position, case
        sinusoids = PositionalEncoding if speechbrain else SinusoidalPositions
        self.positions = (RelPosEncXL if position == "relative" else sinusoids)(case.d_model)
        self._made = None

    def forward(self, x, padding_mask):
        """Map (B, T, D) to (B, T, D)."""
        case, alone = self.case, self.case.part == "mixer"
        if self.position == "absolute" and not alone:
            x = x + self.positions(x)
        relative = self._relative_positions(x) if self.position == "relative" else None
        if not self.speechbrain:
            return self.part(x, padding_mask, case.chunks, relative)
        mask = make_transformer_src_mask(x, dynchunktrain_config=case.chunks)
        if alone:
            masks = {"attn_mask": mask, "key_padding_mask": padding_mask}
            return self.part(x, x, x, pos_embs=relative, **masks)[0]
        return self.part(
            x,
            src_mask=mask,
            src_key_padding_mask=padding_mask,
            pos_embs=relative,
            dynchunktrain_config=case.chunks,
        )[0]

    def _relative_positions(self, x):
        """Make them; those of a mixer alone once, since all layers of an encoder share them."""
        made = self._made
        if self.case.part == "encoder" or made is None or made.size(1) != 2 * x.size(1) - 1:
            self._made = self.positions(x)
        return self._made


def make_inputs(case, valid=None):
    """Make random frames (B, T, D) and a padding mask (B, T).

    Parameters
    ----------
    case : Case
    valid : list of float, optional
        Share of each utterance that is valid; all of it by default.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(case.batch_size, case.frames, case.d_model, generator=generator)
    ends = torch.tensor(valid or [1.0] * case.batch_size) * case.frames
    mask = torch.arange(case.frames) >= ends.round().unsqueeze(1)
    return x.to(case.device), mask.to(case.device)
