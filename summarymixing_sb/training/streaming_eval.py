"""The chunk sizes and left contexts that a streaming model is tested at, and their table."""

import csv
import json
from dataclasses import dataclass

from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.files import atomic_open

COLUMNS = (
    *("test_set", "chunk_ms", "left_context_chunks"),
    *("wer", "wer_low", "wer_high", "cer", "real_time_factor"),
)


@dataclass(frozen=True)
class ChunkTest:
    """What frames see in a test.

    Parameters
    ----------
    chunk_size : int, optional
        Frames of a chunk; None for the whole utterance.
    left_context_chunks : int, optional
        Chunks before its own that a frame sees; None for all of them.

    Examples
    --------
    >>> ChunkTest(16, 8).name, ChunkTest(16).name, ChunkTest().name
    ('chunk16_left8', 'chunk16', 'offline')
    """

    chunk_size: int | None = None
    left_context_chunks: int | None = None

    @property
    def name(self):
        """For names of files."""
        if self.chunk_size is None:
            return "offline"
        left = self.left_context_chunks
        return f"chunk{self.chunk_size}" + ("" if left is None else f"_left{left}")

    @property
    def config(self):
        """What the encoder takes."""
        if self.chunk_size is None:
            return None
        return DynChunkTrainConfig(self.chunk_size, self.left_context_chunks)

    def info(self, frame_ms):
        """Describe it for the JSON file of a test.

        Parameters
        ----------
        frame_ms : float
            Milliseconds from one frame of the encoder to the next.

        Returns
        -------
        dict
        """
        return {
            "chunk_size": self.chunk_size,
            "chunk_ms": None if self.chunk_size is None else self.chunk_size * frame_ms,
            "left_context_chunks": self.left_context_chunks,
        }


def read_chunk_tests(test_chunks):
    """Read the YAML key ``test_chunks``.

    Parameters
    ----------
    test_chunks : list
        Of null (the whole utterance), and of [frames of a chunk, chunks of left context or null].

    Returns
    -------
    list of ChunkTest

    Raises
    ------
    ValueError
        When it is no such list, or has an entry twice.

    Examples
    --------
    >>> [test.name for test in read_chunk_tests([None, [32, None], [8, 4]])]
    ['offline', 'chunk32', 'chunk8_left4']
    """
    if not isinstance(test_chunks, list) or not test_chunks:
        raise ValueError(f"test_chunks: give a list such as [null, [16, 8]], not {test_chunks!r}")
    tests = []
    for entry in test_chunks:
        if entry is None:
            tests.append(ChunkTest())
        elif _is_pair(entry):
            tests.append(ChunkTest(*entry))
        else:
            raise ValueError(
                "test_chunks: an entry is null, or [frames of a chunk, chunks of left context or "
                f"null] such as [16, 8], not {entry!r}"
            )
    if len(set(tests)) < len(tests):
        raise ValueError(f"test_chunks has an entry twice: {', '.join(t.name for t in tests)}")
    return tests


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
    lines = [("test set", "chunk", "left context", "WER (95 %)", "CER", "real-time factor")]
    lines += [_cells(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    padded = (
        (cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines
    )
    return "\n".join("  ".join(cells).rstrip() for cells in padded)


def _is_pair(entry):
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    size, left = entry
    # not isinstance: True is no count
    return type(size) is int and size >= 1 and (left is None or (type(left) is int and left >= 0))


def _row(test_set, record):
    low, high = record["wer_interval"] or (None, None)  # of one utterance there is none
    known = {**record, "test_set": test_set, "wer_low": low, "wer_high": high}
    return {key: known[key] for key in COLUMNS}


def _cells(row):
    """Say what a row holds, in words."""
    left = row["left_context_chunks"]
    return (
        row["test_set"],
        "whole" if row["chunk_ms"] is None else f"{row['chunk_ms']:g} ms",
        "all" if left is None else f"{left} chunks",
        f"{row['wer']:.2f} % {_interval(row['wer_low'], row['wer_high'])}".rstrip(),
        f"{row['cer']:.2f} %",
        f"{row['real_time_factor']:.3f}",
    )


def _interval(low, high):
    return "" if low is None else f"({low:.2f} to {high:.2f})"
