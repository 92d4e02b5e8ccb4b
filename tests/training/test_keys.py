"""Bad values are refused by name in the first moment; odd but good ones are taken."""

import re
from pathlib import Path

import pytest
import speechbrain as sb
import torch
from speechbrain.utils.run_opts import HELP_TEXTS, RunOptions

from summarymixing_sb.training.command_line import parse_command_line
from summarymixing_sb.training.config import check_settings, read_settings
from summarymixing_sb.training.keys import KEYS, RUN_OPTIONS
from summarymixing_sb.training.tasks import task_class

HPARAMS = Path(__file__).resolve().parents[2] / "hparams"
FILES = sorted(HPARAMS.glob("*/*.yaml"))
CONFORMER = HPARAMS / "LibriSpeech" / "conformer.yaml"
TRANSDUCER = HPARAMS / "LibriSpeech" / "conformer_transducer.yaml"
SLU = HPARAMS / "SLURP" / "branchformer_slu.yaml"

# by file: keys, and values that none of them can have
BAD = [
    (CONFORMER, ["seed"], ["-1", "x", "1.5", "null", "4294967296"]),
    (CONFORMER, ["task"], ["speech", "null", "3"]),
    (CONFORMER, ["output_folder", "save_folder", "results_folder"], ["", "null", "runs/<d>"]),
    (CONFORMER, ["data_folder"], ["", "null", "/nowhere"]),
    (CONFORMER, ["train_splits", "valid_splits", "test_splits"], ["[]", "a", "[a, a]", "[1"]),
    (CONFORMER, ["avoid_if_longer_than"], ["0", "-1", "long", ".inf", ".nan"]),
    (CONFORMER, ["avoid_if_shorter_than"], ["-1", "200", "no"]),
    (CONFORMER, ["sample_rate"], ["0", "16", "16kHz"]),
    (CONFORMER, ["num_workers", "time_drops", "freq_drops"], ["-1", "two", "1.5"]),
    (CONFORMER, ["token_type"], ["word", "null"]),
    (CONFORMER, ["output_neurons"], ["0", "1", "many"]),
    (CONFORMER, ["number_of_epochs", "avg_checkpoints"], ["0", "-3", "1.5", "ten"]),
    (CONFORMER, ["max_batch_length_train", "max_batch_length_test"], ["-5", "0", "big"]),
    (CONFORMER, ["max_batch_ex", "num_buckets"], ["0", "-1", "x"]),
    (CONFORMER, ["batch_ordering"], ["wild", "Random"]),
    (CONFORMER, ["grad_accumulation_factor"], ["-1", "0", "0.5"]),
    (CONFORMER, ["precision", "eval_precision"], ["fp64", "half"]),
    (CONFORMER, ["max_grad_norm"], ["0", "-1", "none"]),
    (CONFORMER, ["lr"], ["fast", "-0.1", "0", ".nan"]),
    (CONFORMER, ["n_warmup_steps"], ["0", "-1", "0.5"]),
    (CONFORMER, ["weight_decay"], ["-0.1", "small"]),
    (CONFORMER, ["ctc_weight"], ["2", "-0.1", "half"]),
    (CONFORMER, ["label_smoothing", "dropout", "layerdrop_prob"], ["2", "1", "-0.1", "x"]),
    (CONFORMER, ["ckpt_interval_minutes"], ["-1", "often"]),
    (CONFORMER, ["avg_checkpoints_by"], ["ACC", "null"]),
    (CONFORMER, ["n_mels", "hop_length", "win_length"], ["0", "-1", "1.5"]),
    (CONFORMER, ["n_fft"], ["1", "100"]),
    (CONFORMER, ["speed_changes"], ["[]", "95", "[0]", "[fast]"]),
    (CONFORMER, ["d_model", "nhead", "decoder_nhead"], ["0", "-1", "abc"]),
    (CONFORMER, ["num_encoder_layers"], ["0", "-1"]),
    (CONFORMER, ["num_decoder_layers"], ["-1", "x"]),
    (CONFORMER, ["decoder_attention_type"], ["RoPEMHA", "none"]),
    (CONFORMER, ["d_ffn", "local_out", "summary_out"], ["0", "-1", "x"]),
    (CONFORMER, ["kernel_size"], ["0", "30", "x"]),
    (CONFORMER, ["causal", "tensorboard", "learn_summary_decay"], ["maybe", "2", "null"]),
    (CONFORMER, ["encoder_positions", "decoder_positions"], ["sinusoids", "null"]),
    (CONFORMER, ["activation"], ["gelu", "3"]),
    (CONFORMER, ["mixer_preset"], ["1.0", "interspeech"]),
    (CONFORMER, ["mixer_form"], ["expdecay", "Full"]),
    (CONFORMER, ["mixer_activation", "mixer_initialisation"], ["relu", "null"]),
    (CONFORMER, ["local_hidden", "summary_hidden"], ["512", "[0]", "[a]", "null"]),
    (CONFORMER, ["summary_dropout", "summary_pooling"], ["none", "mean"]),
    (CONFORMER, ["summary_decay"], ["2", "1", "0", "x"]),
    (CONFORMER, ["summary_window"], ["-1", "1.5"]),
    (CONFORMER, ["valid_decoding", "test_decoding"], ["viterbi", "null"]),
    (CONFORMER, ["valid_search_interval", "valid_beam_size", "test_beam_size"], ["0", "x"]),
    (CONFORMER, ["ctc_weight_decode"], ["1", "-0.1"]),
    (CONFORMER, ["lm_weight", "lm_temperature"], ["-1", "x"]),
    (CONFORMER, ["modules", "checkpointer", "CNN", "opt_class"], ["3", "null"]),
    (CONFORMER, ["device"], ["gpu", "cuda:99"]),
    (CONFORMER, ["optimizer_step_limit", "debug_batches"], ["0", "x", "1.5"]),
    (CONFORMER, ["nonfinite_patience", "ckpt_interval_steps"], ["-1", "x"]),
    (CONFORMER, ["distributed_backend"], ["mpirun"]),
    (CONFORMER, ["jit_module_keys", "compile_module_keys"], ["Decoder", "[CNN, CNN]", "null"]),
    (CONFORMER, ["debug", "noprogressbar"], ["perhaps"]),
    (TRANSDUCER, ["chunkwise_prob", "limited_left_context_prob"], ["2", "-1", "x"]),
    (TRANSDUCER, ["chunk_size_min", "predictor_size", "joint_size"], ["0", "x"]),
    (TRANSDUCER, ["test_chunks"], ["8", "[[0, 1]]", "[x]"]),
    (TRANSDUCER, ["transducer_scale"], ["sum"]),
    (TRANSDUCER, ["num_decoder_layers"], ["2"]),
    (SLU, ["csgu_linear_units"], ["0", "3", "x"]),
    (SLU, ["recordings"], ["near"]),
    (SLU, ["pretrained_encoder"], ["/nowhere"]),
]
CASES = [(file, key, value) for file, keys, values in BAD for key in keys for value in values]


