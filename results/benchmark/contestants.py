"""Who is measured, and what each must agree with."""

from dataclasses import dataclass

import torch

from results.benchmark.levels import FrameLevel, WholeModel, build_encoder
from results.benchmark.plain import write_plainly
from results.benchmark.points import BASELINE, EIGHT_HEADS
from summarymixing_sb.registry import build_mixer

FLOOR = "matrix products of "


@dataclass(frozen=True)
class Contestant:
    """One row of a table.

    Attributes
    ----------
    attention_type : str
        Name of its mixer.
    reference : str
        Name of the contestant whose outputs it must have; it takes this one's parameters.
    form : str, optional
        Of SummaryMixing.
    stock : bool
        Whether SpeechBrain made encoder and mixer, or we.
    plain : bool
        Whether its mixer is written as the paper's equations read.
    shared : bool
        Whether SummaryMixing's dropout falls on each mean once instead of once a frame.
    preset : str
        Of SummaryMixing; "interspeech2024" has no dropout.
    pooling : str
        Of SummaryMixing; its plain form of all but "utterance" has (T, T) weights.
    heads : int
        Of SummaryMixing: 1 in the published Branchformer, 8 in the Conformer.
    squares : float
        How many floats a head holds for each pair of frames at once, in inference.
    kept : float
        How many of these last until the last layer, in inference.
    trained_squares : float
        How many it keeps in each layer, in training. If there are none, time is linear, too.
    has_floor : bool
        Whether all of its matrix products can be recorded (fused attention of other kinds hides
        them) and are worth it.
    """

    attention_type: str
    reference: str
    form: str | None = None
    stock: bool = False
    plain: bool = False
    shared: bool = False
    preset: str = "speechbrain1.0"
    pooling: str = "utterance"
    heads: int = 1
    squares: float = 0
    kept: float = 0
    trained_squares: float = 0
    has_floor: bool = False

    def mixer_options(self):
        """The mixer's own options."""
        if self.form is None:
            return {}
        return {
            "form": self.form,
            "preset": self.preset,
            "pooling": self.pooling,
            "summary_dropout": "shared" if self.shared else "per_frame",
        }


def _summary_mixing(form, **options):
    return Contestant("SummaryMixing", f"plain {form}", form, **options)


def _other_means(pooling):
    """A pooling that gives every frame a mean of its own, and its plain form."""
    ours, plain = f"SummaryMixing full {pooling}", f"plain {pooling}"
    options = {"form": "full", "pooling": pooling}
    return {
        ours: Contestant("SummaryMixing", plain, **options),
        plain: Contestant("SummaryMixing", ours, plain=True, **options),
    }


_WITHOUT_DROPOUT = {"form": "full", "preset": "interspeech2024"}

CONTESTANTS = {
    BASELINE: Contestant("SummaryMixing", "plain", "full", has_floor=True),
    "SummaryMixing full shared": Contestant("SummaryMixing", "plain", "full", shared=True),
    EIGHT_HEADS: Contestant("SummaryMixing", "plain 8 heads", "full", heads=8, has_floor=True),
    "SummaryMixing lite": _summary_mixing("lite", has_floor=True),
    "SummaryMixing fast": _summary_mixing("fast", has_floor=True),
    "plain": Contestant("SummaryMixing", BASELINE, "full", plain=True),
    "plain 8 heads": Contestant("SummaryMixing", EIGHT_HEADS, "full", plain=True, heads=8),
    "plain lite": Contestant("SummaryMixing", "SummaryMixing lite", "lite", plain=True),
    "plain fast": Contestant("SummaryMixing", "SummaryMixing fast", "fast", plain=True),
    "SummaryMixing full interspeech2024": Contestant(
        "SummaryMixing", "plain interspeech2024", **_WITHOUT_DROPOUT
    ),
    "plain interspeech2024": Contestant(
        "SummaryMixing", "SummaryMixing full interspeech2024", plain=True, **_WITHOUT_DROPOUT
    ),
    **_other_means("decay"),
    **_other_means("window"),
    "fastformer": Contestant("fastformer", "plain fastformer"),
    "plain fastformer": Contestant("fastformer", "fastformer", plain=True),
    # Without dropout, fused attention never holds its weights.
    "RoPESDPA": Contestant("RoPESDPA", "stock RoPEMHA", trained_squares=4, has_floor=True),
    "RoPEMHA": Contestant("RoPEMHA", "stock RoPEMHA", squares=1.5, trained_squares=5),
    "RelPosMHAXL": Contestant("RelPosMHAXL", "stock RelPosMHAXL", squares=7, trained_squares=7),
    "regularMHA": Contestant("regularMHA", "stock regularMHA", squares=3, trained_squares=4),
    "hypermixing": Contestant("hypermixing", "stock hypermixing"),
    "stock RoPEMHA": Contestant("RoPEMHA", "RoPEMHA", stock=True, squares=1.5, trained_squares=5),
    "stock RelPosMHAXL": Contestant(
        "RelPosMHAXL", "RelPosMHAXL", stock=True, squares=7, kept=1, trained_squares=7
    ),
    "stock regularMHA": Contestant(
        "regularMHA", "regularMHA", stock=True, squares=3, kept=0.125, trained_squares=4
    ),
    "stock hypermixing": Contestant(
        "hypermixing", "hypermixing", stock=True, squares=0.125, kept=0.125, trained_squares=0.125
    ),
}


