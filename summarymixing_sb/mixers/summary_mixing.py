"""SummaryMixing: every frame is combined with the mean of all frames, in linear time.

Letters: B batch, T frames, N chunks, C frames of a chunk, D model width, d summary width.
"""

import torch
import torch.nn.functional as F
from speechbrain.utils.logger import get_logger
from torch import nn

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.mixers.convert import convert_original_state_dict, join_heads, without_decay
from summarymixing_sb.mixers.gate import GATES, SummaryGate
from summarymixing_sb.mixers.heads import INITIALISATIONS, head_mlp, reset_linear
from summarymixing_sb.pooling import DecayPooling, UtterancePooling, WindowPooling
from summarymixing_sb.registry import register_mixer

logger = get_logger(__name__)

FORMS = ("full", "lite", "fast")

#: The three official variants of the form "full". Results depend on it, so every result names it.
PRESETS = {
    # Behind the table of Interspeech 2024: LayerNorm on f(x) and on the mean, no dropout.
    "interspeech2024": {"layer_norm": True, "dropout": False},
    # The later one for SpeechBrain 1.0: no LayerNorm, dropout on the input of the combiner.
    "speechbrain1.0": {"layer_norm": False, "dropout": True},
    # Both, as the code behind the Conformer's rows for SpeechBrain 1.0 does.
    "speechbrain1.0_layernorm": {"layer_norm": True, "dropout": True},
}

ACTIVATIONS = {"gelu": nn.GELU, "swish": nn.SiLU}

SUMMARY_DROPOUTS = ("per_frame", "shared")

#: Frames over which s(x) is averaged. Chunks limit them to those that a frame's chunk sees.
POOLINGS = {
    "utterance": lambda **_: UtterancePooling(),
    "decay": lambda decay, learn_decay, **_: DecayPooling(decay, learn_decay),
    "window": lambda window, **_: WindowPooling(window),
}


