"""Counted operations and memory of a training step."""

from pathlib import Path

import pytest

from results.tools.gpu import HOURS, count, predict
from results.tools.published import Command, read_commands

ROOT = Path(__file__).resolve().parents[3]


def small(yaml, layers):
    overrides = f"--d_model=64 --num_encoder_layers={layers} --d_ffn=64"
    return Command("id", "", f"hparams/{yaml}.yaml", overrides, 1, "", ROOT)


def test_more_layers_take_more():
    one = count(small("LibriSpeech/conformer_ctc", 1))
    two = count(small("LibriSpeech/conformer_ctc", 2))
    assert one["hours"] == pytest.approx(960.9)
    for key in ("operations", "kept", "parameters"):
        assert two[key] > one[key] > 0
    # what the backward pass keeps of 100 frames a second is no less than their features
    assert one["kept"] > 100 * 80 * 4
    assert predict(two)[0] > predict(one)[0]


def test_the_page_has_the_command_of_every_row_whose_hours_are_known():
    page = (ROOT / "results" / "gpu.md").read_text(encoding="utf-8")
    for command in read_commands(ROOT / "results" / "commands.csv", ROOT):
        if command.dataset in HOURS and "contextnet" not in command.yaml:
            typed = f"{command.yaml.removeprefix('hparams/')} {command.overrides}".strip()
            assert f"`{typed}`" in page
