"""Prepare AISHELL-1 for training: from its folders of WAV files and its transcript to CSV files.

Only what is AISHELL-1's own is here; the rest is `summarymixing_sb.data.manifests`.
"""

import os
import re
import unicodedata
from pathlib import Path

from speechbrain.utils.logger import get_logger

from summarymixing_sb.data.manifests import Recording, Skipped, find_files, write_manifests
from summarymixing_sb.data.splits import manifests_of

logger = get_logger(__name__)

SAMPLE_RATE = 16000  # Hz, of every AISHELL-1 recording
TRANSCRIPT = "transcript/aishell_transcript_v0.8.txt"
LAYOUT = f"wav/<split>/<speaker>/*.wav and {TRANSCRIPT}"
# BAC009 (the corpus), S0002 (the speaker), W0122 (the sentence)
NAME = re.compile(r".*(S\d+)W\d+")
NAMED = 5
# Raised when the same files would give other rows, so that CSV files of before are made again.
RULES = 1


def prepare_aishell(
    data_folder,
    save_folder,
    train_splits,
    valid_splits,
    test_splits,
    allow_incomplete_evaluation=False,
    allow_overlap=False,
):
    """Write the CSV files that training and testing on AISHELL-1 read.

    They are ``train.csv``, all training splits in one, and ``<split>.csv`` for each dev and test
    split, with the columns ID, duration (seconds), wav (absolute path), spk_id and wrd (see
    :func:`normalise`). Every recording is decoded once; training recordings that cannot be used
    are named in the log and listed in ``skipped.csv``. Recordings that the transcript does not
    name, as the corpus has some hundred, are no part of it; they are counted in the log. A second
    call does nothing while files and splits are the same.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds ``wav`` and ``transcript``, usually named ``data_aishell``.
    save_folder : str or Path
        Where the CSV files go.
    train_splits, valid_splits, test_splits : list[str]
        Folders of ``wav``: train, dev, test. Each list may be empty, not all three.
    allow_incomplete_evaluation : bool
        Leave what cannot be used out of splits to evaluate on, too, instead of refusing to go on.
        Error rates are then not comparable.
    allow_overlap : bool
        Go on where a recording is trained on and evaluated.

    Raises
    ------
    FileNotFoundError
        If the data folder does not hold AISHELL-1, a split is not in it, or archives in it are
        still packed.
    ValueError
        If the splits make no sense together, the transcript is not text, speakers whom it names
        are in no split, no usable recording is left in a split, or one to evaluate on is missing
        or broken.
    """
    folder = Path(os.path.abspath(data_folder))
    manifests = manifests_of(train_splits, valid_splits, test_splits)
    splits = list(dict.fromkeys(split for members in manifests.values() for split in members))
    folder = _corpus_folder(folder, splits)
    texts = read_transcript(folder / TRANSCRIPT)
    speakers = _speakers(folder)
    if not allow_incomplete_evaluation:
        _refuse_missing_speakers(folder, texts, speakers)
    audio = {split: find_files(folder / "wav" / split, "*/*.wav") for split in splits}
    sources = {split: [str(folder / TRANSCRIPT), *files] for split, files in audio.items()}
    write_manifests(
        save_folder,
        manifests,
        sources,
        lambda split: pair(split, audio[split], texts, speakers, str(folder / TRANSCRIPT)),
        {"dataset": "AISHELL-1", "rules": RULES},
        SAMPLE_RATE,
        complete=() if allow_incomplete_evaluation else (*valid_splits, *test_splits),
        allow_overlap=allow_overlap,
        annotations={split: str(folder / TRANSCRIPT) for split in splits},
    )


def normalise(text):
    """Write a transcript as it is learned and scored: characters without blanks.

    Unicode form NFKC, so that Latin letters have their usual width, in capitals; the blanks between
    words, which nobody says, are left out.

    >>> normalise("苹果 的 ｉｐａｄ")
    '苹果的IPAD'
    """
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


