"""A small spoken corpus in LibriSpeech's own layout.

    python -m summarymixing_sb.minicorpora.librispeech OUTPUT

writes ``OUTPUT/LibriSpeech/{train-mini,dev-mini,test-mini}/<speaker>/<chapter>/`` with FLAC files
at 16 kHz and ``<speaker>-<chapter>.trans.txt``; SPEAKERS.TXT and CHAPTERS.TXT lie beside them.
``OUTPUT/LibriSpeech`` is what the recipe calls ``data_folder``.
"""

import argparse
import hashlib
import sys
from functools import partial
from pathlib import Path

import soundfile
from speechbrain.utils.parallel import parallel_map

from summarymixing_sb.minicorpora import manifest
from summarymixing_sb.minicorpora.speech import SAMPLE_RATE, require_espeakng
from summarymixing_sb.minicorpora.utterances import SPLITS, plan, record

SIZES = {"train": (2400, 120), "dev": (100, 4), "test": (200, 8)}  # sentences, speakers
CHAPTER = 50  # utterances
CONTENTS = (*(f"{split}-mini" for split in SPLITS), "SPEAKERS.TXT", "CHAPTERS.TXT")
SPEAKERS_HEAD = """\
; Voices of espeak-ng that speak this corpus, in the format of LibriSpeech.
;
;ID  |SEX| SUBSET           |MINUTES| NAME
"""
CHAPTERS_HEAD = """\
; Chapters of this corpus, in the format of LibriSpeech.
;
;ID    |READER|MINUTES| SUBSET           | PROJ.|BOOK ID| CH. TITLE | PROJECT TITLE
"""


def make_librispeech(output, sizes=None, seed=0, workers=None, progress=True):
    """Write the corpus, unless it is there already.

    Parameters
    ----------
    output : str or pathlib.Path
        Folder in which ``LibriSpeech`` is written.
    sizes : dict, optional
        ``{split: (sentences, speakers)}`` for train, dev and test, see `utterances.plan`.
        `SIZES` if not given.
    seed : int
        Another seed gives other sentences and speakers; the same seed the same bytes.
    workers : int, optional
        Processes that speak; as many as there are cores if not given.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict
        ``{split folder: {"hours", "sentences", "speakers", "vocabulary", "unknown"}}``, where
        "unknown" lists the words that the training split does not have.

    Raises
    ------
    ValueError
        A size, the seed or the number of workers is out of range.
    FileExistsError
        The folder holds another corpus, or something that is none of ours.
    ImportError
        The package espeakng-loader is not installed.
    RuntimeError
        espeak-ng cannot start, or this process has it loaded already.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be 1 or more, not {workers}")
    sizes = SIZES if sizes is None else sizes
    corpus = plan(sizes, seed)
    parameters = {split: list(sizes[split]) for split in SPLITS}
    parameters["seed"] = seed
    # the same options make another corpus when the grammar, the voices or the draws change
    parameters["version"] = hashlib.sha256(repr(corpus).encode()).hexdigest()[:16]
    folder = Path(output) / "LibriSpeech"
    statistics = manifest.claim(folder, parameters, CONTENTS)
    if statistics is None:
        require_espeakng()
        seconds = _write_recordings(folder, corpus, workers, progress)
        _write_tables(folder, corpus, seconds)
        statistics = _statistics(corpus, seconds)
        manifest.finish(folder, parameters, CONTENTS, statistics)
    return statistics


def chapter_of(utterance):
    """Return the number of an utterance's chapter; a chapter has one speaker."""
    return int(f"{utterance.speaker}{utterance.number // CHAPTER:02d}")


def _identity(utterance):
    """Return LibriSpeech's name of an utterance."""
    return f"{utterance.speaker}-{chapter_of(utterance)}-{utterance.number % CHAPTER:04d}"


def _write_recording(job, folder):
    """Speak one utterance into its file; returns its length in seconds."""
    split, utterance = job
    wave = record(utterance)
    path = folder / _chapter_folder(split, utterance) / f"{_identity(utterance)}.flac"
    soundfile.write(path, wave, SAMPLE_RATE, subtype="PCM_16")
    return len(wave) / SAMPLE_RATE


def _chapter_folder(split, utterance):
    """Return the folder of an utterance, relative to the corpus."""
    return Path(f"{split}-mini", str(utterance.speaker), str(chapter_of(utterance)))