def check(file, *options):
    """What a run does before it touches any data."""
    hparams_file, run_opts, overrides = parse_command_line([str(file), *options])
    settings = read_settings(hparams_file, overrides)
    check_settings(settings, task_class(settings["task"]), overrides)
    return run_opts, settings


def test_there_are_as_many_as_were_tried_before():
    assert len(CASES) >= 141


@pytest.mark.parametrize(("file", "key", "value"), CASES, ids=lambda value: str(value)[-30:])
def test_a_bad_value_is_refused_by_name(file, key, value):
    options = [f"--{key}={value}"]
    if key != "data_folder":
        options.append("--data_folder=.")
    with pytest.raises((ValueError, FileNotFoundError), match=rf"\b{key}\b") as raised:
        check(file, *options)
    assert value.strip(".[]").split(",")[0] in str(raised.value) or value == "null"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lr=1", "--lr=2"], "--lr is given twice"),
        (["--lrr=1"], "did you mean lr"),
        (["--lr"], "--lr is given no value"),
        (["two words"], "'two words': what follows"),
        (["--test_onl"], "did you mean test_only"),
    ],
)
def test_a_bad_command_line(options, message):
    with pytest.raises(ValueError, match=message):
        parse_command_line([str(CONFORMER), "--data_folder=.", *options])
    with pytest.raises(ValueError, match="name a YAML file"):
        parse_command_line(["--lr=1"])


RUN_OPTION_TEXTS = {
    str: "cpu",
    int: "7",
    float: "2.5",
    "compile_mode": "max-autotune",
    "distributed_backend": "gloo",
    "optimizer_step_limit": "7",
    "max_grad_norm": "2.5",
}


