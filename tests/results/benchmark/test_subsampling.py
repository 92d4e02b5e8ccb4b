"""The benchmark of subsampling measures the YAML files' own models."""

import csv

from results.benchmark import subsampling


def test_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(subsampling, "SECONDS", (1,))
    monkeypatch.setattr(subsampling, "ROUNDS", 2)
    monkeypatch.setattr(subsampling, "PAIRS", subsampling.PAIRS[1:])
    subsampling.main(["--output", str(tmp_path / "rows.csv")])
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["part"]) for row in rows] == [
        (name, part)
        for name in ("conformer_ctc", "fastconformer_ctc")
        for part in subsampling.PARTS
    ]
    assert all(row["ratio"] == "1.000" for row in rows[:3])
    assert all(float(row["ms"]) > 0 for row in rows)
