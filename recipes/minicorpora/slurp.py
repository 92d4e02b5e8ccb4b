"""A small spoken corpus in SLURP's own layout.

    python -m recipes.minicorpora.slurp OUTPUT

writes ``OUTPUT/SLURP/dataset/slurp/{train,train_synthetic,devel,test}.jsonl`` and the FLAC files
at 16 kHz that they name: ``OUTPUT/SLURP/audio/slurp_real``, of train_synthetic ``slurp_synth``.
``OUTPUT/SLURP`` is what the recipe calls ``data_folder``. Sentences are our grammar's; files of
SLURP itself are spoken with

    python -m recipes.minicorpora.slurp OUTPUT --annotations train=FILE test=FILE:500

As in SLURP a sentence has a recording by a headset ("-headset" in its name), and may have one from
afar by the same speaker: softer, and with more noise. train_synthetic shares its speakers with
train; voices of devel and test are their own. The first four digits of a file's number are the
speaker, since SLURP's annotations name none.
"""

import hashlib
import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from recipes.minicorpora.annotations import draw_annotations, read_annotations, silent
from recipes.minicorpora.command_line import parser_of, report
from recipes.minicorpora.making import check_workers, make_once, speak_all, statistics_of
from recipes.minicorpora.utterances import Speaker, plan

SIZES = {"train": (2200, 120), "devel": (120, 4), "test": (250, 8)}  # sentences, speakers
SYNTHETIC = 200  # sentences of train_synthetic
FAR = 0.3  # of the sentences have a far recording, too
SPLITS = ("train", "train_synthetic", "devel", "test")
PLANNED = {"train": ("train", "train_synthetic"), "dev": ("devel",), "test": ("test",)}
CONTENTS = ("dataset", "audio")

logger = logging.getLogger(__name__)


def make_slurp(output, annotations, speakers=None, far=FAR, seed=0, workers=None, progress=True):
    """Write the corpus, unless it is there already.

    Parameters
    ----------
    output : str or pathlib.Path
        Folder in which ``SLURP`` is written.
    annotations : dict of str to list of dict
        What is said: ``{split: annotations}`` with splits of `SPLITS`, from
        `annotations.draw_annotations` or `annotations.read_annotations`. The recordings that they
        name are replaced by those that are made. A sentence that makes no sound is skipped, with
        a warning.
    speakers : dict of str to int, optional
        Speakers of train (and train_synthetic), devel and test, those of `SIZES` if not given. A
        split with fewer sentences than speakers gets as many speakers as sentences.
    far : float
        Share of the sentences that have a far recording beside the headset's, 0 to 1.
    seed : int
        Another seed gives other speakers; the same seed and annotations the same bytes.
    workers : int, optional
        Processes that speak; as many as there are cores if not given.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict
        ``{split: {"hours", "sentences", "recordings", "silent", "speakers", "vocabulary",
        "unknown"}}``. "silent" are the sentences without a sound, "unknown" the words that the
        training split does not have.

    Raises
    ------
    ValueError
        A split is unknown or has nothing to say, or a number is out of range.
    FileExistsError
        The folder holds another corpus, or something that is none of ours.
    ImportError
        The package espeakng-loader is not installed.
    RuntimeError
        espeak-ng cannot start, or this process has it loaded already.
    """
    check_workers(workers)
    if not 0 <= far <= 1:
        raise ValueError(f"far must be a share between 0 and 1, not {far}")
    if unknown := sorted(annotations.keys() - set(SPLITS)):
        raise ValueError(f"SLURP has no splits {unknown}; it has {', '.join(SPLITS)}")
    if not annotations:
        raise ValueError("annotations name no split, so there is nothing to say")
    speakers = {**{split: count for split, (_, count) in SIZES.items()}, **(speakers or {})}
    annotations, skipped = _skip_silent(annotations)
    spoken = _cast(annotations, speakers, far, seed)
    folder = Path(output) / "SLURP"

    def write():
        paths = {
            utterance: folder / "audio" / _audio_folder(split) / name
            for split, said in spoken.items()
            for recordings in said
            for name, utterance in recordings.items()
        }
        seconds = speak_all(paths, workers, progress)
        _write_annotations(folder / "dataset" / "slurp", annotations, spoken)
        return _statistics(spoken, seconds, skipped)

    parameters = {
        **{split: len(rows) for split, rows in annotations.items()},
        "annotations": hashlib.sha256(json.dumps(annotations).encode()).hexdigest()[:16],
        "speakers": speakers,
        "far": far,
        "seed": seed,
    }
    return make_once(folder, parameters, spoken, CONTENTS, write)


def _skip_silent(annotations):
    """Return annotations without silent sentences, and ``{split: silent sentences}``."""
    heard, skipped = {}, {}
    for split, rows in sorted(annotations.items(), key=lambda item: SPLITS.index(item[0])):
        skipped[split] = silent(row["sentence"] for row in rows)
        heard[split] = [row for row in rows if row["sentence"] not in skipped[split]]
        if skipped[split]:
            logger.warning(
                "%s: %d sentences make no sound and are skipped: %s",
                split,
                len(skipped[split]),
                skipped[split],
            )
        if not heard[split]:
            raise ValueError(f"{split} has no sentence that can be spoken")
    return heard, skipped


