"""What is measured: sizes, levels, lengths, and the sweep that runs by default.

Letters: B batch, T frames.
"""

from dataclasses import dataclass, field

from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

LEVELS = ("mixer", "encoder", "model", "mixer_step", "step")
ENCODERS = ("conformer", "branchformer")
MODES = ("eager", "compiled")
BATCHES = ("one", "constant")
SECONDS = (2, 5, 10, 20, 40, 80, 100, 600, 3600)

FRAME_SECONDS = 0.04  # between frames, after the convolutional front end
SAMPLE_RATE = 16000  # Hz
BATCH_SECONDS = 80  # of a batch of constant seconds
LEFT_CONTEXT = 4  # chunks


@dataclass(frozen=True)
class Sizes:
    """Widths of the models, as published for LibriSpeech; 12 layers for both encoders.

    Attributes
    ----------
    layers, d_model, d_ffn, nhead, kernel_size, csgu_linear_units, dropout
        See :class:`summarymixing_sb.TransformerASR`. ``nhead`` is that of attention.
    vocabulary : int
        Outputs of the CTC layer.
    """

    layers: int = 12
    d_model: int = 512
    d_ffn: int = 2048
    nhead: int = 8
    kernel_size: int = 31
    csgu_linear_units: int = 3072
    dropout: float = 0.1
    vocabulary: int = 1000


@dataclass(frozen=True)
class Kind:
    """What a contestant is built for; all lengths of one kind are measured with the same model.

    Attributes
    ----------
    level : str
        "mixer": one mixer alone. "encoder": all layers. "model": from the waveform to
        log-probabilities of CTC. "mixer_step", "step": forward and backward of mixer and encoder
        in training mode.
    encoder : str
        "conformer" or "branchformer".
    mode : str
        "eager" or "compiled".
    chunk : int
        Frames of a chunk; 0 for none.
    sizes : Sizes
    device : str
    """

    level: str
    encoder: str = "conformer"
    mode: str = "eager"
    chunk: int = 0
    sizes: Sizes = field(default_factory=Sizes)
    device: str = "cpu"

    @property
    def training(self):
        """Whether it is a training step."""
        return self.level.endswith("step")

    @property
    def layers(self):
        """How many mixers run one after the other."""
        return 1 if self.level.startswith("mixer") else self.sizes.layers

    @property
    def chunks(self):
        """The chunks as SpeechBrain describes them, or None."""
        return DynChunkTrainConfig(self.chunk, LEFT_CONTEXT) if self.chunk else None


@dataclass(frozen=True)
class Group:
    """Contestants that are measured in turn, on inputs of one shape.

    Attributes
    ----------
    kind : Kind
    seconds : float
        Length of each utterance.
    who : tuple of str
        Names of contestants.
    batch : str
        "one" utterance, or as many as fill 80 seconds ("constant").
    """

    kind: Kind
    seconds: float
    who: tuple
    batch: str = "one"

    @property
    def batch_size(self):
        """Utterances B.

        Examples
        --------
        >>> Group(Kind("mixer"), 20, (), "constant").batch_size
        4
        """
        return 1 if self.batch == "one" else max(1, int(BATCH_SECONDS / self.seconds))

    @property
    def frames(self):
        """Frames T of each utterance.

        Examples
        --------
        >>> Group(Kind("mixer"), 10, ()).frames
        250
        """
        return max(1, round(self.seconds / FRAME_SECONDS))


#: What the others are compared with; and the same with as many heads as the published Conformer.
BASELINE = "SummaryMixing full"
EIGHT_HEADS = "SummaryMixing full 8 heads"
_OURS = (BASELINE, "SummaryMixing lite", "SummaryMixing fast")
_ATTENTION = ("RoPESDPA", "stock RoPEMHA", "stock RelPosMHAXL")
_MAIN = (BASELINE, EIGHT_HEADS, "SummaryMixing lite", *_ATTENTION)
_CHUNKED = (BASELINE, "plain", "RoPESDPA")
_STEP = (BASELINE, EIGHT_HEADS, "SummaryMixing full shared", *_OURS[1:], "plain", *_ATTENTION)
# The other preset has no dropout inside the mixer.
_WITHOUT_DROPOUT = ("SummaryMixing full interspeech2024", "plain interspeech2024")
_POOLED = ("SummaryMixing full decay", "SummaryMixing full window")
_MEANS = (BASELINE, *_POOLED, "plain decay", "plain window")
_STOCK = ("stock regularMHA", "stock hypermixing")
_ALL = (*_OURS, EIGHT_HEADS, *_POOLED, "plain", "fastformer", *_ATTENTION, "RoPEMHA", *_STOCK)
_MEMORY = (*_OURS, "plain", *_ATTENTION)

