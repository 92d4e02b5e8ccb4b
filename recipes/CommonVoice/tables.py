"""CommonVoice's files: where a language lies, and what the rows of its TSV files say.

Releases differ in their columns, so they are found by the header's names. The files are not CSV:
quotes have no meaning in them, and a tab within a sentence is a tab.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("client_id", "path", "sentence")
# Numbers in every release, after the sentence: they tell whether columns moved.
VOTES = ("up_votes", "down_votes")


@dataclass(frozen=True)
class Row:
    """One row of a TSV file.

    Attributes
    ----------
    clip : str
        Name of the recording, without suffix.
    file : str
        Absolute path of its audio, which need not exist.
    speaker, sentence : str
        As the row has them.
    problem : str
        What keeps the row from being understood; empty for nothing.
    """

    clip: str
    file: str
    speaker: str = ""
    sentence: str = ""
    problem: str = ""


def language_folder(data_folder, language, splits):
    """Find the folder that holds a language.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds the languages' folders, or the language's own.
    language : str
        CommonVoice's code, such as ``fr``.
    splits : list[str]
        TSV files that must be there, without suffix.

    Returns
    -------
    Path
        Absolute; it holds ``clips`` and the TSV files.

    Raises
    ------
    FileNotFoundError
        If it, its clips or a split's TSV is missing; with a hint where the data seem to be.
    """
    data_folder = Path(os.path.abspath(data_folder))
    if not data_folder.is_dir():
        raise FileNotFoundError(f"data_folder {data_folder} is not a folder.")
    candidates = (data_folder / language, data_folder)
    folder = next((f for f in candidates if (f / "clips").is_dir()), None)
    if folder is None:
        raise FileNotFoundError(
            f"CommonVoice in language '{language}' is not in data_folder {data_folder}: no "
            f"{data_folder}/{language}/clips.{_hint(data_folder, language)}"
        )
    missing = [split for split in splits if not (folder / f"{split}.tsv").is_file()]
    if missing:
        present = ", ".join(sorted(path.stem for path in folder.glob("*.tsv"))) or "none"
        files = ", ".join(f"{folder}/{split}.tsv" for split in missing)
        raise FileNotFoundError(f"There is no {files}. Splits there: {present}.")
    return folder


def read_table(folder, split, language):
    """Read one TSV file of a language.

    Parameters
    ----------
    folder : Path
        From `language_folder`.
    split : str
        Name of the TSV file, without suffix.
    language : str
        What its column ``locale`` must say, where it says anything.

    Returns
    -------
    list[Row]
        In the file's order. ``file`` is the MP3, or the FLAC of the same name where only that
        exists.

    Raises
    ------
    ValueError
        If the file is not UTF-8, is empty, lacks a column, or holds another language.
    """
    path = folder / f"{split}.tsv"
    clips = folder / "clips"
    names = set(os.listdir(clips))
    rows, locales = [], set()
    try:
        # utf-8-sig: editors of Windows put a byte order mark before the first column's name
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            header = next(lines, [])
            _check_header(path, header)
            for line in filter(None, lines):
                cells = _cells(line, header)
                rows.append(_row(cells, clips, names, f"{path}, line {lines.line_num}"))
                locales.add(cells.get("locale", ""))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error}") from error
    if locales - {""} and language not in locales:
        raise ValueError(
            f"{path} is in language '{max(locales)}' by its column locale, not in '{language}': "
            "correct --language or --data_folder."
        )
    return rows


def _check_header(path, header):
    """Raise if a column is not there."""
    lacking = [column for column in COLUMNS if column not in header]
    if lacking:
        raise ValueError(
            f"{path} has no column {', '.join(lacking)}; its columns are: {', '.join(header)}."
        )


def _cells(line, header):
    """Give the cells of a line by column; a sentence with tabs in it is put together again."""
    sentence = header.index("sentence")
    surplus = len(line) - len(header)
    # Trailing empty cells are lost easily, by editors; a row that ends at its sentence, or before
    # it, was cut by a line break in there.
    if surplus < 0 and len(line) <= sentence + 1:
        return {**dict(zip(header, line)), "problem": "row that ends too early"}
    end = sentence + 1 + max(surplus, 0)
    joined = [*line[:sentence], " ".join(line[sentence:end]), *line[end:]]
    cells = dict.fromkeys(header, "") | dict(zip(header, joined))
    if surplus > 0 and not all(cells.get(votes, "0").isdecimal() for votes in VOTES):
        cells["problem"] = "row with too many columns"
    return cells


def _row(cells, clips, names, place):
    """Read a row, and find its audio."""
    stated = cells.get("path", "")
    stem, suffix = os.path.splitext(stated)
    if suffix.lower() not in (".mp3", ".flac", ".wav"):  # old releases leave the suffix away
        stem, suffix = stated, ".mp3"
    if not stem or "/" in stem:
        return Row(place, str(clips), problem="row without the name of a clip")
    if stem + suffix not in names and stem + ".flac" in names:
        suffix = ".flac"
    problem = cells.get("problem", "")
    if not problem and stem + suffix not in names:
        problem = "clip missing"
    speaker, sentence = cells.get("client_id", ""), cells.get("sentence", "")
    return Row(stem, str(clips / (stem + suffix)), speaker, sentence, problem)


def _hint(data_folder, language):
    """Where the language seems to be, for the end of a message."""
    below = sorted(data_folder.glob(f"*/{language}/clips"))
    if below:
        return f" Did you mean --data_folder={below[-1].parents[1]} ?"
    if data_folder.name == "clips" and any(data_folder.parent.glob("*.tsv")):
        return f" Did you mean --data_folder={data_folder.parent} ?"
    languages = sorted(path.parent.name for path in data_folder.glob("*/clips"))
    return f" Languages there: {', '.join(languages)}." if languages else ""
