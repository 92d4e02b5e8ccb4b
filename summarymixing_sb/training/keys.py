"""A table of keys and run options: the values that each takes, and when it has an effect."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from speechbrain.utils.run_opts import RunOptions

from summarymixing_sb.hyperparameters import is_built


@dataclass(frozen=True)
class Key:
    """Values of one key.

    Attributes
    ----------
    comment : str
        How the comment above the key begins in YAML files: its type or unit.
    wants : str
        What would be right, for errors.
    accepts : callable
        From a value to a bool.
    literal : bool
        Whether a command line's text is the value, not YAML to be read.
    null : bool
        Whether null is a value too.
    switch : bool
        Whether its name alone, as a run option, means True.
    many : bool
        Whether several words may follow its name, as a run option: the value is a list of them.
    used : dict of str to tuple
        Other keys and the values of theirs with which this one has an effect; (True,) for any that
        is not 0, false or null. One of them is enough.
    """

    comment: str
    wants: str
    accepts: Callable[[Any], bool]
    literal: bool = False
    null: bool = False
    switch: bool = False
    many: bool = False
    used: tuple = ()

    def problem(self, name, value):
        """Say what is wrong with a value, or return None."""
        if (self.null and value is None) or (value is not None and self.accepts(value)):
            return None
        return f"{name}: give {self.wants}{' or null' if self.null else ''}, not {value!r}"

    def no_effect(self, settings):
        """Say why a key is not used, or return None."""
        known = [(name, values) for name, values in self.used if name in settings]
        if not known or any(
            bool(settings[name]) if values == (True,) else settings[name] in values
            for name, values in known
        ):
            return None
        return " and ".join(f"{name} is {settings[name]}" for name, _ in known)


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _integer(least=0, most=math.inf, comment="int", step=1, **more):
    kind = {1: "an int"}.get(step, "an even int" if not least % 2 else "an odd int")
    wants = f"{kind} of at least {least}" + (f" and at most {most}" if most < math.inf else "")

    def accepts(value):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and least <= value <= most and (value - least) % step == 0

    return Key(comment, wants, accepts, **more)


def _number(low=-math.inf, high=math.inf, above=-math.inf, below=math.inf, comment="float", **more):
    bounds = {"of at least": low, "above": above, "of at most": high, "below": below}
    limits = [f"{words} {limit}" for words, limit in bounds.items() if math.isfinite(limit)]
    wants = f"a number {' and '.join(limits)}".replace("of at least 0 and of at most", "from 0 to")

    def accepts(value):
        return _is_number(value) and low <= value <= high and above < value < below

    return Key(comment, wants, accepts, **more)


def _choice(*names, **more):
    listed = " or ".join([", ".join(names[:-1]), names[-1]])
    more = {"comment": listed, **more}
    return Key(wants=listed, accepts=lambda value: value in names, literal=True, **more)


def _text(comment, wants="text", **more):
    accepts = lambda value: isinstance(value, str) and bool(value.strip())  # noqa: E731
    return Key(comment, wants, accepts, literal=True, **more)


def _path(comment="folder", **more):
    def accepts(value):
        # the names in <> are those of other keys, in YAML files
        return isinstance(value, str) and bool(value.strip()) and not set("<>\n\0") & set(value)

    kind = comment.rsplit(" ", 1)[-1]
    return Key(comment, f"the path of a {kind}, without < and >", accepts, literal=True, **more)


def _switch(comment="bool", **more):
    return Key(comment, "True or False", lambda value: isinstance(value, bool), switch=True, **more)


def _list(of, least=1, comment="list", **more):
    def accepts(value):
        return isinstance(value, list) and len(value) >= least and all(map(of.accepts, value))

    number = "a list" if not least else f"a list of at least {least}"
    return Key(comment, f"{number}, in [ ], each {of.wants}", accepts, **more)


def _names(comment="list", **more):
    names = _list(_text("", "a name"), comment=comment)
    distinct = lambda value: names.accepts(value) and len({*value}) == len(value)  # noqa: E731
    return Key(comment, "names in [ ], at least one and none twice", distinct, **more)


_SUMMARY = ("attention_type", ("SummaryMixing",)), ("decoder_attention_type", ("SummaryMixing",))
_DECODER = (("num_decoder_layers", (True,)),)
_LM = (("lm_source", (True,)),)
_BEAMS = ("ctc_prefix_beam", "joint_beam", "transducer_beam")
_PRETRAINED = (("pretrained_model", (True,)),)
_STARTS = _text("", "the beginning of names")
_CHUNKS = (("chunkwise_prob", (True,)),)
_LIMITED = (("limited_left_context_prob", (True,)),)

#: Keys of the YAML files; others may stand in a file, and are not checked.
KEYS = {
    "seed": _integer(0, 2**32 - 1),
    "task": _choice("asr", "slu", "intent", "transducer"),
    "output_folder": _path(),
    "save_folder": _path(),
    "train_log": _path("file"),
    "results_folder": _path(),
    "tensorboard": _switch(),
    # data
    "data_folder": _path(),
    "table": _path("null, or file", null=True),
    "audio_column": _text("str", "the name of a column", used=(("table", (True,)),)),
    "text_column": _text("str", "the name of a column", used=(("table", (True,)),)),
    "manifest_folder": _path(),
    "language": _text("CommonVoice's code", "the code of a language, as fr"),
    "recordings": _choice("both", "headset", "far"),
    "train_splits": _names("list of"),
    "valid_splits": _names(),
    "test_splits": _names(),
    "allow_incomplete_evaluation": _switch(),
    "allow_overlap": _switch(),
    "avoid_if_longer_than": _number(above=0, comment="seconds"),
    "avoid_if_shorter_than": _number(0, comment="seconds"),
    "text_folder": _path(),
    "train_texts": _list(_path("file"), 0, "list of files"),
    "max_tokens": _integer(1),
    "sample_rate": _integer(1000, comment="Hz"),
    "num_workers": _integer(),
    # tokenizer
    "tokenizer_file": _text("null, file", "a file, or owner/name/file", null=True),
    "tokenizer_folder": _path(used=(("tokenizer_file", (None,)),)),
    "token_type": _choice("unigram", "bpe", "char", used=(("tokenizer_file", (None,)),)),
    "output_neurons": _integer(2),
    "blank_index": _integer(),
    "pad_index": _integer(),
    "bos_index": _integer(),
    "eos_index": _integer(),
    # training
    "number_of_epochs": _integer(1),
    "max_batch_length_train": _number(above=0, comment="seconds"),
    "max_batch_tokens": _integer(1),
    "max_batch_ex": _integer(1, null=True),
    "num_buckets": _integer(1),
    "batch_ordering": _choice("random", "ascending", "descending"),
    "grad_accumulation_factor": _integer(1),
    "precision": _choice("fp32", "fp16", "bf16"),
    "eval_precision": _choice("fp32", "fp16", "bf16"),
    "max_grad_norm": _number(above=0),
    "lr": _number(above=0),
    "n_warmup_steps": _integer(1),
    "total_steps": _integer(1),
    "lr_decay": _number(above=0, high=1),
    "weight_decay": _number(0),
    "ctc_weight": _number(0, 1, comment="float"),
    "ctc_epochs": _integer(0, used=(("ctc_weight", (True,)),)),
    "transducer_scale": _choice("speechbrain", "mean", comment="speechbrain"),
    "label_smoothing": _number(0, below=1, used=_DECODER),
    "ckpt_interval_minutes": _number(0, comment="minutes"),
    "avg_checkpoints": _integer(1),
    "avg_checkpoints_by": _text("last, loss or", "last, loss or the error rate's name"),
    "chunkwise_prob": _number(0, 1),
    "chunk_size_min": _integer(1, used=_CHUNKS),
    "chunk_size_max": _integer(1, used=_CHUNKS),
    "limited_left_context_prob": _number(0, 1, used=_CHUNKS),
    "left_context_chunks_min": _integer(0, used=_LIMITED),
    "left_context_chunks_max": _integer(0, used=_LIMITED),
    "pretrained_encoder": _path("null, or the output_folder", null=True),
    "pretrained_model": _path("null, or the output_folder", null=True),
    "pretrained_parts": _list(_STARTS, 1, "null, or list", null=True, used=_PRETRAINED),
    "lora_rank": _integer(),
    "frozen_parts": _list(_STARTS, 0),
    # features and augmentation
    "n_fft": _integer(2, comment="samples"),
    "win_length": _integer(1, comment="ms"),
    "hop_length": _integer(1, comment="ms"),
    "n_mels": _integer(1),
    "speed_changes": _list(_integer(1), comment="list of int, in percent"),
    "time_drops": _integer(),
    "freq_drops": _integer(),
    # model
    "encoder_module": _text(""),
    "attention_type": _text(""),
    "d_model": _integer(2, step=2),
    "nhead": _integer(1),
    "decoder_nhead": _integer(1, used=_DECODER),
    "num_encoder_layers": _integer(1),
    "num_decoder_layers": _integer(),
    "decoder_attention_type": _choice(
        "regularMHA", "SummaryMixing", comment="regularMHA, or SummaryMixing", used=_DECODER
    ),
    "d_ffn": _integer(1),
    "kernel_size": _integer(1, step=2, used=(("encoder_module", ("conformer", "branchformer")),)),
    "csgu_linear_units": _integer(2, step=2, used=(("encoder_module", ("branchformer",)),)),
    "dropout": _number(0, below=1),
    "causal": _switch(),
    "half_causal_convolution": _switch(used=(("encoder_module", ("conformer", "branchformer")),)),
    "encoder_positions": _switch(),
    "decoder_positions": _switch(used=_DECODER),
    "layerdrop_prob": _number(0, below=1),
    "activation": Key("class", "!name: and a class", is_built),
    "alpha": _number(above=0),
    "out_channels": _integer(1),
    "predictor_size": _integer(1),
    "joint_size": _integer(1),
    # SummaryMixing
    "mixer_preset": _choice(
        "interspeech2024",
        "speechbrain1.0",
        "speechbrain1.0_layernorm",
        comment="interspeech2024",
        used=_SUMMARY,
    ),
    "mixer_form": _choice("full", "lite", "fast", comment="full, lite", used=_SUMMARY),
    "mixer_activation": _choice("gelu", "swish", used=_SUMMARY),
    "mixer_initialisation": _choice("original", "per_head", comment="original", used=_SUMMARY),
    "local_hidden": _list(_integer(1), 0, "list of int", used=_SUMMARY),
    "local_out": _integer(1, used=_SUMMARY),
    "summary_hidden": _list(_integer(1), 0, "list of int", used=_SUMMARY),
    "summary_out": _integer(1, used=_SUMMARY),
    "summary_dropout": _choice(
        "per_frame",
        "shared",
        comment="per_frame",
        used=(("mixer_preset", ("speechbrain1.0", "speechbrain1.0_layernorm")),),
    ),
    "summary_pooling": _choice(
        "utterance", "decay", "window", comment="utterance, decay", used=_SUMMARY
    ),
    "summary_decay": _number(above=0, below=1, used=(("summary_pooling", ("decay",)),)),
    "learn_summary_decay": _switch(used=(("summary_pooling", ("decay",)),)),
    "summary_window": _integer(0, used=(("summary_pooling", ("window",)),)),
    "summary_gate": _choice("none", "channel", "head", comment="none", used=_SUMMARY),
    # decoding; the task knows its ways
    "valid_decoding": _text(""),
    "valid_search_interval": _integer(1),
    "valid_beam_size": _integer(1, used=(("valid_decoding", _BEAMS),)),
    "max_batch_length_valid": _number(above=0, comment="seconds"),
    "test_decoding": _text(""),
    "test_beam_size": _integer(1, used=(("test_decoding", _BEAMS),)),
    "max_batch_length_test": _number(above=0, comment="seconds"),
    "test_normalizer": _choice("english", "basic", comment="null, english", null=True),
    "test_chunks": Key("", "a list, in [ ]", lambda value: isinstance(value, list)),
    "ctc_weight_decode": _number(0, below=1, used=(("test_decoding", ("joint_beam",)),)),
    "lm_source": _text("null, folder", "a folder with lm.ckpt, or owner/name", null=True),
    "lm_weight": _number(0, used=_LM),
    "lm_temperature": _number(above=0, used=_LM),
}

_BY_TYPE = {bool: _switch(), int: _integer(), float: _number(0), str: _text("")}

#: SpeechBrain's run options.
RUN_OPTIONS = {
    **{field.name: _BY_TYPE.get(type(field.default), _text("")) for field in fields(RunOptions)},
    "data_parallel_count": _integer(-1),
    "distributed_backend": _choice("nccl", "gloo", "mpi"),
    "jit_module_keys": _names(many=True),
    "compile_module_keys": _names(many=True),
    "compile_mode": _choice("default", "reduce-overhead", "max-autotune"),
    "debug_batches": _integer(1),
    "debug_epochs": _integer(1),
    "optimizer_step_limit": _integer(1),
    **{name: KEYS[name] for name in KEYS if name in {field.name for field in fields(RunOptions)}},
}
