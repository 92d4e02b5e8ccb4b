"""Recordings of a folder or of a table, each with its text, speaker and split."""

import csv
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

from summarymixing_sb.inference.recordings import SUFFIXES


@dataclass(frozen=True)
class Item:
    """One recording and what is said in it.

    Attributes
    ----------
    id : str
        Its path in the data folder, without suffix.
    path : str
        Absolute; the file need not exist.
    text : str or None
        None where there is none.
    speaker : str
    split : str
        Empty where nothing says it.
    source : str
        The file, or the line of a table, that names it.
    start, end : str, optional
        Seconds, where it is a part of its file; empty for the start and the end of the file. None
        where a table has no such columns.
    """

    id: str
    path: str
    text: str | None
    speaker: str
    split: str
    source: str
    start: str | None = None
    end: str | None = None


def read_folder(data_folder, splits):
    """Find recordings, and their texts beside them.

    Parameters
    ----------
    data_folder : Path
        Absolute.
    splits : list[str]
        Names by which a folder directly below is a split.

    Returns
    -------
    list[Item]
        By path; also texts without a recording.
    """
    files = sorted(
        Path(place, name)
        for place, _, names in os.walk(data_folder, followlinks=True)
        for name in names
        if not name.startswith(".")
    )
    audio = {file.with_suffix(""): file for file in files if file.suffix.lower() in SUFFIXES}
    texts = {file.with_suffix(""): file for file in files if file.suffix == ".txt"}
    if not audio:
        raise FileNotFoundError(
            f"data_folder: no recording is in {data_folder} ({', '.join(SUFFIXES)})"
        )
    items = []
    for stem in sorted({**audio, **texts}):
        parts = stem.relative_to(data_folder).parts
        split = parts[0] if len(parts) > 1 and parts[0] in splits else ""
        # one file alone in a split's folder, or in none, is of a speaker of its own
        own = len(parts) == (2 if split else 1)
        items.append(
            Item(
                id="/".join(parts),
                path=str(audio.get(stem, f"{stem} (no recording)")),
                text=_read_text(texts[stem]) if stem in texts else None,
                speaker=parts[-1] if own else "/".join(parts[:-1]),
                split=split,
                source=str(texts.get(stem, audio.get(stem))),
            )
        )
    return items


def read_table(table, data_folder, audio_column, text_column):
    """Read a table of recordings and texts.

    Parameters
    ----------
    table : Path
    data_folder : Path
        Absolute.
    audio_column, text_column : str

    Returns
    -------
    list[Item]
        In its order.
    """
    if not table.is_file():
        raise FileNotFoundError(f"table: there is no file {table}")
    items = []
    for place, row in _rows(table):
        lacking = [name for name in (audio_column, text_column) if row.get(name) is None]
        if lacking:
            raise ValueError(
                f"{place} has no {', '.join(lacking)}; it has {', '.join(map(str, row))}: name the "
                "columns by --audio_column and --text_column"
            )
        file = Path(os.path.normpath(data_folder / str(row[audio_column])))
        inside = file.is_relative_to(data_folder)
        name = file.relative_to(data_folder) if inside else file
        segment = _segment(place, row)
        items.append(
            Item(
                id=name.with_suffix("").as_posix() + _suffix(segment),
                path=str(file),
                text=str(row[text_column]),
                speaker=str(row.get("speaker") or file.stem),
                split=str(row.get("split") or ""),
                source=place,
                **segment,
            )
        )
    if not items:
        raise ValueError(f"table: {table} has no rows")
    return items


def _segment(place, row):
    """Read the columns start and end, if there are any."""
    segment = {key: str(row[key] or "") for key in ("start", "end") if key in row}
    for key, text in segment.items():
        try:
            seconds = float(text or 0)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            raise ValueError(f"{place}: {key} must be a number of seconds, not {text!r}")
    return segment and {"start": "", "end": "", **segment}


def _suffix(segment):
    """Tell the segments of a recording apart, by milliseconds."""
    times = [segment.get(key, "") for key in ("start", "end")]
    return "".join(f"-{round(1000 * float(text))}" if text else "" for text in times)


def _read_text(file):
    try:
        # a byte order mark is no part of the text
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error}") from error


def _rows(table):
    """Yield each row of a table as a dict, after its place for messages."""
    if table.suffix not in (".csv", ".tsv", ".jsonl"):
        raise ValueError(f"table: {table} is none of .csv, .tsv and .jsonl")
    try:
        with open(table, encoding="utf-8-sig", newline="") as stream:
            if table.suffix == ".jsonl":
                for number, line in enumerate(stream, 1):
                    if line.strip():
                        yield f"{table}, line {number}", _json_row(table, number, line)
                return
            rows = csv.DictReader(stream, delimiter="," if table.suffix == ".csv" else "\t")
            for row in rows:
                yield f"{table}, line {rows.line_num}", row
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is not UTF-8 text: {error}") from error


def _json_row(table, number, line):
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{table}, line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"{table}, line {number} is no object with keys")
    return row
