"""Prepare TED-LIUM for training: from its SPH recordings and STM files to CSV files.

Only what is TED-LIUM's own is here; the rest is `summarymixing_sb.data.manifests`.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from speechbrain.utils.logger import get_logger

from summarymixing_sb.data.manifests import Recording, Skipped, find_files, write_manifests
from summarymixing_sb.data.splits import manifests_of

logger = get_logger(__name__)

SAMPLE_RATE = 16000  # Hz, of every TED-LIUM recording
# Distributed as SPH, which is shortened in some copies; the first that is there is taken.
SUFFIXES = (".sph", ".wav", ".flac")
LAYOUT = "<split>/stm/*.stm and <split>/sph/*.sph"
#: Release 3 has the splits of the releases before in this folder.
LEGACY = "legacy"
IGNORED = "ignore_time_segment_in_scoring"
# <unk>, {NOISE}, [laughter]; and the 2 of a second pronunciation, word(2)
FILLERS = re.compile(r"<[^>]*>|\{[^}]*\}|\[[^\]]*\]|\(\d+\)")
# Raised when the same files would give other rows, so that CSV files of before are made again.
RULES = 1


@dataclass(frozen=True)
class Segment:
    """A line of an STM file.

    Attributes
    ----------
    talk, speaker : str
    start, end : float
        Seconds.
    text : str
        As it is written.
    """

    talk: str
    speaker: str
    start: float
    end: float
    text: str


def prepare_tedlium(
    data_folder,
    save_folder,
    train_splits,
    valid_splits,
    test_splits,
    allow_incomplete_evaluation=False,
    allow_overlap=False,
):
    """Write the CSV files that training and testing on TED-LIUM read.

    They are ``train.csv``, all training splits in one, and ``<split>.csv`` for each dev and test
    split, with the columns ID (the talk, and start and end in 10 ms), duration (seconds), wav
    (absolute path of the talk), spk_id, start and end (seconds), recording (the talk) and wrd (see
    :func:`normalise`). Every talk is decoded once; training segments that cannot be used are named
    in the log and listed in ``skipped.csv``. Segments that are not to be scored, and those without
    words, are no part of the sets; they are counted in the log. A second call does nothing while
    files and splits are the same.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds the splits, ``TEDLIUM_release2``; of release 3, the folder that holds
        ``legacy``.
    save_folder : str or Path
        Where the CSV files go.
    train_splits, valid_splits, test_splits : list[str]
        Names of splits: train, dev, test. Each list may be empty, not all three.
    allow_incomplete_evaluation : bool
        Leave what cannot be used out of splits to evaluate on, too, instead of refusing to go on.
        Error rates are then not comparable.
    allow_overlap : bool
        Go on where a recording is trained on and evaluated.

    Raises
    ------
    FileNotFoundError
        If the data folder does not hold TED-LIUM, or a split is not in it.
    ValueError
        If the splits make no sense together, an STM file cannot be understood, no usable segment
        is left in a split, or one to evaluate on is missing or broken.
    """
    folder = Path(os.path.abspath(data_folder))
    manifests = manifests_of(train_splits, valid_splits, test_splits)
    splits = list(dict.fromkeys(split for members in manifests.values() for split in members))
    if (folder / LEGACY).is_dir():
        folder = folder / LEGACY
    _check_data_folder(folder, splits)
    sources = {
        split: find_files(folder / split, "stm/*.stm", *(f"sph/*{suffix}" for suffix in SUFFIXES))
        for split in splits
    }
    write_manifests(
        save_folder,
        manifests,
        sources,
        lambda split: read_split(split, sources[split]),
        {"dataset": "TED-LIUM", "rules": RULES},
        SAMPLE_RATE,
        complete=() if allow_incomplete_evaluation else (*valid_splits, *test_splits),
        allow_overlap=allow_overlap,
    )


def normalise(text):
    """Write a transcript as it is learned and scored.

    Fillers, noises and unknown words are left out; clitics, which STM files write apart, are joined
    to their words, as the field scores TED-LIUM.

    >>> normalise("it 's <unk> {NOISE} the(2) talk of chris '")
    "it's the talk of chris"
    """
    words = FILLERS.sub(" ", text).lower().split()
    joined = []
    for word in words:
        if word.startswith("'") and joined:
            # an apostrophe alone is no part of a word
            joined[-1] += word if len(word) > 1 else ""
        elif word.strip("'"):
            joined.append(word)
    return " ".join(joined)


def read_stm(file):
    """Read an STM file.

    Parameters
    ----------
    file : str or Path
        A segment a line: talk, channel, speaker, start, end, labels and text.

    Returns
    -------
    list of Segment

    Raises
    ------
    ValueError
        If it is not UTF-8 text, or a line is no segment.
    """
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error}") from error
    segments = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(";;"):
            continue
        # the labels may be left out
        found = re.fullmatch(
            r"(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+<[^>]*>)?(.*)", line.strip()
        )
        try:
            talk, _, speaker, start, end, text = found.groups()
            segments.append(Segment(talk, speaker, float(start), float(end), text.strip()))
        except (AttributeError, ValueError) as error:
            raise ValueError(
                f"{file}, line {number}: no talk, channel, speaker, start, end, <labels> and text"
            ) from error
    return segments


def read_split(split, files):
    """Pair the segments of a split with the recordings of their talks.

    Parameters
    ----------
    split : str
        For the log.
    files : list of str
        Absolute paths of its STM files and recordings.

    Returns
    -------
    recordings : list[Recording]
    skipped : list[Skipped]
        Segments without recording, and recordings without segments.
    """
    audio = {}
    for suffix in SUFFIXES:
        for path in map(Path, files):
            if path.suffix == suffix:
                audio.setdefault(path.stem, str(path))
    recordings, skipped, talks, left_out = [], [], set(), 0
    for stm in (path for path in files if path.endswith(".stm")):
        for segment in read_stm(stm):
            talks.add(segment.talk)
            words = normalise(segment.text)
            if IGNORED in segment.text or not words:
                left_out += 1
                continue
            start, end = (round(100 * seconds) for seconds in (segment.start, segment.end))
            key = f"{segment.talk}-{start:07d}-{end:07d}"
            if segment.talk not in audio:
                skipped.append(Skipped(key, stm, "segment without recording"))
                continue
            fields = {"spk_id": segment.speaker, "start": str(segment.start)}
            fields |= {"end": str(segment.end), "recording": segment.talk, "wrd": words}
            recordings.append(Recording(key, audio[segment.talk], fields))
    if left_out:
        logger.info(f"{split}: {left_out} segments without words, or not to be scored")
    skipped += [
        Skipped(talk, path, "recording without segments")
        for talk, path in audio.items()
        if talk not in talks
    ]
    return recordings, skipped


def _check_data_folder(folder, splits):
    """Raise with what was looked for and what is there, if a split is missing."""
    missing = [split for split in splits if not any((folder / split / "stm").glob("*.stm"))]
    if missing:
        present = sorted({path.parents[1].name for path in folder.glob("*/stm/*.stm")})
        raise FileNotFoundError(
            f"TED-LIUM is not in data_folder {folder}: there is no {LAYOUT} for the split(s) "
            f"{', '.join(missing)}. Splits there: {', '.join(present) or 'none'}."
        )
