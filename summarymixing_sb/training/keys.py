"""A table of keys and run options: the values that each takes, and when it has an effect."""

from dataclasses import fields

from speechbrain.utils.run_opts import RunOptions

from summarymixing_sb.hyperparameters import is_built
from summarymixing_sb.training.values import (
    Key,
    choice,
    integer,
    list_of,
    names,
    number,
    path,
    switch,
    text,
)

_SUMMARY = ("attention_type", ("SummaryMixing",)), ("decoder_attention_type", ("SummaryMixing",))
_DECODER = (("num_decoder_layers", (True,)),)
_LM = (("lm_source", (True,)),)
_BEAMS = ("ctc_prefix_beam", "joint_beam", "transducer_beam")
_PRETRAINED = (("pretrained_model", (True,)),)
_STARTS = text("", "the beginning of names")
_CHUNKS = (("chunkwise_prob", (True,)),)
_LIMITED = (("limited_left_context_prob", (True,)),)
_LAYERS = list_of(integer(-1000), 0)

#: Keys of the YAML files; others may stand in a file, and are not checked.
KEYS = {
    "seed": integer(0, 2**32 - 1),
    "task": choice(
        *("asr", "slu", "intent", "transducer", "classification", "best_rq", "wav2vec2")
    ),
    "output_folder": path(),
    "save_folder": path(),
    "train_log": path("file"),
    "results_folder": path(),
    "tensorboard": switch(),
    # data
    "data_folder": path(),
    "table": path("null, or file", null=True),
    "audio_column": text("str", "the name of a column", used=(("table", (True,)),)),
    "text_column": text("str", "the name of a column", used=(("table", (True,)),)),
    "manifest_folder": path(),
    "classes": integer(2),
    "language": text("CommonVoice's code", "the code of a language, as fr"),
    "recordings": choice("both", "headset", "far"),
    "train_splits": names("list of"),
    "valid_splits": names(),
    "test_splits": names(),
    "allow_incomplete_evaluation": switch(),
    "allow_overlap": switch(),
    "avoid_if_longer_than": number(above=0, comment="seconds"),
    "avoid_if_shorter_than": number(0, comment="seconds"),
    "text_folder": path(),
    "train_texts": list_of(path("file"), 0, "list of files"),
    "max_tokens": integer(1),
    "sample_rate": integer(1000, comment="Hz"),
    "num_workers": integer(),
    # tokenizer
    "tokenizer_file": text("null, file", "a file, or owner/name/file", null=True),
    "tokenizer_folder": path(used=(("tokenizer_file", (None,)),)),
    "token_type": choice("unigram", "bpe", "char", used=(("tokenizer_file", (None,)),)),
    "output_neurons": integer(2),
    "blank_index": integer(),
    "pad_index": integer(),
    "bos_index": integer(),
    "eos_index": integer(),
    # training
    "number_of_epochs": integer(1),
    "max_batch_length_train": number(above=0, comment="seconds"),
    "max_batch_tokens": integer(1),
    "max_batch_ex": integer(1, null=True),
    "num_buckets": integer(1),
    "batch_ordering": choice("random", "ascending", "descending"),
    "grad_accumulation_factor": integer(1),
    "precision": choice("fp32", "fp16", "bf16"),
    "eval_precision": choice("fp32", "fp16", "bf16"),
    "max_grad_norm": number(above=0),
    "lr": number(above=0),
    "n_warmup_steps": integer(1),
    "total_steps": integer(1),
    "lr_decay": number(above=0, high=1),
    "weight_decay": number(0),
    "ctc_weight": number(0, 1, comment="float"),
    "ctc_epochs": integer(0, used=(("ctc_weight", (True,)),)),
    "transducer_scale": choice("speechbrain", "mean", comment="speechbrain"),
    "label_smoothing": number(0, below=1, used=_DECODER),
    "ckpt_interval_minutes": number(0, comment="minutes"),
    "avg_checkpoints": integer(1),
    "avg_checkpoints_by": text("last, loss or", "last, loss or the error rate's name"),
    "chunkwise_prob": number(0, 1),
    "chunk_size_min": integer(1, used=_CHUNKS),
    "chunk_size_max": integer(1, used=_CHUNKS),
    "limited_left_context_prob": number(0, 1, used=_CHUNKS),
    "left_context_chunks_min": integer(0, used=_LIMITED),
    "left_context_chunks_max": integer(0, used=_LIMITED),
    "consistency_weight": number(0, used=_CHUNKS),
    "mask_prob": number(above=0, high=1),
    "mask_length": integer(1),
    "mask_noise": number(0),
    "codes": integer(2),
    "code_size": integer(1),
    "negatives": integer(1),
    "contrastive_temperature": number(above=0),
    "diversity_weight": number(0),
    "pretrained_encoder": path("null, or the output_folder", null=True),
    "pretrained_model": path("null, or the output_folder", null=True),
    "pretrained_parts": list_of(_STARTS, 1, "null, or list", null=True, used=_PRETRAINED),
    "lora_rank": integer(),
    "frozen_parts": list_of(_STARTS, 0),
    # features and augmentation
    "n_fft": integer(2, comment="samples"),
    "win_length": integer(1, comment="ms"),
    "hop_length": integer(1, comment="ms"),
    "n_mels": integer(1),
    "speed_changes": list_of(integer(1), comment="list of int, in percent"),
    "time_drops": integer(),
    "freq_drops": integer(),
    # model
    "encoder_module": text(""),
    "ssl_source": text("folder, or owner/name", "a folder, or owner/name on the hub"),
    "ssl_folder": path(),
    "replaced_layers": Key(
        "all, or list of int",
        "all, or a list of layers, in [ ]",
        lambda value: value == "all" or _LAYERS.accepts(value),
    ),
    "attention_type": text(""),
    "d_model": integer(2, step=2),
    "nhead": integer(1),
    "decoder_nhead": integer(1, used=_DECODER),
    "num_encoder_layers": integer(1),
    "num_decoder_layers": integer(),
    "decoder_attention_type": choice(
        "regularMHA", "SummaryMixing", comment="regularMHA, or SummaryMixing", used=_DECODER
    ),
    "d_ffn": integer(1),
    "kernel_size": integer(1, step=2, used=(("encoder_module", ("conformer", "branchformer")),)),
    "csgu_linear_units": integer(2, step=2, used=(("encoder_module", ("branchformer",)),)),
    "subsampling_channels": integer(1),
    "dropout": number(0, below=1),
    "causal": switch(),
    "half_causal_convolution": switch(used=(("encoder_module", ("conformer", "branchformer")),)),
    "encoder_positions": switch(),
    "decoder_positions": switch(used=_DECODER),
    "layerdrop_prob": number(0, below=1),
    "activation": Key("class", "!name: and a class", is_built),
    "alpha": number(above=0),
    "out_channels": integer(1),
    "predictor_size": integer(1),
    "joint_size": integer(1),
    # SummaryMixing
    "mixer_preset": choice(
        "interspeech2024",
        "speechbrain1.0",
        "speechbrain1.0_layernorm",
        comment="interspeech2024",
        used=_SUMMARY,
    ),
    "mixer_form": choice("full", "lite", "fast", comment="full, lite", used=_SUMMARY),
    "mixer_activation": choice("gelu", "swish", used=_SUMMARY),
    "mixer_initialisation": choice("original", "per_head", comment="original", used=_SUMMARY),
    "local_hidden": list_of(integer(1), 0, "list of int", used=_SUMMARY),
    "local_out": integer(1, used=_SUMMARY),
    "summary_hidden": list_of(integer(1), 0, "list of int", used=_SUMMARY),
    "summary_out": integer(1, used=_SUMMARY),
    "summary_dropout": choice(
        "per_frame",
        "shared",
        comment="per_frame",
        used=(("mixer_preset", ("speechbrain1.0", "speechbrain1.0_layernorm")),),
    ),
    "summary_pooling": choice(
        "utterance", "decay", "window", comment="utterance, decay", used=_SUMMARY
    ),
    "summary_decay": number(above=0, below=1, used=(("summary_pooling", ("decay",)),)),
    "learn_summary_decay": switch(used=(("summary_pooling", ("decay",)),)),
    "summary_window": integer(0, used=(("summary_pooling", ("window",)),)),
    "summary_gate": choice("none", "channel", "head", comment="none", used=_SUMMARY),
    # decoding; the task knows its ways
    "valid_decoding": text(""),
    "valid_search_interval": integer(1),
    "valid_beam_size": integer(1, used=(("valid_decoding", _BEAMS),)),
    "max_batch_length_valid": number(above=0, comment="seconds"),
    "test_decoding": text(""),
    "test_beam_size": integer(1, used=(("test_decoding", _BEAMS),)),
    "max_batch_length_test": number(above=0, comment="seconds"),
    "test_normalizer": choice("english", "basic", comment="null, english", null=True),
    "test_long_form": switch(),
    "error_unit": choice("word", "character"),
    "test_chunks": Key("", "a list, in [ ]", lambda value: isinstance(value, list)),
    "ctc_weight_decode": number(0, below=1, used=(("test_decoding", ("joint_beam",)),)),
    "lm_source": text("null, folder", "a folder with lm.ckpt, or owner/name", null=True),
    "lm_weight": number(0, used=_LM),
    "lm_temperature": number(above=0, used=_LM),
}

_BY_TYPE = {bool: switch(), int: integer(), float: number(0), str: text("")}

#: SpeechBrain's run options.
RUN_OPTIONS = {
    **{field.name: _BY_TYPE.get(type(field.default), text("")) for field in fields(RunOptions)},
    "data_parallel_count": integer(-1),
    "distributed_backend": choice("nccl", "gloo", "mpi"),
    "jit_module_keys": names(many=True),
    "compile_module_keys": names(many=True),
    "compile_mode": choice("default", "reduce-overhead", "max-autotune"),
    "debug_batches": integer(1),
    "debug_epochs": integer(1),
    "optimizer_step_limit": integer(1),
    **{name: KEYS[name] for name in KEYS if name in {field.name for field in fields(RunOptions)}},
}
