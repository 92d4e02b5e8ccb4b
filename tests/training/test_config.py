"""Command lines and YAML files."""

from pathlib import Path

import pytest

from summarymixing_sb.training.config import (
    load_hparams,
    model_identity,
    parse_command_line,
    read_settings,
)

DEMO = Path(__file__).resolve().parents[2] / "hparams" / "LibriSpeech" / "demo.yaml"


def test_values_keep_their_types():
    line = [str(DEMO), "--lr=1e-3", "--d_model=64", "--test_splits=[a, b]", "--tokenizer_file=null"]
    line += ["--attention_type=none", "--data_folder", "/data", "--precision=bf16", "--debug"]
    file, run_opts, overrides = parse_command_line(line)
    assert file == str(DEMO)
    assert overrides == {
        "lr": 0.001,
        "d_model": 64,
        "test_splits": ["a", "b"],
        "tokenizer_file": None,
        "attention_type": "none",
        "data_folder": "/data",
    }
    assert run_opts.precision == "bf16"
    assert run_opts.debug
    assert load_hparams(DEMO, overrides)["opt_class"].keywords["lr"] == 0.001


def test_gloo_without_gpu(monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    _, run_opts, _ = parse_command_line([str(DEMO), "--data_folder=/data"])
    assert run_opts.distributed_backend == "gloo"
    assert "distributed_backend" in run_opts.overridden_args


def test_settings_build_nothing():
    settings = read_settings(DEMO, {"data_folder": "/data", "seed": 7})
    assert settings["output_folder"] == "runs/LibriSpeech/demo/SummaryMixing/7"
    assert settings["Transformer"]["!"] == "!new:summarymixing_sb.TransformerASR"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"dropout": 0.3}, True),
        ({"summary_dropout": "shared"}, True),
        ({"lr": 0.1, "number_of_epochs": 3, "output_folder": "elsewhere"}, True),
        ({"nhead": 2}, False),
        ({"attention_type": "RoPEMHA"}, False),
        ({"mixer_preset": "interspeech2024"}, False),
        ({"n_fft": 512}, False),
        ({"causal": True}, False),
    ],
)
def test_model_identity(change, same):
    base = {"data_folder": "/data"}
    identity = model_identity(read_settings(DEMO, base))
    assert (model_identity(read_settings(DEMO, {**base, **change})) == identity) is same
    # loading a YAML file changes how later ones are read; not what they say
    load_hparams(DEMO, base)
    assert model_identity(read_settings(DEMO, base)) == identity
