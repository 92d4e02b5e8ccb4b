"""A small spoken corpus in LibriSpeech's own layout.

    python -m recipes.minicorpora.librispeech OUTPUT

writes ``OUTPUT/LibriSpeech/{train-mini,dev-mini,test-mini}/<speaker>/<chapter>/`` with FLAC files
at 16 kHz and ``<speaker>-<chapter>.trans.txt``; SPEAKERS.TXT and CHAPTERS.TXT lie beside them.
``OUTPUT/LibriSpeech`` is what the recipe calls ``data_folder``.
"""

from pathlib import Path

from recipes.minicorpora.command_line import run_maker
from recipes.minicorpora.english import GRAMMAR
from recipes.minicorpora.making import (
    check_workers,
    make_once,
    speak_all,
    statistics_of,
)
from recipes.minicorpora.utterances import SPLITS, draw_texts, plan

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
        ``{split: (sentences, speakers)}`` for train, dev and test, `SIZES` if not
        given. A split with fewer sentences than speakers gets as many speakers as sentences.
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
    check_workers(workers)
    sizes = SIZES if sizes is None else sizes
    texts = draw_texts(GRAMMAR, {split: sizes[split][0] for split in SPLITS}, seed)
    corpus = plan(texts, {split: sizes[split][1] for split in SPLITS}, seed)
    folder = Path(output) / "LibriSpeech"

    def write():
        paths = {
            utterance: folder / _chapter_folder(split, utterance) / f"{_identity(utterance)}.flac"
            for split, speakers in corpus.items()
            for speaker in speakers
            for utterance in speaker.utterances
        }
        seconds = speak_all(paths, workers, progress)
        _write_transcripts(paths)
        _write_tables(folder, corpus, seconds)
        rows = statistics_of(corpus, seconds)
        return {f"{split}-mini": row for split, row in rows.items()}

    parameters = {**{split: list(sizes[split]) for split in SPLITS}, "seed": seed}
    return make_once(folder, parameters, corpus, CONTENTS, write)


def chapter_of(utterance):
    """Return the number of an utterance's chapter; a chapter has one speaker."""
    return int(f"{utterance.speaker}{utterance.number // CHAPTER:02d}")


def _identity(utterance):
    """Return LibriSpeech's name of an utterance."""
    return f"{utterance.speaker}-{chapter_of(utterance)}-{utterance.number % CHAPTER:04d}"


def _chapter_folder(split, utterance):
    """Return the folder of an utterance, relative to the corpus."""
    return Path(f"{split}-mini", str(utterance.speaker), str(chapter_of(utterance)))


def _write_transcripts(paths):
    """Write the transcripts of each chapter beside its audio."""
    transcripts = {}
    for utterance, path in paths.items():
        line = f"{path.stem} {utterance.text.upper()}\n"
        transcripts.setdefault(path.parent, []).append(line)
    for chapter, lines in transcripts.items():
        path = chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt"
        path.write_text("".join(lines), encoding="utf-8")


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


def main(arguments=None):
    """Run the command line."""
    description = "Speak a small English corpus in LibriSpeech's layout with espeak-ng."
    run_maker(arguments, "LibriSpeech", description, SIZES, make_librispeech)


if __name__ == "__main__":
    main()