# (level, encoder, mode, chunk, batch, seconds, who), the most important rows first.
_TIME_SWEEP = (
    ("mixer", "conformer", "eager", 0, "one", (10, 40, 100), _ALL),
    (
        "mixer_step",
        "conformer",
        "eager",
        0,
        "one",
        (10, 40, 100),
        (*_STEP, *_WITHOUT_DROPOUT, "fastformer"),
    ),
    ("encoder", "conformer", "eager", 0, "one", (10, 40, 100), _ALL),
    ("mixer_step", "conformer", "eager", 16, "one", (100, 200, 400), _CHUNKED),
    ("step", "conformer", "eager", 16, "one", (100, 200, 400), (BASELINE,)),
    ("mixer", "conformer", "eager", 0, "one", (200, 400, 800), _MEANS),
    ("model", "conformer", "eager", 0, "one", (600, 3600), (BASELINE,)),
    ("model", "conformer", "eager", 0, "one", (10, 40, 100), _MAIN),
    ("step", "conformer", "eager", 0, "one", (10, 40), _STEP),
    ("step", "conformer", "eager", 0, "one", (5, 20, 80), _MAIN),
    ("encoder", "conformer", "eager", 0, "one", (2, 5, 20), _ALL),
    ("encoder", "conformer", "eager", 0, "one", (80,), (*_MAIN, "RoPEMHA")),
    ("encoder", "conformer", "eager", 0, "constant", (10,), _MAIN),
    ("step", "conformer", "eager", 0, "constant", (10,), _MAIN),
    ("encoder", "branchformer", "eager", 0, "one", (10, 40, 100), _MAIN),
    ("mixer", "conformer", "eager", 0, "one", (2, 5, 20, 80), _ALL),
    ("mixer", "conformer", "compiled", 0, "one", (10, 40), _CHUNKED),
    ("encoder", "conformer", "compiled", 0, "one", (10, 40), (BASELINE, "RoPESDPA")),
    ("encoder", "conformer", "eager", 0, "one", (600,), (BASELINE, "RoPESDPA")),
    ("step", "conformer", "eager", 16, "one", (50,), _CHUNKED),
)
_MEMORY_SWEEP = (
    ("step", "conformer", "eager", 0, "one", (10, 40, 80), _MEMORY),
    ("mixer_step", "conformer", "eager", 16, "one", (100, 200, 400), _CHUNKED),
    ("model", "conformer", "eager", 0, "one", (3600,), (BASELINE,)),
    ("encoder", "conformer", "eager", 0, "one", (10, 40, 100), _MEMORY),
    ("step", "conformer", "eager", 16, "one", (100, 200, 400), (BASELINE,)),
    ("step", "conformer", "eager", 0, "one", (20,), _MEMORY),
    ("encoder", "conformer", "eager", 0, "one", (20, 80), _MEMORY),
    ("encoder", "conformer", "eager", 0, "one", (600,), (BASELINE, "RoPESDPA")),
)


def default_sweep(memory, sizes, device):
    """List the groups that are measured when nothing else is asked for.

    Parameters
    ----------
    memory : bool
        Whether peak memory is measured, instead of time.
    sizes : Sizes
    device : str

    Returns
    -------
    list of Group
        The most important first.
    """
    return [
        Group(Kind(level, encoder, mode, chunk, sizes, device), seconds, who, batch)
        for level, encoder, mode, chunk, batch, lengths, who in (
            _MEMORY_SWEEP if memory else _TIME_SWEEP
        )
        for seconds in lengths
    ]
