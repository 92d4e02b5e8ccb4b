"""Prepare SLURP for training: from its JSON lines and FLAC files to CSV files.

Only what is SLURP's own is here; the rest is `summarymixing_sb.data.manifests`.
"""

import json
import os
from pathlib import Path

from summarymixing_sb.data.manifests import Recording, Skipped, write_manifests
from summarymixing_sb.data.semantics import (
    Semantics,
    annotated_entities,
    parse_annotation,
    to_string,
)
from summarymixing_sb.data.splits import manifests_of
from summarymixing_sb.evaluation.slurp import RECORDINGS, is_chosen

SAMPLE_RATE = 16000  # Hz, of every SLURP recording
ANNOTATIONS = Path("dataset", "slurp")
SYNTHETIC = "train_synthetic"  # the split whose audio is in a folder of its own
TEXTS = ("sentence", "sentence_annotation", "scenario", "action")  # keys of a sentence
# Raised when the same files would give other rows, so that CSV files of before are made again.
RULES = 3


def prepare_slurp(
    data_folder,
    save_folder,
    train_splits,
    valid_splits,
    test_splits,
    recordings="both",
    allow_incomplete_evaluation=False,
    allow_overlap=False,
):
    """Write the CSV files that training and testing on SLURP read.

    They are ``train.csv``, all training splits in one, and ``<split>.csv`` for each other split,
    with one row per recording and the columns ID (its file's name without ``.flac``), duration
    (seconds), wav (absolute path), spk_id (``unknown`` where the annotations name no speaker;
    the official ones do not), wrd (the sentence, lower case), intent (``scenario_action``),
    semantics (what `summarymixing_sb.data.semantics.to_string` writes), entities (JSON: types and
    fillers as the official scorer has them, or null) and slurp_id (the sentence's). Every
    recording is decoded once; those that cannot be used are named in the log and listed in
    ``skipped.csv``. A second call does nothing while files and arguments are the same.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds ``dataset/slurp/*.jsonl``, ``audio/slurp_real`` and, for the split
        ``train_synthetic``, ``audio/slurp_synth``.
    save_folder : str or Path
        Where the CSV files go.
    train_splits, valid_splits, test_splits : list[str]
        Names of splits: ``train``, ``train_synthetic``, ``devel``, ``test``. Each list may be
        empty, not all three.
    recordings : str
        Which recordings of people to take: ``headset``, ``far`` or ``both``. Synthetic ones are
        neither, and always taken.
    allow_incomplete_evaluation : bool
        Leave out what cannot be used of ``valid_splits`` and ``test_splits`` too, instead of
        refusing to go on. Scores are then not comparable.
    allow_overlap : bool
        Go on where a recording is trained on and evaluated.

    Raises
    ------
    FileNotFoundError
        If the data folder does not hold SLURP, or a split is not in it.
    ValueError
        If the splits or `recordings` make no sense, a line of the annotations cannot be read,
        no usable recording is left in a split, or one to evaluate on is missing or broken.
    """
    if recordings not in RECORDINGS:
        raise ValueError(f"recordings: choose {', '.join(RECORDINGS)}, not {recordings!r}.")
    manifests = manifests_of(train_splits, valid_splits, test_splits)
    splits = list(dict.fromkeys(split for members in manifests.values() for split in members))
    data_folder = Path(os.path.abspath(data_folder))
    _check_data_folder(data_folder, splits)
    annotations, audio, sources = {}, {}, {}
    for split in splits:
        annotations[split] = data_folder / ANNOTATIONS / f"{split}.jsonl"
        kind = "both" if split == SYNTHETIC else recordings
        audio[split] = list(find_audio(_audio_folder(data_folder, split), annotations[split], kind))
        named = [path for path, *_ in audio[split] if path is not None]
        sources[split] = [str(annotations[split]), *named]
    write_manifests(
        save_folder,
        manifests,
        sources,
        lambda split: read_split(annotations[split], audio[split]),
        {"dataset": "SLURP", "rules": RULES, "recordings": recordings},
        SAMPLE_RATE,
        complete=() if allow_incomplete_evaluation else (*valid_splits, *test_splits),
        allow_overlap=allow_overlap,
    )


