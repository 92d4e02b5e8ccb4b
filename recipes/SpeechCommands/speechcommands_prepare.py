"""Prepare Google Speech Commands for training: from its folders of WAV files to CSV files.

Only what is Speech Commands' own is here; the rest is `summarymixing_sb.data.manifests`.
"""

import os
import random
from pathlib import Path

import soundfile

from summarymixing_sb.data.manifests import Recording, Skipped, find_files, write_manifests
from summarymixing_sb.data.splits import manifests_of

SAMPLE_RATE = 16000  # Hz, of every recording of Speech Commands
NOISE = "_background_noise_"
LISTS = {"validation": "validation_list.txt", "testing": "testing_list.txt"}
SPLITS = ("train", *LISTS)
#: The words that count where there are 12 classes; others are "unknown".
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
UNKNOWN, SILENCE = "unknown", "silence"
TWELVE = len(COMMANDS) + 2
#: Of each recording of noise, the part that a split takes its silence from, from and to.
SHARES = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "testing": (0.9, 1.0)}
SECONDS = 1.0  # of a silence, as of a word
# Raised when the same files would give other rows, so that CSV files of before are made again.
RULES = 1


def prepare_speechcommands(
    data_folder,
    save_folder,
    train_splits,
    valid_splits,
    test_splits,
    classes=35,
    allow_incomplete_evaluation=False,
    allow_overlap=False,
):
    """Write the CSV files that training and testing on Speech Commands read.

    They are ``train.csv``, all training splits in one, and ``<split>.csv`` for each other split,
    with the columns ID (word and name of the file), duration (seconds), wav (absolute path),
    spk_id, start and end (seconds, of a silence alone) and class. Every recording is decoded once;
    training recordings that cannot be used are named in the log and listed in ``skipped.csv``. A
    second call does nothing while files and arguments are the same.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds a folder for each word, ``validation_list.txt`` and
        ``testing_list.txt``.
    save_folder : str or Path
        Where the CSV files go.
    train_splits, valid_splits, test_splits : list[str]
        ``train`` (what neither list names), ``validation`` and ``testing``. Each list may be empty,
        not all three.
    classes : int
        As many as there are words (35 in version 0.02, 30 in 0.01); or 12: ten commands,
        ``unknown`` for other words and ``silence`` out of the background noise, of both in each
        split as many as there are of a command on average.
    allow_incomplete_evaluation : bool
        Leave what cannot be used out of splits to evaluate on, too, instead of refusing to go on.
    allow_overlap : bool
        Go on where a recording or a speaker is trained on and evaluated.

    Raises
    ------
    FileNotFoundError
        If the data folder does not hold Speech Commands.
    ValueError
        If the splits make no sense, the words are not as many as the classes, a speaker is in two
        splits, no usable recording is left in a split, or one to evaluate on is missing or broken.
    """
    folder = Path(os.path.abspath(data_folder))
    manifests = manifests_of(train_splits, valid_splits, test_splits)
    splits = [split for members in manifests.values() for split in members]
    if unknown := sorted({*splits} - {*SPLITS}):
        raise ValueError(f"there is no split {', '.join(unknown)}: choose {', '.join(SPLITS)}")
    listed = read_lists(folder)
    words = _words(folder, classes)
    names = {split: sorted(own) for split, own in listed.items()}
    evaluated = {name for own in listed.values() for name in own}
    present = [
        f"{word}/{Path(p).name}" for word in words for p in find_files(folder / word, "*.wav")
    ]
    names["train"] = [name for name in present if name not in evaluated]
    if not allow_overlap:
        _refuse_shared_speakers(names)
    noises = find_files(folder / NOISE, "*.wav") if classes == TWELVE else []
    if classes == TWELVE and not noises:
        raise FileNotFoundError(f"12 classes need {folder / NOISE}/*.wav to make silence of")
    rows = {split: choose(names[split], split, classes) for split in splits}
    paths = {split: {str(folder / name) for name, _ in own} for split, own in rows.items()}
    sources = {
        split: [*(str(folder / file) for file in LISTS.values()), *sorted(own), *noises]
        for split, own in paths.items()
    }
    write_manifests(
        save_folder,
        manifests,
        sources,
        lambda split: pair(folder, split, rows[split], noises),
        {"dataset": "SpeechCommands", "rules": RULES, "classes": classes},
        SAMPLE_RATE,
        complete=() if allow_incomplete_evaluation else (*valid_splits, *test_splits),
        allow_overlap=allow_overlap,
        annotations={split: str(folder / LISTS[split]) for split in splits if split in LISTS},
    )


