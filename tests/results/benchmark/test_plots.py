"""Plots of the benchmark, from rows made by hand."""

from pathlib import Path

import pytest

from results.benchmark.plots import curves_of, main, read_published_curves
from results.benchmark.points import BASELINE
from results.benchmark.rows import append_row, read_rows

pytest.importorskip("matplotlib")

PUBLISHED = Path(__file__).parents[3] / "results" / "published_efficiency.csv"
SHARED = {
    "encoder": "conformer",
    "mode": "eager",
    "batch": "one",
    "chunk": 0,
    "status": "ok",
    "device": "cpu",
    "threads": 2,
}


@pytest.fixture
def path(tmp_path):
    """A file of rows."""
    path = tmp_path / "bench.csv"
    for level, measured in (("encoder", "time"), ("step", "time"), ("step", "memory")):
        for name in (BASELINE, "RoPESDPA", "stock RelPosMHAXL"):
            for seconds in (40, 10):
                row = {"level": level, "measured": measured, "contestant": name}
                row |= {"seconds": seconds, "median_s": seconds / 100, "peak_mib": 10 * seconds}
                append_row(path, SHARED | row | {"real_time_factor": 0.01})
    wrong = {"level": "encoder", "measured": "time", "contestant": "plain", "seconds": 10}
    append_row(path, SHARED | wrong | {"status": "wrong"})
    return path


def test_curves(path):
    curves = curves_of(read_rows(path), "step", "conformer", "memory", "peak_mib", 2)
    assert list(curves) == [BASELINE, "RoPESDPA", "stock RelPosMHAXL"]
    assert curves["RoPESDPA"] == [(10, 200), (40, 800)]
    assert "plain" not in curves_of(read_rows(path), "encoder", "conformer", "time", "median_s")


def test_points_with_freed_memory_kept_are_drawn(path):
    kept = {"level": "encoder", "measured": "time", "contestant": BASELINE, "seconds": 10}
    append_row(path, SHARED | kept | {"median_s": 7, "freed_memory": "kept"})
    append_row(path, SHARED | kept | {"median_s": 9, "freed_memory": "system"})
    curves = curves_of(read_rows(path), "encoder", "conformer", "time", "median_s")
    assert curves[BASELINE] == [(10, 7), (40, 0.4)]


def test_points_of_the_most_threads_are_drawn(path):
    alone = {"level": "encoder", "measured": "time", "contestant": BASELINE, "seconds": 10}
    append_row(path, SHARED | alone | {"median_s": 9, "threads": 1})
    curves = curves_of(read_rows(path), "encoder", "conformer", "time", "median_s")
    assert curves[BASELINE] == [(10, 0.1), (40, 0.4)]


def test_published_curves():
    found = {
        (row["quantity"], row["mixer"]): row["points"] for row in read_published_curves(PUBLISHED)
    }
    assert len(found) == 9
    assert found["training time per sentence", "self-attention"][0] == (10, 0.18)
    assert found["decoding real-time factor", "SummaryMixing"][-1] == (60, pytest.approx(3.8e-5))
    lengths = [seconds for seconds, _ in found["peak training memory", "SummaryMixing"]]
    assert lengths == [10, 20, 30, 40, 50, 60, 100]  # at 80 s it could not be read


def test_small_png_files(path, tmp_path):
    main([str(path), str(PUBLISHED), "--output", str(tmp_path / "plots")])
    for name in ("efficiency.png", "inference.png"):
        content = (tmp_path / "plots" / name).read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < 100_000
