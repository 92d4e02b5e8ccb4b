"""Prepare CommonVoice for training: from one language's TSV files and clips to CSV files.

`tables` reads the TSV files, `normalisation` makes their sentences transcripts, and the rest is
`summarymixing_sb.data.manifests`.
"""

import csv
import unicodedata
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from normalisation import DEFAULT, SPELLINGS, normalise, unknown_characters
from speechbrain.utils.logger import get_logger
from tables import language_folder, read_table

from summarymixing_sb.data.manifests import Recording, Skipped, write_manifests
from summarymixing_sb.data.splits import manifests_of
from summarymixing_sb.files import atomic_open

logger = get_logger(__name__)

CHARACTERS_FILE = "unknown_characters.csv"
CHARACTERS_IN_LOG = 20
# Raised when the same files would give other rows, so that CSV files of before are made again.
RULES = 1


def prepare_commonvoice(
    data_folder,
    language,
    save_folder,
    train_splits,
    valid_splits,
    test_splits,
    allow_incomplete_evaluation=False,
    allow_overlap=False,
):
    """Write the CSV files that training and testing on one language of CommonVoice read.

    They are ``train.csv``, all training splits in one, and ``<split>.csv`` for each dev and test
    split, with the columns ID (the clip's name), duration (seconds), wav (absolute path), spk_id
    (client_id) and wrd (see `normalisation`). Every clip is decoded once. Training clips that
    cannot be used are named in the log and listed in ``skipped.csv``. Nothing is skipped for its
    length here. Characters that the language does not have are counted in the log and in
    ``unknown_characters.csv``. A second call does nothing while files and splits are the same.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds ``<language>/clips`` and ``<language>/*.tsv``, or ``<language>``.
    language : str
        CommonVoice's code, such as ``fr``.
    save_folder : str or Path
        Where the CSV files go.
    train_splits, valid_splits, test_splits : list[str]
        TSV files without suffix, such as ``train``. Each list may be empty, not all three.
    allow_incomplete_evaluation : bool
        Leave unusable recordings out of dev and test splits too. An utterance whose sentence has
        no words counts as unusable: nothing said of it would be right or wrong.
    allow_overlap : bool
        Go on where a recording is trained on and evaluated, as of ``validated``, which holds the
        dev and test sets.

    Raises
    ------
    FileNotFoundError
        If the data folder does not hold the language, or a TSV file is not in it.
    ValueError
        If the splits make no sense together, a TSV file cannot be understood, no usable recording
        is left in a split, or one of a dev or test split is missing or unusable.
    """
    if not isinstance(language, str) or not language:
        raise ValueError(f"language must be CommonVoice's code, such as fr, not {language!r}.")
    manifests = manifests_of(train_splits, valid_splits, test_splits)
    splits = list(dict.fromkeys(split for members in manifests.values() for split in members))
    folder = language_folder(data_folder, language, splits)
    tables = {split: read_table(folder, split, language) for split in splits}
    sources = {
        split: [str(folder / f"{split}.tsv"), *(row.file for row in rows)]
        for split, rows in tables.items()
    }
    unknown = {}

    def read_split(split):
        unknown[split] = Counter(
            found for row in tables[split] for found in unknown_characters(row.sentence, language)
        )
        return pair(tables[split], language)

    spelling = asdict(SPELLINGS.get(language, DEFAULT))
    write_manifests(
        save_folder,
        manifests,
        sources,
        read_split,
        {"dataset": "CommonVoice", "rules": RULES, "language": language, "spelling": spelling},
        complete=() if allow_incomplete_evaluation else {*valid_splits, *test_splits},
        allow_overlap=allow_overlap,
        annotations={split: str(folder / f"{split}.tsv") for split in splits},
    )
    if unknown:  # empty when there was nothing to prepare
        _report_characters(unknown, language, Path(save_folder) / CHARACTERS_FILE)


def pair(rows, language):
    """Sort the rows of a split into what can be used and what cannot.

    Parameters
    ----------
    rows : list[tables.Row]
    language : str

    Returns
    -------
    recordings : list[Recording]
        Clips with a transcript.
    skipped : list[Skipped]
        Rows without clip or words, cut rows, and second rows for a clip.
    """
    recordings, skipped, seen = [], [], set()
    for row in rows:
        words = normalise(row.sentence, language)
        if row.problem:
            skipped.append(Skipped(row.clip, row.file, row.problem))
        elif row.clip in seen:
            skipped.append(Skipped(row.clip, row.file, "second row for the clip"))
        elif not words:
            problem = "sentence without words"
            skipped.append(Skipped(row.clip, row.file, problem, repr(row.sentence)))
        else:
            fields = {"spk_id": row.speaker, "wrd": words}
            recordings.append(Recording(row.clip, row.file, fields))
        seen.add(row.clip)
    return recordings, skipped


def _report_characters(unknown, language, path):
    """Write which characters transcripts could not hold, and log the most frequent."""
    total = sum(unknown.values(), Counter())
    if total:
        named = ", ".join(
            f"{character} ({_name(character)}) {count} x"
            for (character, _), count in total.most_common(CHARACTERS_IN_LOG)
        )
        if len(total) > CHARACTERS_IN_LOG:
            named += f", and {len(total) - CHARACTERS_IN_LOG} more in {path}"
        logger.warning(f"Characters that the spelling of '{language}' does not have: {named}")
    with atomic_open(path) as file:
        writer = csv.writer(file)
        writer.writerow(["split", "character", "name", "count", "becomes"])
        for split, counts in unknown.items():
            for (character, replacement), count in counts.most_common():
                writer.writerow([split, character, _name(character), count, replacement])


def _name(character):
    """Unicode's name of a character, or its code where it has none."""
    return unicodedata.name(character, f"U+{ord(character):04X}")