def read_lists(folder):
    """Read the official lists.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to set of str
        Names as ``word/file.wav`` by split.

    Raises
    ------
    FileNotFoundError
        If one of them is not there.
    """
    listed = {}
    for split, name in LISTS.items():
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"Speech Commands is not in data_folder {folder}: there is no {name} (looked for "
                f"<word>/*.wav, {', '.join(LISTS.values())})"
            )
        listed[split] = {*(folder / name).read_text(encoding="utf-8").split()}
    return listed


def choose(names, split, classes):
    """Choose the recordings of a split, and give them their labels.

    Parameters
    ----------
    names : list of str
        ``word/file.wav``.
    split : str
        Seeds what is drawn: the same names give the same choice.
    classes : int

    Returns
    -------
    list of (str, str)
        Name and label.
    """
    if classes != TWELVE:
        return [(name, _word(name)) for name in names]
    draw = random.Random(split)
    commands = [(name, _word(name)) for name in names if _word(name) in COMMANDS]
    others = [name for name in names if _word(name) not in COMMANDS]
    count = round(len(commands) / len(COMMANDS))
    unknown = sorted(draw.sample(others, min(count, len(others))))
    return [*commands, *((name, UNKNOWN) for name in unknown)]


def pair(folder, split, rows, noises):
    """Make the recordings of a split, silences among them.

    Parameters
    ----------
    folder : Path
    split : str
    rows : list of (str, str)
        From :func:`choose`.
    noises : list of str
        Files of background noise, empty where there is no silence.

    Returns
    -------
    recordings : list[Recording]
    skipped : list[Skipped]
        What a list names and is not there.
    """
    recordings, skipped = [], []
    for name, label in rows:
        path, key = folder / name, f"{_word(name)}-{Path(name).stem}"
        if path.is_file():
            fields = {"spk_id": _speaker(name), "start": "", "end": "", "class": label}
            recordings.append(Recording(key, str(path), fields))
        else:
            skipped.append(Skipped(key, str(path), "listed, and not there"))
    if noises:
        count = round(sum(label in COMMANDS for _, label in rows) / len(COMMANDS))
        recordings += _silences(split, noises, count)
    return recordings, skipped


def _silences(split, noises, count):
    """Yield seconds of noise, each split's from parts of its own."""
    draw = random.Random(f"{split} {SILENCE}")
    first, last = SHARES[split]
    for number in range(count):
        path = noises[number % len(noises)]
        seconds = soundfile.info(path).duration
        start = draw.uniform(first * seconds, max(first * seconds, last * seconds - SECONDS))
        fields = {"spk_id": NOISE, "start": f"{start:.4f}", "end": f"{start + SECONDS:.4f}"}
        yield Recording(f"{SILENCE}-{number:04d}", path, {**fields, "class": SILENCE})


def _words(folder, classes):
    """Name the words of the corpus; raise if they are not as many as the classes."""
    words = sorted({path.parent.name for path in folder.glob("[a-z]*/*.wav")})
    if classes == TWELVE:
        missing = sorted({*COMMANDS} - {*words})
        if missing:
            raise FileNotFoundError(f"{folder} has no recordings of {', '.join(missing)}")
    elif len(words) != classes:
        raise ValueError(
            f"{folder} holds {len(words)} words and classes is {classes}: version 0.02 has 35, "
            "0.01 has 30; give their number, or 12 (ten commands, unknown and silence)"
        )
    return words


def _refuse_shared_speakers(names):
    """Raise if a speaker is in two splits: the lists are not those of these recordings."""
    seen = {}
    for split, own in names.items():
        for name in own:
            other = seen.setdefault(_speaker(name), split)
            if other != split:
                raise ValueError(
                    f"speaker {_speaker(name)} is in the splits {other} and {split} (such as "
                    f"{name}): take both lists from the version of the recordings, or say "
                    "allow_overlap=True"
                )


def _word(name):
    return name.partition("/")[0]


def _speaker(name):
    """Give the hash of a speaker, which begins the names of files."""
    return Path(name).stem.partition("_nohash_")[0]