@pytest.mark.parametrize("name", sorted({*HELP_TEXTS} & {*RunOptions().keys()}))
def test_run_options_are_those_of_speechbrain(name):
    default = getattr(RunOptions(), name)
    kind = str if default is None else type(default)
    text = "bf16" if name.endswith("precision") else RUN_OPTION_TEXTS.get(name)
    words = [f"--{name}"] if default is False else [f"--{name}", text or RUN_OPTION_TEXTS[kind]]
    _, theirs, _ = sb.parse_arguments(["a.yaml", *words])
    _, ours, _ = parse_command_line([str(CONFORMER), *words])
    expected = getattr(theirs, name)
    if name == "optimizer_step_limit":  # SpeechBrain compares its text with a number, and fails
        expected = int(expected)
    assert getattr(ours, name) == expected != default
    assert type(getattr(ours, name)) is type(expected)
    assert ours.overridden_args == {name}


@pytest.mark.parametrize(
    "words", [["CNN", "Transformer"], ["[CNN, Transformer]"], ["=CNN Transformer"]], ids=str
)
def test_modules_to_compile(words):
    """In SpeechBrain's way, in the others' of this command line, and before another option."""
    option = "--compile_module_keys"
    words = [option + words[0]] if words[0].startswith("=") else [option, *words]
    _, run_opts, overrides = parse_command_line([str(CONFORMER), *words, "--lr=1"])
    assert run_opts.compile_module_keys == ["CNN", "Transformer"]
    assert overrides == {"lr": 1}


@pytest.mark.parametrize(
    "folder",
    ["a/base #2", "2026-11-27", "5", "a: b", "[x", "1e3", "true", "5/3", "{a}", "it's", 'a "b"'],
)
def test_paths_are_taken_literally(folder):
    _, settings = check(CONFORMER, "--data_folder=.", f"--output_folder={folder}")
    assert settings["output_folder"] == folder
    assert settings["save_folder"] == f"{folder}/save"


def test_odd_but_good_values(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    run_opts, settings = check(
        CONFORMER,
        "--data_folder",
        ".",
        "--output_folder=~/runs",
        "--lr=1e-3",
        "--avoid_if_longer_than=30",
        "--max_batch_ex=null",
        "--local_hidden=[]",
        "--fea_augment=null",
        "--activation=!name:torch.nn.ReLU",
        "--debug",
        "--noprogressbar=True",
        "--optimizer_step_limit=2",
        "--device=cpu",
        "--test_splits=[test-clean]",
    )
    assert settings["output_folder"] == "/home/me/runs"
    assert settings["lr"] == 0.001
    assert settings["max_batch_ex"] is None
    assert (run_opts.debug, run_opts.noprogressbar) == (True, True)
    assert run_opts.optimizer_step_limit == 2
    assert run_opts.overridden_args >= {"debug", "device", "optimizer_step_limit"}


def test_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match=r"device: there is no cuda, torch finds 0 GPUs.*cpu"):
        check(CONFORMER, "--data_folder=.", "--device=cuda")


def test_says_what_has_no_effect(caplog):
    options = ["--summary_decay=0.9", "--lm_weight=0.5", "--summary_window=3", "--lr=0.1"]
    check(CONFORMER, "--data_folder=.", *options, "--summary_pooling=window")
    messages = sorted(record.getMessage() for record in caplog.records)
    assert messages == [
        "lm_weight has no effect: lm_source is None",
        "summary_decay has no effect: summary_pooling is window",
    ]


def test_a_mixer_of_some_layers_has_its_options(caplog):
    gate = "--summary_gate=channel"
    check(CONFORMER, "--data_folder=.", gate, "--attention_type=RoPESDPA,SummaryMixing")
    assert not caplog.records
    check(CONFORMER, "--data_folder=.", gate, "--attention_type=RoPESDPA,PoM")
    assert "summary_gate has no effect: attention_type is RoPESDPA,PoM" in caplog.text


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_comments_and_values_agree_with_the_table(file):
    """Every knob is in the table, its comment begins with its type, and its value is one of it."""
    knobs = file.read_text(encoding="utf-8").split("Objects: nothing to change below")[0]
    settings = read_settings(file, {"data_folder": "."})
    comment = []
    for line in knobs.splitlines():
        if (found := re.match(r"(\w+):", line)) and not line.startswith("__"):
            key = KEYS[found[1]]
            assert comment[0].startswith(f"# {key.comment}"), line
            assert key.problem(found[1], settings[found[1]]) is None
        comment = [*comment, line] if line.startswith("# ") else []
    check_settings(settings, task_class(settings["task"]))


def test_run_options_have_the_types_of_speechbrain():
    assert RUN_OPTIONS["debug"].switch
    assert RUN_OPTIONS["ckpt_interval_steps"].accepts(3)
    assert not RUN_OPTIONS["ckpt_interval_steps"].accepts("3")