def reference_of(name, kind):
    """Name the contestant that one must agree with.

    Parameters
    ----------
    name : str
    kind : Kind

    Returns
    -------
    str

    Examples
    --------
    >>> from results.benchmark.points import Kind
    >>> reference_of("RoPESDPA", Kind("encoder", "conformer"))
    'stock RoPEMHA'
    >>> reference_of("RoPESDPA", Kind("encoder", "branchformer"))
    'RoPEMHA'
    """
    if kind.encoder == "branchformer" and CONTESTANTS[name].attention_type.startswith("RoPE"):
        # SpeechBrain's Branchformer has no rotary positions.
        return "RoPESDPA" if name == "RoPEMHA" else "RoPEMHA"
    return CONTESTANTS[name].reference


def build_contestant(name, kind):
    """Build a contestant; from the same seed, one and its reference may differ in weights.

    Parameters
    ----------
    name : str
    kind : Kind

    Returns
    -------
    torch.nn.Module
        On the kind's device, in evaluation mode; called with what
        :func:`results.benchmark.levels.make_inputs` makes.

    Raises
    ------
    ValueError
        If there is none of that name, or SpeechBrain's encoder does not offer its mixer.
    """
    if name not in CONTESTANTS:
        raise ValueError(f"unknown contestant {name!r}; there are {', '.join(CONTESTANTS)}")
    contestant = CONTESTANTS[name]
    if kind.encoder == "branchformer" and name == "stock RoPEMHA":
        raise ValueError("SpeechBrain's Branchformer has no RoPEMHA")
    torch.manual_seed(0)
    model = _build(contestant, kind)
    if contestant.plain:
        model.part = write_plainly(model.part)
    return model.to(kind.device).eval()


def _build(contestant, kind):
    attention_type, stock = contestant.attention_type, contestant.stock
    nhead = contestant.heads if contestant.form else kind.sizes.nhead
    options = {"nhead": nhead}
    if not stock:
        options["mixer_options"] = contestant.mixer_options()
    if kind.level == "model":
        return WholeModel(kind, attention_type, stock, **options)
    if kind.level.startswith("mixer") and not stock:
        sizes = kind.sizes
        part = build_mixer(
            attention_type,
            sizes.d_model,
            nhead,
            sizes.dropout,
            sizes.d_ffn if kind.encoder == "conformer" else None,
            **contestant.mixer_options(),
        )
    else:
        part = build_encoder(kind, attention_type, stock, **options)
        if kind.level.startswith("mixer"):
            part = part.layers[0].mha_layer
    return FrameLevel(part, stock, attention_type, kind)


def copy_parameters(source, target):
    """Give one model the parameters of another; a difference of names or shapes is an error.

    Buffers, such as SpeechBrain's tables of positions, are left alone.
    """
    parameters = dict(target.named_parameters())
    given = dict(source.named_parameters())
    if parameters.keys() != given.keys():
        raise ValueError(
            f"parameters of one alone: {', '.join(sorted(parameters.keys() ^ given.keys())[:5])}"
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(given[name])
