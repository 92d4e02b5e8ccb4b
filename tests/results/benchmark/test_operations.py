"""Operations are counted, not measured: the committed table is what is counted now."""

import csv
from pathlib import Path

import pytest

from results.benchmark import operations
from results.benchmark.models import BASELINE, Case
from results.benchmark.operations import count_operations, count_points, main

RESULTS = Path(__file__).parents[3] / "results" / "operations.csv"


def test_products_of_a_mixer():
    def units(name, mode="inference"):
        """Products of all frames with a (D, D) matrix."""
        return count_operations(name, Case("mixer", mode, 100, d_model=64)) / (2 * 2500 * 64**2)

    assert units(BASELINE) == pytest.approx(5, abs=0.01)  # two of f, two of s, W_f
    assert units("SummaryMixing 8 heads") == pytest.approx(1 + 4 / 8, abs=0.01)
    # Forward, gradient of the input, gradient of the weight; W_s again where dropout is per frame.
    assert units("SummaryMixing shared dropout", "training") == pytest.approx(15, abs=0.05)
    assert units(BASELINE, "training") == 18


def test_attention_grows_with_the_square():
    def growth(name):
        counts = [
            count_operations(name, Case("mixer", "inference", s, d_model=64)) for s in (400, 800)
        ]
        return counts[1] / counts[0]

    assert growth(BASELINE) == pytest.approx(2, abs=1e-3)
    assert growth("RoPESDPA") > 3.9


def test_the_committed_table():
    with open(RESULTS, newline="", encoding="utf-8") as file:
        committed = list(csv.DictReader(file))
    names = (BASELINE, "SummaryMixing-lite", "SpeechBrain RelPosMHAXL")
    assert len(committed) > 50
    for row in count_points([("mixer", "inference", "conformer", names)], seconds=(10,)):
        assert {key: str(value) for key, value in row.items()} in committed


def test_command(tmp_path, monkeypatch, capsys):
    points = (("mixer", "inference", "conformer", (BASELINE, "fastformer")),)
    monkeypatch.setattr(operations, "POINTS", points)
    monkeypatch.setattr(operations, "SECONDS", (10,))
    main(["--output", str(tmp_path / "operations.csv")])
    lines = (tmp_path / "operations.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "part,mode,encoder,model,seconds,gflop,ratio"
    assert lines[2].startswith("mixer,inference,conformer,fastformer,10,")
    assert "fastformer" in capsys.readouterr().out
