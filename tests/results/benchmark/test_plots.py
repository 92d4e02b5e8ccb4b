"""Plots of the benchmark, from rows made by hand."""

from pathlib import Path

import pytest

from results.benchmark.models import BASELINE
from results.benchmark.plots import curves_of, main, read_published_curves
from results.benchmark.rows import append_rows, read_rows

pytest.importorskip("matplotlib")

PUBLISHED = Path(__file__).parents[3] / "results" / "published_efficiency.csv"
SHARED = {"part": "encoder", "chunk": 0, "status": "ok", "device": "cpu", "threads": 1}
SHARED |= {"precision": "fp32", "compiled": False, "batch_size": 1}


@pytest.fixture
def path(tmp_path):
    """A file of rows."""
    rows = []
    for mode, measured in (("inference", "time"), ("training", "time"), ("training", "memory")):
        for name in (BASELINE, "RoPESDPA", "SpeechBrain RelPosMHAXL", "somebody"):
            for seconds in (40, 10):
                row = {"mode": mode, "measured": measured, "model": name, "seconds": seconds}
                times = {"q1_s": seconds / 200, "median_s": seconds / 100, "q3_s": seconds / 50}
                rows.append(SHARED | row | times | {"peak_mib": 10 * seconds})
    rows.append(rows[0] | {"model": "SummaryMixing-lite", "status": "wrong", "median_s": ""})
    append_rows(tmp_path / "bench.csv", rows)
    return tmp_path / "bench.csv"


def test_curves(path):
    rows = read_rows(path)
    curves = curves_of(rows, "training", "time")
    assert list(curves) == [BASELINE, "RoPESDPA", "SpeechBrain RelPosMHAXL"]
    assert curves["RoPESDPA"] == [(10, 0.1, 0.05, 0.2), (40, 0.4, 0.2, 0.8)]
    factors = curves_of(rows, "inference", "time")
    assert "SummaryMixing-lite" not in factors
    assert factors[BASELINE][1] == (40, 0.01, 0.005, 0.02)
    gigabytes = curves_of(rows, "training", "memory")[BASELINE]
    assert gigabytes[0][1] == pytest.approx(100 * 2**20 / 1e9)


def test_published_curves():
    found = {
        (row["quantity"], row["mixer"]): row["points"] for row in read_published_curves(PUBLISHED)
    }
    assert len(found) == 9
    assert found["training time per sentence", "self-attention"][0] == (10, 0.18)
    assert found["decoding real-time factor", "SummaryMixing"][-1] == (60, pytest.approx(3.8e-5))
    lengths = [seconds for seconds, _ in found["peak training memory", "SummaryMixing"]]
    assert lengths == [10, 20, 30, 40, 50, 60, 100]  # at 80 s it could not be read


def test_a_small_png_file(path, tmp_path):
    main([str(path), str(PUBLISHED), "--output", str(tmp_path / "plots")])
    content = (tmp_path / "plots" / "efficiency_cpu.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) < 100_000


def test_a_device_without_rows(path, capsys):
    with pytest.raises(SystemExit):
        main([str(path), str(PUBLISHED), "--device", "cuda"])
    assert "no row of batches of one on cuda" in capsys.readouterr().err
