"""The memory benchmark measures what it says."""

import csv

from summarymixing_sb.bench.memory import main


def test_memory_of_chunked_training_is_a_straight_line(tmp_path):
    output = tmp_path / "memory.csv"
    main(["--frames", "2000", "4000", "8000", "--mixers", "SummaryMixing", "--output", str(output)])
    with open(output, encoding="utf-8") as stream:
        peaks = [float(row["peak_mib"]) for row in csv.DictReader(stream)]
    # Twice the frames more, twice the memory more; a (T, T) tensor would make it four times.
    assert 1.7 < (peaks[2] - peaks[1]) / (peaks[1] - peaks[0]) < 2.3
