"""Every YAML file: its keys are explained, it trains a step, it decodes, it has its size."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from one_step import build_brain, small_overrides, train_a_step_and_decode
from ruamel.yaml import YAML

from summarymixing_sb import SummaryMixing
from summarymixing_sb.models.parts import ModelParts
from summarymixing_sb.pooling import DecayPooling, WindowPooling
from summarymixing_sb.training.config import load_hparams, read_settings

FOLDER = Path(__file__).resolve().parents[1] / "hparams"
FILES = sorted(FOLDER.glob("*/*.yaml"))
LIBRISPEECH = FOLDER / "LibriSpeech"
# millions of parameters as published; the rest of the command line that makes each row
PUBLISHED = [
    ("CommonVoice/branchformer_small", {}, 24.6),
    ("CommonVoice/branchformer_small", {"output_neurons": 350}, 24.1),
    ("LibriSpeech/branchformer", {}, 119.4),
    ("LibriSpeech/branchformer", {"nhead": 4}, 105.2),
    ("LibriSpeech/branchformer", {"mixer_form": "lite"}, 100.4),
    ("LibriSpeech/branchformer", {"attention_type": "none"}, 76.8),
    ("LibriSpeech/branchformer", {"attention_type": "RelPosMHAXL", "nhead": 8}, 109.9),
    ("LibriSpeech/conformer", {"nhead": 1, "mixer_preset": "interspeech2024"}, 112.3),
    ("LibriSpeech/conformer", {}, 101.3),
    ("LibriSpeech/conformer", {"attention_type": "RelPosMHAXL"}, 109.1),
]


def name(file):
    return f"{file.parent.name}-{file.stem}"


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_key_is_explained(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ####")
    assert lines[1].startswith("# Model: ")
    for before, line in pairwise(lines):
        if line and not line.startswith((" ", "#")):
            assert before.startswith("# "), line


@pytest.mark.parametrize("file", FILES, ids=name)
def test_knobs_come_first(file):
    """Above the one line are values to be changed, below it what is built from them."""
    text = file.read_text(encoding="utf-8")
    [line] = re.findall(r"^# -+ Objects: nothing to change below -+$", text, re.MULTILINE)
    knobs, objects = ({*YAML().load(part)} for part in text.split(line))
    settings = read_settings(file, {"data_folder": "."})
    built = {key for key in settings if isinstance(settings[key], dict)}
    # a class is chosen by a knob, and the seed is set before anything is drawn
    assert knobs & built <= {"__set_seed", "data_folder"} | {k for k in knobs if "activation" in k}
    assert objects <= built


@pytest.mark.parametrize("file", FILES, ids=name)
def test_the_list_of_mixers_stands_in_the_registry(file):
    text = file.read_text(encoding="utf-8").partition("# attention_type")[2]
    assert not re.search(r"hypermixing or fastformer", text)


@pytest.mark.parametrize(
    ("file", "mixer"),
    [
        *((file, "none" if file.stem == "contextnet" else "SummaryMixing") for file in FILES),
        (LIBRISPEECH / "branchformer.yaml", "none"),
        (LIBRISPEECH / "branchformer.yaml", "fastformer"),
        (LIBRISPEECH / "conformer.yaml", "none"),
        (LIBRISPEECH / "conformer.yaml", "RelPosMHAXL"),
        (LIBRISPEECH / "conformer.yaml", "RoPEMHA"),
        (LIBRISPEECH / "conformer.yaml", "hypermixing"),
        (LIBRISPEECH / "transformer.yaml", "regularMHA"),
        (LIBRISPEECH / "transformer.yaml", "hypermixing"),
        (LIBRISPEECH / "transformer.yaml", "fastformer"),
    ],
    ids=lambda value: value if isinstance(value, str) else name(value),
)
def test_trains_a_step_and_decodes(file, mixer, tmp_path):
    overrides = small_overrides(file, {"attention_type": mixer}, tmp_path)
    brain = build_brain(file, overrides, tmp_path)
    if "ssl_source" not in vars(brain.hparams):  # such a model is what it is
        assert brain.hparams.causal is False
    train_a_step_and_decode(brain)


@pytest.mark.parametrize("file", [f for f in FILES if f.stem != "contextnet"], ids=name)
@pytest.mark.parametrize(
    "options",
    [
        {"summary_pooling": "decay", "summary_decay": 0.9, "learn_summary_decay": True},
        {"summary_pooling": "window", "summary_window": 3},
    ],
    ids=lambda options: options["summary_pooling"],
)
def test_pooling_reaches_the_mixer(file, options, tmp_path):
    overrides = small_overrides(file, {**options, "attention_type": "SummaryMixing"}, tmp_path)
    model = load_hparams(file, overrides)["Transformer"]
    pool = next(m for m in model.modules() if isinstance(m, SummaryMixing)).pool
    if options["summary_pooling"] == "decay":
        assert isinstance(pool, DecayPooling)
        assert pool.log_decay.requires_grad
        assert pool.log_decay.exp().item() == pytest.approx(0.9)
    else:
        assert isinstance(pool, WindowPooling)
        assert pool.window == 3


@pytest.mark.parametrize(("file", "overrides", "millions"), PUBLISHED)
def test_published_parameter_counts(file, overrides, millions):
    overrides = {"data_folder": ".", "speed_perturb": None, "compute_features": None, **overrides}
    overrides["checkpointer"] = None
    with torch.device("meta"):
        hparams = load_hparams(FOLDER / f"{file}.yaml", overrides)
    count = sum(parameter.numel() for parameter in ModelParts(hparams["modules"]).parameters())
    # the published figures are rounded, some of them upwards
    assert abs(count / 1e6 - millions) < 0.06