def _write_recordings(folder, corpus, workers, progress):
    """Write transcripts and audio; returns ``{utterance: seconds}``."""
    jobs = [
        (split, utterance)
        for split, speakers in corpus.items()
        for speaker in speakers
        for utterance in speaker.utterances
    ]
    transcripts = {}
    for split, utterance in jobs:
        lines = transcripts.setdefault(_chapter_folder(split, utterance), [])
        lines.append(f"{_identity(utterance)} {utterance.text.upper()}\n")
    for chapter, lines in transcripts.items():
        (folder / chapter).mkdir(parents=True)
        path = folder / chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"
        path.write_text("".join(lines), encoding="utf-8")
    lengths = parallel_map(
        partial(_write_recording, folder=folder),
        jobs,
        process_count=workers,
        progress_bar=progress,
        progress_bar_kwargs={"desc": "speaking", "unit": "sentence", "mininterval": 1},
    )
    return {utterance: seconds for (_, utterance), seconds in zip(jobs, lengths)}


def _write_tables(folder, corpus, seconds):
    """Write SPEAKERS.TXT and CHAPTERS.TXT."""
    speaker_lines, chapter_lines = [], []
    for split, speakers in corpus.items():
        for speaker in speakers:
            chapters = {}
            for utterance in speaker.utterances:
                chapter = chapter_of(utterance)
                chapters[chapter] = chapters.get(chapter, 0) + seconds[utterance] / 60
            speaker_lines.append(
                f"{speaker.id:<4} | {speaker.voice.sex} | {split + '-mini':<16} "
                f"| {sum(chapters.values()):<5.2f} | espeak-ng {speaker.voice.name}\n"
            )
            chapter_lines += [
                f"{chapter:<6} | {speaker.id:<4} | {minutes:<5.2f} | {split + '-mini':<16} "
                f"| 0    | 0     | Sentences {place} | Mini corpus\n"
                for place, (chapter, minutes) in enumerate(chapters.items(), start=1)
            ]
    for name, head, lines in (
        ("SPEAKERS.TXT", SPEAKERS_HEAD, speaker_lines),
        ("CHAPTERS.TXT", CHAPTERS_HEAD, chapter_lines),
    ):
        (folder / name).write_text(head + "".join(lines), encoding="utf-8")


def _statistics(corpus, seconds):
    """Count what `make_librispeech` returns."""
    statistics, training_words = {}, None
    for split, speakers in corpus.items():
        utterances = [utterance for speaker in speakers for utterance in speaker.utterances]
        words = {word for utterance in utterances for word in utterance.text.split()}
        training_words = words if training_words is None else training_words
        statistics[f"{split}-mini"] = {
            "hours": round(sum(seconds[utterance] for utterance in utterances) / 3600, 4),
            "sentences": len(utterances),
            "speakers": len(speakers),
            "vocabulary": len(words),
            "unknown": sorted(words - training_words),
        }
    return statistics


def main(arguments=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m summarymixing_sb.minicorpora.librispeech",
        description="Speak a small English corpus in LibriSpeech's layout with espeak-ng.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("output", help="folder in which LibriSpeech/ is written")
    for split, (sentences, speakers) in SIZES.items():
        help_text = f"sentences in {split}-mini"
        parser.add_argument(f"--{split}", type=int, default=sentences, help=help_text)
        help_text = f"speakers of {split}-mini, at most"
        parser.add_argument(f"--{split}-speakers", type=int, default=speakers, help=help_text)
    parser.add_argument("--seed", type=int, default=0, help="seed of sentences, voices and noise")
    parser.add_argument("--workers", type=int, help="processes; one per core if not given")
    options = vars(parser.parse_args(arguments))
    sizes = {split: (options[split], options[f"{split}_speakers"]) for split in SPLITS}
    try:
        statistics = make_librispeech(options["output"], sizes, options["seed"], options["workers"])
    except (ValueError, FileExistsError, ImportError, RuntimeError) as error:
        sys.exit(f"error: {error}")
    print(f"{Path(options['output']) / 'LibriSpeech'} holds")
    print(
        f"{'split':<10} {'hours':>6} {'sentences':>9} {'speakers':>8} {'words':>5}  not in training"
    )
    for split, row in statistics.items():
        unknown = " ".join([str(len(row["unknown"])), *row["unknown"]])
        print(
            f"{split:<10} {row['hours']:>6.2f} {row['sentences']:>9} {row['speakers']:>8} "
            f"{row['vocabulary']:>5}  {unknown}"
        )


if __name__ == "__main__":
    main()