def _cast(annotations, speakers, far, seed):
    """Decide who says what; returns ``{split: [{file name: utterance} of each sentence]}``."""
    texts = {
        planned: [row["sentence"] for split in splits for row in annotations.get(split, [])]
        for planned, splits in PLANNED.items()
    }
    counts = {planned: speakers[splits[0]] for planned, splits in PLANNED.items()}
    corpus = plan({planned: said for planned, said in texts.items() if said}, counts, seed)
    spoken = {}
    for planned, people in corpus.items():
        # speakers take turns, see `plan`
        turns = iter(
            people[place % len(people)].utterances[place // len(people)]
            for place in range(len(texts[planned]))
        )
        for split in PLANNED[planned]:
            if split in annotations:
                spoken[split] = [_recordings(next(turns), far) for _ in annotations[split]]
    return spoken


def _recordings(utterance, far):
    """Return ``{file name: utterance}``: the headset's and, by chance, one from afar."""
    stem = f"audio-{utterance.speaker}{utterance.number:06d}"
    recordings = {f"{stem}-headset.flac": utterance}
    seed = (*utterance.noise_seed, 1)  # a stream of its own, beside that of the headset's noise
    rng = np.random.default_rng(seed)
    if rng.random() < far:
        recordings[f"{stem}.flac"] = replace(
            utterance,
            snr=float(rng.uniform(10, 20)),
            peak=utterance.peak * float(10 ** (rng.uniform(-18, -6) / 20)),
            noise_seed=(*seed, 1),
        )
    return recordings


def _audio_folder(split):
    """Return the folder, within ``audio``, of a split."""
    return "slurp_synth" if split == "train_synthetic" else "slurp_real"


def _write_annotations(folder, annotations, spoken):
    """Write the JSON lines of each split, with the recordings that were made."""
    folder.mkdir(parents=True)
    for split, rows in annotations.items():
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as lines:
            for row, recordings in zip(rows, spoken[split]):
                # error rates as SLURP gives them: these recordings say what they should
                verdict = {
                    "wer": 0.0,
                    "ent_wer": 0.0 if row.get("entities") else None,
                    "status": "correct",
                }
                named = [{"file": name, **verdict} for name in recordings]
                lines.write(json.dumps({**row, "recordings": named}) + "\n")


def _statistics(spoken, seconds, skipped):
    """Count what `make_slurp` returns."""
    corpus = {}
    for split, said in spoken.items():
        by_speaker = {}
        for recordings in said:
            for utterance in recordings.values():
                by_speaker.setdefault(utterance.speaker, []).append(utterance)
        corpus[split] = [
            Speaker(speaker, None, utterances) for speaker, utterances in by_speaker.items()
        ]
    return {
        split: {
            **counted,
            "sentences": len(spoken[split]),
            "recordings": counted["sentences"],
            "silent": skipped[split],
        }
        for split, counted in statistics_of(corpus, seconds).items()
    }


def sources_of(pairs):
    """Read ``SPLIT=FILE`` and ``SPLIT=FILE:NUMBER``, the first NUMBER sentences of a file.

    Parameters
    ----------
    pairs : list of str

    Returns
    -------
    dict of str to list of dict
        ``{split: annotations}``.

    Raises
    ------
    ValueError
        A pair has no equals sign, or its file is not there or no file of SLURP.
    """
    annotations = {}
    for pair in pairs:
        split, equals, source = pair.partition("=")
        if not equals:
            raise ValueError(f"--annotations needs SPLIT=FILE or SPLIT=FILE:NUMBER, not {pair!r}")
        path, _, limit = source.rpartition(":")
        if not (path and limit.isdigit()):
            path, limit = source, None
        if not Path(path).is_file():
            raise ValueError(f"--annotations {split}: there is no file {path}")
        annotations[split] = read_annotations(path, limit and int(limit))
    return annotations


def main(arguments=None):
    """Run the command line."""
    parser = parser_of(
        "SLURP", "Speak a small English corpus in SLURP's layout with espeak-ng.", SIZES
    )
    parser.add_argument(
        "--train-synthetic", type=int, default=SYNTHETIC, help="sentences in train_synthetic"
    )
    parser.add_argument("--far", type=float, default=FAR, help="share with a far recording")
    parser.add_argument(
        "--annotations",
        nargs="+",
        metavar="SPLIT=FILE[:NUMBER]",
        help="speak these files of SLURP (or their first NUMBER lines) and not the grammar's",
    )
    options = parser.parse_args(arguments)

    def make():
        if options.annotations:
            annotations = sources_of(options.annotations)
        else:
            counts = {split: getattr(options, split) for split in SPLITS}
            annotations = draw_annotations(counts, options.seed)
        speakers = {split: getattr(options, f"{split}_speakers") for split in SIZES}
        return make_slurp(
            options.output, annotations, speakers, options.far, options.seed, options.workers
        )

    report(Path(options.output) / "SLURP", make)


if __name__ == "__main__":
    main()
