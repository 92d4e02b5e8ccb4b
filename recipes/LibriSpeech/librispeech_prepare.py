"""Prepare LibriSpeech for training: from its folders of FLAC and transcripts to CSV files.

Only what is LibriSpeech's own is here; the rest is `summarymixing_sb.data.manifests`.
"""

import glob
import os
import re
from pathlib import Path

from summarymixing_sb.data.manifests import Recording, Skipped, find_files, write_manifests
from summarymixing_sb.data.splits import manifests_of

SAMPLE_RATE = 16000  # Hz, of every LibriSpeech recording
# Distributed as FLAC; what else is laid out like LibriSpeech may have another. The first is taken.
SUFFIXES = (".flac", ".wav", ".mp3", ".ogg", ".opus")
LAYOUT = "<split>/<speaker>/<chapter>/*.trans.txt"
# Raised when the same files would give other rows, so that CSV files of before are made again.
RULES = 3


def prepare_librispeech(
    data_folder,
    save_folder,
    train_splits,
    valid_splits,
    test_splits,
    allow_incomplete_evaluation=False,
    allow_overlap=False,
):
    """Write the CSV files that training and testing on LibriSpeech read.

    They are ``train.csv``, all training splits in one, and ``<split>.csv`` for each dev and test
    split, with the columns ID, duration (seconds), wav (absolute path), spk_id, recording
    (speaker and chapter) and wrd (upper case). Every recording is decoded once; those that cannot
    be used are named in the log and listed in ``skipped.csv``. A second call does nothing while
    files and splits are the same.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds the splits, usually named ``LibriSpeech``.
    save_folder : str or Path
        Where the CSV files go.
    train_splits, valid_splits, test_splits : list[str]
        Names of splits, such as ``train-clean-100``. Each list may be empty, not all three.
    allow_incomplete_evaluation : bool
        Leave what cannot be used out of splits to evaluate on, too, instead of refusing to go on.
        Error rates are then not comparable.
    allow_overlap : bool
        Go on where a recording is trained on and evaluated.

    Raises
    ------
    FileNotFoundError
        If the data folder does not hold LibriSpeech, or a split is not in it.
    ValueError
        If the splits make no sense together, a transcript file is not text, no usable recording is
        left in a split, or one to evaluate on is missing or broken.
    """
    data_folder = Path(os.path.abspath(data_folder))
    manifests = manifests_of(train_splits, valid_splits, test_splits)
    splits = list(dict.fromkeys(split for members in manifests.values() for split in members))
    _check_data_folder(data_folder, splits)
    sources = {
        split: [
            path
            for path in find_files(data_folder / split, "*/*/*")
            if path.lower().endswith((*SUFFIXES, ".trans.txt"))
        ]
        for split in splits
    }
    write_manifests(
        save_folder,
        manifests,
        sources,
        lambda split: read_split(sources[split]),
        {"dataset": "LibriSpeech", "rules": RULES},
        SAMPLE_RATE,
        complete=() if allow_incomplete_evaluation else (*valid_splits, *test_splits),
        allow_overlap=allow_overlap,
    )


def read_split(files):
    """Pair the transcripts of a split with its audio files.

    Parameters
    ----------
    files : list[str]
        Absolute paths of the split's audio and ``.trans.txt`` files.

    Returns
    -------
    recordings : list[Recording]
        Utterances that have both.
    skipped : list[Skipped]
        Audio without transcript, transcripts without audio, without words, or given twice.
    """
    audio = {}
    for suffix in SUFFIXES:
        for path in map(Path, files):
            if path.suffix.lower() == suffix:
                audio.setdefault((path.parent, path.stem), path)
    recordings, skipped, seen = [], [], set()
    for transcript in (Path(path) for path in files if path.endswith(".trans.txt")):
        for line in _lines(transcript):
            utterance, words = [*re.split(r"[ \t]+", line, maxsplit=1), ""][:2]
            key = (transcript.parent, utterance)
            if key in seen:
                skipped.append(Skipped(utterance, str(transcript), "second transcript"))
                continue
            seen.add(key)
            if key not in audio:
                skipped.append(Skipped(utterance, str(transcript), "transcript without audio"))
            elif not words.strip():
                skipped.append(Skipped(utterance, str(transcript), "transcript without words"))
            else:
                speaker = transcript.parent.parent.name
                chapter = f"{speaker}-{transcript.parent.name}"
                text = " ".join(words.split()).upper()
                fields = {"spk_id": speaker, "recording": chapter, "wrd": text}
                recordings.append(Recording(utterance, str(audio[key]), fields))
    skipped += [
        Skipped(path.stem, str(path), "audio without transcript")
        for key, path in audio.items()
        if key not in seen
    ]
    return recordings, skipped


def _lines(transcript):
    """Lines of a transcript file that are not blank."""
    try:
        # a byte order mark is no part of the first name
        text = transcript.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{transcript} is not UTF-8 text: {error}") from error
    # not splitlines, which also ends lines at characters that may stand in a transcript
    return [line.strip() for line in text.split("\n") if line.strip()]


def _check_data_folder(data_folder, splits):
    """Raise with what was looked for, what is there, and a hint, if a split is missing."""
    missing = [split for split in splits if not _matches(data_folder / split, "*/*/*.trans.txt")]
    if not missing:
        return
    looked_for = f"no {data_folder}/{LAYOUT} for the split(s) {', '.join(missing)}"
    if not data_folder.is_dir():
        raise FileNotFoundError(f"data_folder {data_folder} is not a folder: {looked_for}.")
    present = sorted(
        folder.name for folder in data_folder.iterdir() if _matches(folder, "*/*/*.trans.txt")
    )
    if present:
        raise FileNotFoundError(f"There is {looked_for}. Splits there: {', '.join(present)}.")
    message = f"LibriSpeech is not in data_folder {data_folder}: {looked_for}."
    meant = _folder_meant(data_folder)
    if meant is not None:
        message += f" Did you mean --data_folder={meant} ?"
    raise FileNotFoundError(message)


def _folder_meant(data_folder):
    """Give the folder that holds the splits, if the user pointed some levels above or below it."""
    if _matches(data_folder, "LibriSpeech/*/*/*/*.trans.txt"):
        return data_folder / "LibriSpeech"
    # A split, a speaker or a chapter: as many levels too low as the pattern is shorter.
    for level, pattern in enumerate(("*/*/*.trans.txt", "*/*.trans.txt", "*.trans.txt")):
        if _matches(data_folder, pattern):
            return data_folder.parents[level]
    return None


def _matches(folder, pattern):
    """Whether a folder holds anything that matches a glob pattern."""
    return next(glob.iglob(pattern, root_dir=folder), None) is not None