def find_audio(folder, annotations, recordings="both"):
    """Find the audio files that the annotations of a split name.

    Parameters
    ----------
    folder : Path
        The folder of the audio files.
    annotations : Path
        SLURP's JSON lines, one sentence each.
    recordings : str
        ``headset``, ``far`` or ``both``: which of the files to take.

    Yields
    ------
    path : str or None
        Of an audio file, there or not; None for a sentence without any.
    speaker : str
        Who speaks.
    sentence : dict
        What SLURP says about the sentence that is spoken.

    Raises
    ------
    ValueError
        If a line is not what SLURP writes; names file, line and what is wrong.
    """
    for number, line in enumerate(annotations.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            sentence = json.loads(line)
            files = [(r["file"], r.get("usrid", "unknown")) for r in sentence["recordings"]]
            if not all(isinstance(sentence[key], str) for key in TEXTS):
                raise TypeError(f"not all of {', '.join(TEXTS)} are texts")
            for file, _ in files:
                _check_name(file)
            line.decode("utf-8")
            json.dumps(sentence, ensure_ascii=False).encode("utf-8")  # fails for half characters
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{annotations}, line {number} is not a sentence of SLURP, with the keys "
                f"{', '.join(TEXTS)}, recordings and the file of each: {error!r}"
            ) from error
        except (ValueError, RecursionError) as error:  # neither JSON, nor UTF-8
            raise ValueError(f"{annotations}, line {number} is not JSON: {error}") from error
        for file, speaker in files:
            if is_chosen(file, recordings):
                yield str(folder / file), speaker, sentence
        if not files:
            yield None, "unknown", sentence


def _check_name(file):
    """Refuse what is not the name of a file in the folder of the recordings."""
    if not isinstance(file, str) or not file or Path(file).name != file or "\0" in file:
        raise TypeError(f"the file {file!r} is no name of a recording")


def read_split(annotations, audio):
    """Say what the audio files of a split mean.

    Parameters
    ----------
    annotations : Path
        SLURP's JSON lines, to be named where something is wrong with them.
    audio : list[tuple[str, str, dict]]
        What `find_audio` found.

    Returns
    -------
    recordings : list[Recording]
        Those that have an audio file and an annotation that can be read.
    skipped : list[Skipped]
        Files that are not there or are named twice, and annotations that cannot be read.
    """
    recordings, skipped, seen = [], [], set()
    for path, speaker, sentence in audio:
        if path is None:
            name = f"sentence {sentence.get('slurp_id', '')}".strip()
            skipped.append(Skipped(name, str(annotations), "sentence without recordings"))
            continue
        name = Path(path).stem
        try:
            if path in seen:
                skipped.append(Skipped(name, str(annotations), "named twice"))
            elif not os.path.isfile(path):
                skipped.append(Skipped(name, path, "missing audio"))
            else:
                recordings.append(Recording(name, path, _fields(speaker, sentence)))
        except ValueError as error:
            problem = Skipped(name, str(annotations), "unreadable annotation", str(error))
            skipped.append(problem)
        seen.add(path)
    return recordings, skipped


def _fields(speaker, sentence):
    """Make the CSV columns of a recording of a sentence; raise if it cannot be read."""
    parts = parse_annotation(sentence["sentence_annotation"])
    if not parts and sentence["sentence"].strip():
        raise ValueError(f"no words, and the sentence is {sentence['sentence']!r}")
    # from its parts and not from SLURP's own key `intent`, which lacks the scenario here and there
    semantics = Semantics(sentence["scenario"], sentence["action"], parts)
    return {
        "spk_id": speaker,
        "wrd": " ".join(sentence["sentence"].lower().split()),
        "intent": semantics.intent,
        "semantics": to_string(semantics),
        "entities": json.dumps(annotated_entities(sentence)),
        "slurp_id": str(sentence.get("slurp_id", "")),
    }


def _audio_folder(data_folder, split):
    """Where the recordings of a split are."""
    return data_folder / "audio" / ("slurp_synth" if split == SYNTHETIC else "slurp_real")


def _check_data_folder(data_folder, splits):
    """Raise with what was looked for, what is there, and a hint, if a split is missing."""
    there = {path.stem for path in (data_folder / ANNOTATIONS).glob("[!.]*.jsonl")}
    missing = [split for split in splits if split not in there]
    if missing:
        looked_for = f"no {data_folder / ANNOTATIONS}/<split>.jsonl for {', '.join(missing)}"
        if not data_folder.is_dir():
            raise FileNotFoundError(f"data_folder {data_folder} is not a folder: {looked_for}.")
        if there:
            raise FileNotFoundError(f"There is {looked_for}. There are {', '.join(sorted(there))}.")
        hint = "".join(f" Did you mean --data_folder={f} ?" for f in _folders_meant(data_folder))
        raise FileNotFoundError(f"SLURP is not in data_folder {data_folder}: {looked_for}.{hint}")
    for split in splits:
        if not _audio_folder(data_folder, split).is_dir():
            raise FileNotFoundError(
                f"There is no folder {_audio_folder(data_folder, split)}, where the recordings of "
                f"{split} should be. SLURP's audio is downloaded apart from its annotations."
            )


def _folders_meant(data_folder):
    """Give the folder that holds SLURP, if the user pointed some levels above or below it."""
    near = [*data_folder.glob("[!.]*"), *data_folder.parents[:2]]
    return [folder for folder in near if (folder / ANNOTATIONS).is_dir()][:1]
