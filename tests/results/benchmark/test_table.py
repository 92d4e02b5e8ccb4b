"""The page of the benchmark, from rows made by hand."""

import pytest

from results.benchmark.rows import COLUMNS, append_row, read_rows
from results.benchmark.table import losses, main, page

SHARED = {
    "measured": "time",
    "level": "encoder",
    "encoder": "conformer",
    "mode": "eager",
    "batch": "one",
    "chunk": 0,
    "layers": 12,
    "d_model": 512,
    "threads": 2,
    "device": "cpu",
    "baseline": "SummaryMixing full",
    "status": "ok",
    "cpu": "A processor",
    "cores": 2,
    "versions": "torch=2.9",
    "commit": "abc",
    "date": "2026-01-02T03:04:05+00:00",
}
TIMES = [
    ("SummaryMixing full", 10, 0.2, 1.0),
    ("SummaryMixing lite", 10, 0.1, 0.5),
    ("matrix products of SummaryMixing full", 10, 0.19, 0.95),
    ("RoPESDPA", 10, 0.16, 0.8),
    ("stock RoPEMHA", 10, 0.1995, 0.998),
    ("SummaryMixing full", 100, 2.0, 1.0),
    ("RoPESDPA", 100, 3.0, 1.5),
]


@pytest.fixture
def path(tmp_path):
    """A file of rows."""
    path = tmp_path / "bench.csv"
    for name, seconds, median, ratio in TIMES:
        measured = {"seconds": seconds, "median_s": median, "ratio": ratio}
        append_row(path, SHARED | measured | {"contestant": name})
    wrong = {"contestant": "fastformer", "seconds": 100, "status": "wrong", "error": 0.3}
    append_row(path, SHARED | wrong)
    late = {"contestant": "stock RelPosMHAXL", "seconds": 100, "status": "skipped: it would take"}
    append_row(path, SHARED | late)
    for name, growth in (("SummaryMixing full", 100), ("plain", 80), ("RoPESDPA", 300)):
        memory = {"measured": "memory", "level": "step", "seconds": 40, "growth_mib": growth}
        append_row(path, SHARED | memory | {"contestant": name, "peak_mib": growth + 400})
    return path


def test_losses_are_computed(path):
    found = [(row["contestant"], row["seconds"], ratio) for row, ratio in losses(read_rows(path))]
    # Not: other forms, floors, what rounds to 1.00, what was not measured.
    assert found == [("RoPESDPA", "10", 0.8), ("plain", "40", 0.8)]


def test_page_lists_losses_first_and_makes_them_bold(path):
    text = page(read_rows(path), ["bench/efficiency.png"])
    losing, _, tables = text.partition("![efficiency against length](bench/efficiency.png)")
    assert "- Encoder, Conformer, 12 layers, 2 threads: RoPESDPA at 10 s (0.80)." in losing
    assert "peak memory, 2 threads: plain at 40 s (0.80)." in losing
    assert "| | 10 s | 100 s |" in tables
    assert "| RoPESDPA | **160 (0.80)** | 3000 (1.50) |" in tables
    assert "| SummaryMixing lite | 100 (0.50) |  |" in tables
    assert "| plain | **80 (0.80)** |" in tables
    assert "| fastformer |  | wrong |" in tables
    assert "- stock RelPosMHAXL, 100 s: skipped: it would take" in tables
    assert "A processor (2 cores); torch=2.9; commit abc; 2026-01-02: 12 rows" in tables


def test_the_allocator_has_tables_of_its_own(path):
    row = {"contestant": "SummaryMixing full", "seconds": 10, "median_s": 0.3, "ratio": 1}
    append_row(path, SHARED | row | {"freed_memory": "system"})
    text = page(read_rows(path))
    assert "## Encoder, Conformer, 12 layers, 2 threads\n" in text
    assert "## Encoder, Conformer, 12 layers, 2 threads, glibc's own allocation\n" in text


def test_operations(path):
    row = {"level": "encoder", "encoder": "conformer", "contestant": "plain", "seconds": "10"}
    row |= {"gflop": "39.42", "ratio": "1.041"}
    text = page(read_rows(path), operations=[row])
    assert "## Operations" in text
    assert "Encoder, Conformer:\n\n| | 10 s |\n|---|---:|\n| plain | 39.42 (1.04) |" in text
    assert "## Operations" not in page(read_rows(path))


def test_where_nothing_is_lost(path):
    rows = [row for row in read_rows(path) if row["contestant"].startswith("SummaryMixing")]
    assert "Nowhere in these tables" in page(rows)


def test_command(path):
    folder = path.parent
    (folder / "bench").mkdir()
    (folder / "bench" / "inference.png").touch()
    main([str(path), "--output", str(folder / "benchmark.md")])
    text = (folder / "benchmark.md").read_text(encoding="utf-8")
    assert "(bench/inference.png)" in text


def test_a_file_without_rows_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.csv")])
    assert "holds no row" in capsys.readouterr().err


def test_columns_have_one_name_each():
    assert len(set(COLUMNS)) == len(COLUMNS)
