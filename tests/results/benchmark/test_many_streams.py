"""The benchmark of many streams finds the count at which time runs out."""

import csv

from results.benchmark import many_streams


def test_the_count(monkeypatch):
    monkeypatch.setattr(many_streams, "time_streams", lambda make, count: (0.01 * count, 7.0))
    assert many_streams.streams_in_real_time(None, 0.3) == (30, 0.01, 7.0)
    assert many_streams.streams_in_real_time(None, 0.3, most=16) == (16, 0.01, 7.0)
    assert many_streams.streams_in_real_time(None, 0.005)[0] == 0


def test_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(many_streams, "MODELS", many_streams.MODELS[:1])
    monkeypatch.setattr(many_streams, "SYSTEMS", (("SummaryMixing", None), ("RoPESDPA", 4)))
    monkeypatch.setattr(many_streams, "MOST", 2)
    monkeypatch.setattr(many_streams.streams_in_real_time, "__defaults__", (2,))
    many_streams.main(["--output", str(tmp_path / "rows.csv")])
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        summary, attention = csv.DictReader(file)
    assert (summary["streams"], attention["left_context_chunks"]) == ("2", "4")
    # keys and values of 4 chunks of 4 frames, 4 layers of 144, against a sum each
    assert int(attention["bytes_per_stream"]) > 4 * 2 * 16 * 144 * 4
    assert int(summary["bytes_per_stream"]) < int(attention["bytes_per_stream"])
