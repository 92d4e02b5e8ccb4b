"""The benchmark page, from rows made by hand."""

import pytest

from results.benchmark.rows import COLUMNS, append_rows, read_rows
from results.benchmark.table import main, page

SHARED = {"measured": "time", "part": "encoder", "mode": "inference", "encoder": "conformer"}
SHARED |= {"chunk": 0, "batch_size": 1, "layers": 12, "d_model": 512, "device": "cpu"}
SHARED |= {"precision": "fp32", "compiled": False, "threads": 1, "status": "ok", "cores": 2}
SHARED |= {"cpu": "A processor", "versions": "torch=2.9", "commit": "abc"}
SHARED |= {"date": "2026-01-02T03:04:05+00:00"}
TIMES = [
    ("SummaryMixing", 10, 0.2, 1.0),
    ("SummaryMixing-lite", 10, 0.1, 0.5),
    ("RoPESDPA", 10, 0.16, 0.8),
    ("SpeechBrain RoPEMHA", 10, 0.1995, 0.998),
    ("SummaryMixing", 100, 2.0, 1.0),
    ("RoPESDPA", 100, 3.0, 1.5),
]


@pytest.fixture
def path(tmp_path):
    """A file of rows."""
    rows = [
        SHARED | {"model": name, "seconds": seconds, "median_s": median, "ratio": ratio}
        for name, seconds, median, ratio in TIMES
    ]
    rows.append(SHARED | {"model": "fastformer", "seconds": 100, "status": "wrong"})
    late = {"model": "SpeechBrain RelPosMHAXL", "seconds": 100, "status": "failed: no memory"}
    rows.append(SHARED | late)
    for name, growth in (("SummaryMixing", 100), ("RoPESDPA", 80), ("fastformer", 300)):
        memory = {"measured": "memory", "mode": "training", "seconds": 40, "growth_mib": growth}
        rows.append(SHARED | memory | {"model": name, "peak_mib": growth + 400})
    append_rows(tmp_path / "bench.csv", rows)
    return tmp_path / "bench.csv"


def test_page_lists_losses_first_and_makes_them_bold(path):
    text = page(read_rows(path), ["bench/efficiency_cpu.png"])
    losing, _, tables = text.partition("![efficiency_cpu against length](bench/efficiency_cpu.png)")
    # Not: forms of SummaryMixing, what rounds to 1.00, what was not measured.
    encoder = "Encoder of 12 layers, {}, CPU, threads: 1"
    assert f"- {encoder.format('inference, time')}: RoPESDPA at 10 s (0.80)." in losing
    assert f"- {encoder.format('training, peak memory')}: RoPESDPA at 40 s (0.80)." in losing
    assert losing.count("(0.") == 2
    assert "| | 10 s | 100 s |" in tables
    assert "| RoPESDPA | **160 (0.80)** | 3000 (1.50) |" in tables
    assert "| SummaryMixing-lite | 100 (0.50) |  |" in tables
    assert "| RoPESDPA | **80 (0.80)** |" in tables
    assert "| fastformer |  | wrong |" in tables
    assert "- SpeechBrain RelPosMHAXL, 100 s: failed: no memory" in tables
    assert "A processor (2 cores); torch=2.9; commit abc; 2026-01-02: 11 rows" in tables


def test_what_differs_is_in_a_title_of_its_own(path):
    gpu = {"device": "cuda", "gpu": "A card", "precision": "bf16", "compiled": True, "chunk": 16}
    row = SHARED | {"model": "SummaryMixing", "seconds": 10, "median_s": 0.3, "ratio": 1} | gpu
    append_rows(path, [row])
    title = "## Encoder of 12 layers, inference, time, chunks of 16 frames, bf16, compiled, A card"
    assert title in page(read_rows(path))


def test_operations(path):
    row = {"part": "encoder", "mode": "inference", "encoder": "conformer", "model": "RoPESDPA"}
    row |= {"seconds": "10", "gflop": "39.42", "ratio": "1.041"}
    text = page(read_rows(path), operations=[row])
    head = "Encoder, inference, Conformer:\n\n| | 10 s |\n|---|---:|\n"
    assert head + "| RoPESDPA | 39.42 (1.04) |" in text
    assert "## Operations" not in page(read_rows(path))


def test_where_nothing_is_lost(path):
    rows = [row for row in read_rows(path) if row["model"].startswith("SummaryMixing")]
    assert "Nowhere in these tables" in page(rows)


def test_command(path):
    folder = path.parent
    (folder / "bench").mkdir()
    (folder / "bench" / "efficiency_cpu.png").touch()
    main([str(path), "--output", str(folder / "benchmark.md")])
    text = (folder / "benchmark.md").read_text(encoding="utf-8")
    assert "(bench/efficiency_cpu.png)" in text


def test_a_file_without_rows_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.csv")])
    assert "holds no row" in capsys.readouterr().err


def test_columns_have_one_name_each():
    assert len(set(COLUMNS)) == len(COLUMNS)
