"""Operations are counted, not measured: the committed table is what is counted now."""

import csv
from pathlib import Path

import pytest

from results.benchmark.contestants import EIGHT_HEADS
from results.benchmark.operations import count_operations, count_points, main
from results.benchmark.points import BASELINE, Group, Kind, Sizes

RESULTS = Path(__file__).parents[3] / "results" / "operations.csv"


def test_products_of_a_mixer():
    def units(name, level="mixer"):
        """Products of all frames with a (D, D) matrix."""
        group = Group(Kind(level, sizes=Sizes(d_model=64)), 100, ())
        return count_operations(name, group) / (2 * 2500 * 64**2)

    assert units(BASELINE) == pytest.approx(5, abs=0.01)  # two of f, two of s, W_f
    assert units(EIGHT_HEADS) == pytest.approx(1 + 4 / 8, abs=0.01)
    assert units("plain") == 6
    # Forward, gradient of the input, gradient of the weight; W_s again where dropout is per frame.
    assert units("SummaryMixing full shared", "mixer_step") == pytest.approx(15, abs=0.05)
    assert units(BASELINE, "mixer_step") == units("plain", "mixer_step") == 18


def test_attention_grows_with_the_square():
    def growth(name):
        kind = Kind("mixer", sizes=Sizes(d_model=64))
        counts = [count_operations(name, Group(kind, seconds, ())) for seconds in (400, 800)]
        return counts[1] / counts[0]

    assert growth(BASELINE) == pytest.approx(2, abs=1e-3)
    assert growth("RoPESDPA") > 3.9


def test_the_committed_table():
    with open(RESULTS, newline="", encoding="utf-8") as file:
        committed = list(csv.DictReader(file))
    points = [("mixer", "conformer", ("SummaryMixing full", "plain", "stock RelPosMHAXL"))]
    counted = count_points(points, seconds=(10,))
    assert len(committed) > 50
    for row in counted:
        assert {key: str(value) for key, value in row.items()} in committed


def test_command(tmp_path, monkeypatch, capsys):
    points = (("mixer", "conformer", (BASELINE, "plain")),)
    monkeypatch.setattr("results.benchmark.operations.POINTS", points)
    monkeypatch.setattr("results.benchmark.operations.SECONDS", (10,))
    main(["--output", str(tmp_path / "operations.csv")])
    lines = (tmp_path / "operations.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "level,encoder,contestant,seconds,gflop,ratio"
    assert lines[2].startswith("mixer,conformer,plain,10,")
    assert "plain" in capsys.readouterr().out