def read_transcript(file):
    """Read the transcript of the whole corpus.

    Parameters
    ----------
    file : Path
        A line an utterance: its name, and its words with blanks between them.

    Returns
    -------
    dict of str to str
        Normalised texts by name.

    Raises
    ------
    ValueError
        If it is not UTF-8 text, names an utterance twice, or by a name that tells no speaker.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error}") from error
    texts = {}
    for number, line in enumerate(lines, 1):
        name, *words = line.split(maxsplit=1)[:2] or [""]
        if not name:
            continue
        if not NAME.fullmatch(name):
            raise ValueError(
                f"{file}, line {number}: {name} is no name of an utterance, such as "
                "BAC009S0002W0122, which tells the speaker"
            )
        if name in texts:
            raise ValueError(f"{file}, line {number}: a second transcript of {name}")
        texts[name] = normalise(words[0] if words else "")
    return texts


def pair(split, files, texts, speakers, transcript):
    """Pair the recordings of a split with their transcripts.

    Parameters
    ----------
    split : str
    files : list of str
        Absolute paths of its WAV files.
    texts : dict of str to str
        Of the whole corpus, by name.
    speakers : dict of str to str
        Split by speaker.
    transcript : str
        File of the texts.

    Returns
    -------
    recordings : list[Recording]
        Utterances that have both.
    skipped : list[Skipped]
        Transcripts of the split's speakers without audio, or without words.
    """
    audio = {Path(path).stem: path for path in files}
    recordings, skipped = [], []
    for name, text in texts.items():
        speaker = _speaker(name)
        if speakers.get(speaker) != split:
            continue
        if name not in audio:
            skipped.append(Skipped(name, transcript, "transcript without audio"))
        elif not text:
            skipped.append(Skipped(name, audio[name], "transcript without words"))
        else:
            fields = {"spk_id": speaker, "wrd": text}
            recordings.append(Recording(name, audio[name], fields))
    if silent := audio.keys() - texts.keys():
        logger.info(f"{split}: {len(silent)} recordings that the transcript does not name")
    return recordings, skipped


def _speaker(name):
    """Give the speaker of an utterance, who is a part of its name."""
    return NAME.fullmatch(name)[1]


def _speakers(folder):
    """Give the split of each speaker who has a folder."""
    return {path.name: path.parent.name for path in folder.glob("wav/*/*") if path.is_dir()}


def _corpus_folder(folder, splits):
    """Give the folder that holds the corpus; raise with what was looked for if it is not there."""
    if not (folder / TRANSCRIPT).is_file() and (folder / "data_aishell" / TRANSCRIPT).is_file():
        folder = folder / "data_aishell"
    packed = sorted(path.name for path in (folder / "wav").glob("*.tar.gz"))
    unpacked = _speakers(folder)
    packed = [name for name in packed if name.removesuffix(".tar.gz") not in unpacked]
    if packed:
        raise FileNotFoundError(
            f"{len(packed)} archives in {folder}/wav are still packed ({_some(packed)}): unpack "
            f"them with (cd {folder}/wav && for a in *.tar.gz; do tar xzf $a; done)"
        )
    missing = [split for split in splits if not any((folder / "wav" / split).glob("*/*.wav"))]
    if missing or not (folder / TRANSCRIPT).is_file():
        present = sorted({*_speakers(folder).values()})
        raise FileNotFoundError(
            f"AISHELL-1 is not in data_folder {folder}: looked for {LAYOUT}, for the split(s) "
            f"{', '.join(splits)}. Splits there: {', '.join(present) or 'none'}; the transcript is "
            f"{'there' if (folder / TRANSCRIPT).is_file() else 'not there'}."
        )
    return folder


def _refuse_missing_speakers(folder, texts, speakers):
    """Raise if the transcript names speakers who have no folder: they may be of any split."""
    missing = sorted({_speaker(name) for name in texts} - speakers.keys())
    if missing:
        raise ValueError(
            f"{TRANSCRIPT} names {len(missing)} speakers who have no folder in {folder}/wav/*: "
            f"{_some(missing)}. If they are of a split to evaluate on, its error rate would not be "
            "that of the whole split. Unpack them, or say allow_incomplete_evaluation=True."
        )


def _some(names):
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f", and {more} more" if more > 0 else "")
