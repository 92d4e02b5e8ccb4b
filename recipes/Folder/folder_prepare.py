"""Prepare data of one's own: a folder of recordings with their texts, or a table of both.

Only what is this layout's own is here; the rest is `summarymixing_sb.data.manifests`.
"""

import hashlib
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from summarymixing_sb.data.manifests import Recording, Skipped, write_manifests
from summarymixing_sb.data.splits import manifests_of

from items import read_folder, read_table

# Raised when the same files would give other rows, so that CSV files of before are made again.
RULES = 2
#: Share of the utterances that a split to evaluate on has at least, where speakers are divided.
EVALUATED_SHARE = 0.1


def prepare_folder(
    data_folder,
    save_folder,
    train_splits,
    valid_splits,
    test_splits,
    table=None,
    audio_column="audio",
    text_column="text",
    allow_incomplete_evaluation=False,
    allow_overlap=False,
):
    """Write the CSV files that training and testing read.

    They are ``train.csv``, all training splits in one, and ``<split>.csv`` for each other split,
    with the columns ID, duration (seconds), wav (absolute path), spk_id and wrd (the text, with
    single spaces). Every recording is decoded once; those that cannot be used are named in the log
    and listed in ``skipped.csv``. A second call does nothing while files and arguments are the
    same.

    Without a table, ``name.wav`` (or another format) has its text in ``name.txt`` beside it. The
    folder directly below `data_folder` is the split, if it has the name of one; the folder that a
    recording is in is its speaker. With a table, its columns ``split`` and ``speaker`` say that,
    if it has them; ``start`` and ``end``, in seconds, name a part of the recording. Where nothing
    names a split, speakers are divided: a tenth of the utterances for each split to evaluate on,
    the same in every call.

    Parameters
    ----------
    data_folder : str or Path
        What paths in a table are relative to, too.
    save_folder : str or Path
        Where the CSV files go.
    train_splits, valid_splits, test_splits : list[str]
        Names of splits. Each list may be empty, not all three.
    table : str or Path, optional
        A ``.csv``, ``.tsv`` or ``.jsonl`` file, with a header or keys.
    audio_column, text_column : str
        Of the table: the path of a recording, and its text.
    allow_incomplete_evaluation : bool
        Leave what cannot be used out of splits to evaluate on, too.
    allow_overlap : bool
        Go on where a recording is trained on and evaluated.

    Raises
    ------
    FileNotFoundError
        If the folder or the table is not there, or no recording is.
    ValueError
        If the table cannot be understood, splits cannot be made or make no sense, or no usable
        recording is left in one.
    """
    data_folder = Path(os.path.abspath(data_folder))
    if not data_folder.is_dir():
        raise FileNotFoundError(f"data_folder: there is no folder {data_folder}")
    manifests = manifests_of(train_splits, valid_splits, test_splits)
    splits = list(dict.fromkeys(split for members in manifests.values() for split in members))
    if table is None:
        items = read_folder(data_folder, splits)
    else:
        items = read_table(Path(table), data_folder, audio_column, text_column)
    if not any(item.split for item in items):
        items = divide_speakers(items, train_splits, valid_splits, test_splits)
    of_split = defaultdict(list)
    for item in items:
        of_split[item.split].append(item)
    missing = [split for split in splits if split not in of_split]
    if missing:
        found = ", ".join(sorted(name or "(none)" for name in of_split))
        raise ValueError(
            f"no recording is of the split(s) {', '.join(missing)}; there are {found}: set "
            "train_splits, valid_splits and test_splits, or name them in the data"
        )
    sources = {split: [] for split in splits}
    for split in splits:
        for item in of_split[split]:
            text = Path(item.path).with_suffix(".txt")
            sources[split] += [item.path] if table else [item.path, str(text)]
        sources[split] += [str(table)] if table else []
    write_manifests(
        save_folder,
        manifests,
        sources,
        lambda split: sort_out(of_split[split]),
        {"dataset": "Folder", "rules": RULES, "columns": [audio_column, text_column]},
        complete=() if allow_incomplete_evaluation else (*valid_splits, *test_splits),
        allow_overlap=allow_overlap,
        annotations=dict.fromkeys(splits, str(table)) if table else None,
    )


def divide_speakers(items, train_splits, valid_splits, test_splits):
    """Give each speaker a split, the same in every call.

    Parameters
    ----------
    items : list[Item]
    train_splits, valid_splits, test_splits : list[str]
        One split each.

    Returns
    -------
    list[Item]
    """
    if max(map(len, (train_splits, valid_splits, test_splits))) > 1:
        raise ValueError(
            "nothing says of which split a recording is, and more than one is named in "
            "train_splits, valid_splits or test_splits: name one each"
        )
    speakers = defaultdict(list)
    for item in items:
        speakers[item.speaker].append(item)
    wanted = [*test_splits, *valid_splits, *train_splits]
    if len(speakers) < len(wanted):
        raise ValueError(
            f"nothing says of which split a recording is, and {len(speakers)} speaker(s) cannot be "
            f"divided into {', '.join(wanted)}: put recordings into folders of these names"
        )
    divided, split = [], 0
    by_chance = sorted(speakers, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    count = 0
    for place, speaker in enumerate(by_chance):
        full = count >= EVALUATED_SHARE * len(items)
        needed = len(by_chance) - place <= len(wanted) - 1 - split
        if split < len(wanted) - 1 and count and (full or needed):
            split, count = split + 1, 0
        divided += [replace(item, split=wanted[split]) for item in speakers[speaker]]
        count += len(speakers[speaker])
    return divided


def sort_out(items):
    """Sort the items of a split into what can be used and what cannot.

    Parameters
    ----------
    items : list[Item]

    Returns
    -------
    recordings : list[Recording]
    skipped : list[Skipped]
        Without recording, text or words, or named twice.
    """
    recordings, skipped, seen = [], [], set()
    for item in items:
        problem = ""
        if not os.path.isfile(item.path):
            problem = "text without recording"
        elif item.text is None:
            problem = "recording without text"
        elif not item.text.strip():
            problem = "text without words"
        elif item.id in seen:
            problem = "named twice"
        if problem:
            skipped.append(Skipped(item.id, item.source, problem))
            continue
        seen.add(item.id)
        fields = {"spk_id": item.speaker, "wrd": " ".join(item.text.split())}
        if item.start is not None:
            fields |= {"start": item.start, "end": item.end}
        recordings.append(Recording(item.id, item.path, fields))
    return recordings, skipped