@register_mixer("SummaryMixing")
class SummaryMixing(Mixer):
    """SummaryMixing (arXiv 2307.07421, section 2.1; ``fast`` is that of arXiv 2409.07165).

    ``full``: h_t = c([f(x_t) ; mean of s(x)]). ``lite``: h_t = mean of s(x). ``fast``: as full,
    with f and s the two halves of one dense layer. The mean is over the utterance or, given
    chunks, over the frames that a frame's chunk sees. The concatenation is never made: the weight
    of the combiner is split, c([f ; s]) = act(W_f f + W_s s + b), and W_s s is computed once per
    mean. With ``pooling="window"``, c has a third input, the mean over the window.

    Parameters
    ----------
    d_model : int
        Width D of the input and of the output.
    nhead : int
        Heads of f and s (block-diagonal weights); c and the one layer of ``fast`` are never split.
    dropout : float
        Dropout probability on both inputs of the combiner, where the preset has dropout.
    d_ffn : int, optional
        Not used.
    preset : str
        "interspeech2024", "speechbrain1.0" or "speechbrain1.0_layernorm", see :data:`PRESETS`. The
        forms lite and fast have no LayerNorm in any of them.
    form : str
        "full", "lite" or "fast".
    local_hidden, summary_hidden : list of int, optional
        Hidden widths of f and of s; ``[d_model]`` by default. Lite has no f, fast no hidden layer.
    local_out, summary_out : int, optional
        Output widths of f and of s; ``d_model`` by default.
    summary_dropout : str
        Dropout of the summary in training: "per_frame" draws a mask for each frame, as the 1.0
        preset was trained, and repeats the summary over time; "shared" draws one mask for each
        mean, which is faster.
    pooling : str
        How s(x) is averaged: "utterance", all frames with the same weight; "decay", all frames
        with weight gamma^k at a distance of k, so that every frame has its own mean; "window", a
        mean over the neighbours of each frame and one over the utterance (arXiv 2602.09043).
    decay : float
        Gamma, above 0 and below 1. At 0.98, the weight is 1 / e at a distance of 50 (2 s).
    learn_decay : bool
        Whether gamma is learned, starting from ``decay``.
    window : int
        Frames on either side of a frame in its window; 15 are 0.6 s.
    gate : str
        "none" as published; "channel" or "head" let each frame choose from the mean of the
        utterance or chunk, see :class:`summarymixing_sb.mixers.gate.SummaryGate`. Not for lite.
    activation : str
        "gelu" or "swish", after every layer of f, s and c. The published models take that of their
        encoder: GELU in a Branchformer, Swish in a Conformer.
    initialisation : str
        "per_head", or "original" as the published models were, see
        :func:`summarymixing_sb.mixers.heads.reset_linear`.

    Raises
    ------
    ValueError
        If a name is unknown, the heads do not divide a width, widths or pooling do not fit the
        form, or a number is out of range.

    Examples
    --------
    >>> mixer = SummaryMixing(d_model=64, nhead=4)
    >>> mixer(torch.rand(2, 100, 64)).shape
    torch.Size([2, 100, 64])
    """

    position = "absolute"
    branch_merge = "mlp"

    def __init__(
        self,
        d_model,
        nhead=1,
        dropout=0.0,
        d_ffn=None,
        preset="speechbrain1.0",
        form="full",
        local_hidden=None,
        local_out=None,
        summary_hidden=None,
        summary_out=None,
        summary_dropout="per_frame",
        pooling="utterance",
        decay=0.98,
        learn_decay=False,
        window=15,
        gate="none",
        activation="gelu",
        initialisation="per_head",
    ):
        super().__init__()
        _check_choice("preset", preset, PRESETS)
        _check_choice("form", form, FORMS)
        _check_choice("summary_dropout", summary_dropout, SUMMARY_DROPOUTS)
        _check_choice("pooling", pooling, POOLINGS)
        _check_choice("gate", gate, GATES)
        _check_choice("activation", activation, ACTIVATIONS)
        _check_choice("initialisation", initialisation, INITIALISATIONS)
        local_hidden = [d_model] if local_hidden is None else list(local_hidden)
        summary_hidden = [d_model] if summary_hidden is None else list(summary_hidden)
        local_out, summary_out = local_out or d_model, summary_out or d_model
        if form == "lite" and summary_out != d_model:
            raise ValueError(
                f"form='lite' gives the mean itself, so summary_out must be d_model={d_model}, "
                f"not {summary_out}."
            )
        if form == "lite" and pooling == "window":
            raise ValueError(
                "form='lite' gives one mean and pooling='window' makes two, to be combined: "
                "choose form full or fast, or pooling utterance or decay."
            )
        if form == "lite" and gate != "none":
            raise ValueError(
                "form='lite' gives the mean itself, ungated: choose form full or fast."
            )
        if gate == "head" and summary_out % nhead:
            raise ValueError(f"nhead={nhead} does not divide summary_out={summary_out}.")
        if form == "fast" and local_out != summary_out:
            raise ValueError(
                "form='fast' splits one layer into equal halves, so local_out and summary_out "
                f"must be the same, not {local_out} and {summary_out}."
            )

        self.form, self.nhead, self.summary_dropout = form, nhead, summary_dropout
        self.summary_out, self.pooling, self.initialisation = summary_out, pooling, initialisation
        self.merge_hidden = summary_hidden[-1] if summary_hidden else None
        self.pool = POOLINGS[pooling](decay=decay, learn_decay=learn_decay, window=window)
        self.dropout = nn.Dropout(dropout if PRESETS[preset]["dropout"] else 0.0)
        self.activation = ACTIVATIONS[activation]()
        if form == "fast":
            widths = [d_model, local_out + summary_out]
            self.joint = head_mlp(widths, 1, ACTIVATIONS[activation])
        else:
            widths = [d_model, *summary_hidden, summary_out]
            self.summary = head_mlp(widths, nhead, ACTIVATIONS[activation])
        if form == "full":
            widths = [d_model, *local_hidden, local_out]
            self.local = head_mlp(widths, nhead, ACTIVATIONS[activation])

        if form != "lite":
            self.combine_local = nn.Linear(local_out, d_model)
            self.combine_summary = nn.Linear(summary_out, d_model, bias=False)
        if pooling == "window":
            self.combine_window = nn.Linear(summary_out, d_model, bias=False)
        self.gate = None if gate == "none" else SummaryGate(gate, d_model, summary_out, nhead)
        self._make_norms(PRESETS[preset]["layer_norm"] and form == "full")
        self.reset_mixer_parameters()

    def reset_mixer_parameters(self):
        """Initialise with Xavier normal, by the fans of one head and of the whole combiner."""
        for name in ("joint", "local", "summary"):
            for linear in list(getattr(self, name, ()))[::2]:
                reset_linear(linear, initialisation=self.initialisation)
        names = ("combine_local", "combine_summary", "combine_window")
        combiner = [getattr(self, name) for name in names if hasattr(self, name)]
        for linear in combiner:
            fan_in = sum(part.in_features for part in combiner)
            reset_linear(linear, fan_in, self.initialisation)
        if self.gate is not None:
            self.gate.reset(self.initialisation)

    def _make_norms(self, layer_norm):
        """Make the LayerNorms of f(x) and of the means, or what stands for none."""
        norm = nn.LayerNorm if layer_norm else nn.Identity
        self.summary_norm = norm(self.summary_out)
        if self.form != "lite":
            self.local_norm = norm(self.combine_local.in_features)
        if self.pooling == "window":
            self.window_norm = norm(self.summary_out)

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time and memory are linear in T."""
        time = x.size(1)
        if chunks is not None and time % chunks.chunk_size:
            # Pad the last chunk, so that all chunks have the same shape.
            missing = -time % chunks.chunk_size
            if padding_mask is None:
                padding_mask = x.new_zeros(x.size(0), time, dtype=torch.bool)
            x = F.pad(x, (0, 0, 0, missing))
            padding_mask = F.pad(padding_mask, (0, missing), value=True)

        local, frames = self._project(x)
        means = self.pool(frames, padding_mask, chunks)
        return self._mix(x, local, *means)[:, :time]

    def make_state(self, batch_size, chunks):
        """Start streams, see :meth:`Mixer.make_state`; the state does not grow with time.

        It holds a (sum, count) for each row, or for each chunk of a limited left context; with a
        window, also the last frames.
        """
        device = next(self.parameters()).device
        return self.pool.make_state(batch_size, self.summary_out, chunks, device)

    def step(self, x, state, padding_mask=None):
        """Mix the next chunk, see :meth:`Mixer.step`."""
        local, frames = self._project(x)
        return self._mix(x, local, *self.pool.step(frames, state, padding_mask))

    def _project(self, x):
        """Compute f(x), or None for lite, and s(x): both (B, T, .)."""
        if self.form == "lite":
            return None, self.summary(x)
        if self.form == "full":
            return self.local(x), self.summary(x)
        return self.joint(x).chunk(2, dim=-1)

    def _mix(self, x, local, summary, near=None):
        """Combine frames with the means (B, N, d) of their chunks and (B, T, d) of windows."""
        summary = self.summary_norm(summary).unsqueeze(2)  # (B, N, 1, d)
        chunk_shape = (summary.size(1), x.size(1) // summary.size(1))  # (N, C)
        if self.form == "lite":
            return summary.expand(-1, -1, chunk_shape[1], -1).flatten(1, 2)  # (B, T, D)
        if self.training and self.dropout.p > 0 and self.summary_dropout == "per_frame":
            summary = summary.expand(-1, -1, chunk_shape[1], -1)
        summary = self.dropout(summary)
        if self.gate is None:
            summary = self.combine_summary(summary)
        else:
            summary = self.gate(x.unflatten(1, chunk_shape), summary, self.combine_summary)
        mixed = self.combine_local(self.dropout(self.local_norm(local)))  # (B, T, D)
        # Not in place, since a forward hook may hold the output of combine_local.
        mixed = (mixed.unflatten(1, chunk_shape) + summary).flatten(1, 2)
        if near is not None:
            mixed = mixed + self.combine_window(self.dropout(self.window_norm(near)))
        return self.activation(mixed)

    def load_original_state_dict(self, state_dict):
        """Load the parameters of one layer of the original implementation.

        Parameters
        ----------
        state_dict : dict
            Parameters by their original names, ``local_proj.linear.w.weight`` and so on, see
            :func:`summarymixing_sb.mixers.convert.convert_original_state_dict`.

        Raises
        ------
        ValueError
            If a name is unknown, or the parameters belong to another form, preset or size.
        """
        decays = self.pooling == "decay"
        gamma = float(torch.as_tensor(self.pool.log_decay).exp()) if decays else None
        converted = convert_original_state_dict(without_decay(state_dict, gamma))
        try:
            self.load_state_dict(converted)
        except RuntimeError as error:
            raise ValueError(
                "These parameters are not those of this layer; do form, preset, nhead and the "
                f"widths agree? {error}"
            ) from error

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs):
        """Load parameters; those of versions before 0.2 compute what they were trained to.

        They had LayerNorms in the forms lite and fast, too, and divided the layer of fast by heads.
        """
        earlier = []
        if f"{prefix}summary_norm.weight" in state_dict and self.form != "full":
            earlier.append("LayerNorm")
            self._make_norms(True)
            self.to(next(self.parameters()).device)
        if state_dict.get(f"{prefix}joint.0.weight", torch.empty(0)).dim() == 3:
            earlier.append("heads")
            state_dict |= join_heads(state_dict, f"{prefix}joint.0")
        if earlier:
            logger.info(
                f"{prefix[:-1]}: trained by a version before 0.2, with {' and '.join(earlier)} in "
                f"the form {self.form}, which the published models do not have there"
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _check_choice(option, value, choices):
    if value not in choices:
        raise ValueError(f"{option}={value!r} is unknown; it is one of {', '.join(choices)}.")
