"""The table of a model's tests over chunk sizes and left contexts."""

import csv
import json

from summarymixing_sb.files import atomic_open

COLUMNS = (
    *("test_set", "chunk_ms", "left_context_chunks"),
    *("wer", "wer_low", "wer_high", "cer", "real_time_factor"),
    *("latency_ms", "word_delay_ms", "emission_chunk", "final_text_ms"),
)
HEAD = (
    *("test set", "chunk", "left context", "WER (95 %)", "CER", "real-time factor"),
    *("latency", "word delay", "final text"),
)


def write_streaming_table(path, tested):
    """Write the scores of all tests as CSV.

    Parameters
    ----------
    path : Path
        The CSV file.
    tested : list of tuple
        Name of the test set, and the JSON file of a test.

    Returns
    -------
    str
        The table, to be printed.
    """
    rows = [_row(test_set, json.loads(file.read_text("utf-8"))) for test_set, file in tested]
    with atomic_open(path) as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = [HEAD]
    lines += [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    padded = (
        (cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _row(test_set, record):
    low, high = record.get("wer_interval") or (None, None)  # of one utterance there is none
    known = {**record, "test_set": test_set, "wer_low": low, "wer_high": high}
    return {key: known.get(key) for key in COLUMNS}


def _cells(row):
    """Say what a row holds, in words."""
    left = row["left_context_chunks"]
    return (
        row["test_set"],
        "whole" if row["chunk_ms"] is None else f"{row['chunk_ms']:g} ms",
        "all" if left is None else f"{left} chunks",
        f"{_percent(row['wer'])} {_interval(row['wer_low'], row['wer_high'])}".strip(),
        _percent(row["cer"]),
        f"{row['real_time_factor']:.3f}",
        *(_ms(row[key]) for key in ("latency_ms", "word_delay_ms", "final_text_ms")),
    )


def _percent(value):
    return "" if value is None else f"{value:.2f} %"


def _ms(value):
    return "" if value is None else f"{value:.0f} ms"


def _interval(low, high):
    return "" if low is None else f"({low:.2f} to {high:.2f})"
