"""A small spoken corpus in AISHELL-1's own layout, in Mandarin.

    python -m recipes.minicorpora.aishell OUTPUT

writes ``OUTPUT/AISHELL-1/wav/{train,dev,test}/<speaker>/`` with WAV files at 16 kHz, and
``OUTPUT/AISHELL-1/transcript/aishell_transcript_v0.8.txt``, whose words have blanks between them.
``OUTPUT/AISHELL-1`` is what the recipe calls ``data_folder``.
"""

from pathlib import Path

from recipes.minicorpora.command_line import run_maker
from recipes.minicorpora.making import check_workers, make_once, speak_all, statistics_of
from recipes.minicorpora.mandarin import GRAMMAR
from recipes.minicorpora.utterances import SPLITS, draw_texts, plan
from recipes.minicorpora.voices import MANDARIN

SIZES = {"train": (2400, 31), "dev": (100, 4), "test": (200, 8)}  # sentences, speakers
TRANSCRIPT = "aishell_transcript_v0.8.txt"
CONTENTS = ("wav", "transcript")


def make_aishell(output, sizes=None, seed=0, workers=None, progress=True):
    """Write the corpus, unless it is there already.

    Parameters
    ----------
    output : str or pathlib.Path
        Folder in which ``AISHELL-1`` is written.
    sizes : dict, optional
        ``{split: (sentences, speakers)}``; `SIZES` if not given.
    seed, workers, progress
        See :func:`recipes.minicorpora.librispeech.make_librispeech`.

    Returns
    -------
    dict
        Statistics of each split, see `making.statistics_of`.

    Raises
    ------
    ValueError, FileExistsError, ImportError, RuntimeError
        As `make_librispeech` does.
    """
    check_workers(workers)
    sizes = SIZES if sizes is None else sizes
    texts = draw_texts(GRAMMAR, {split: sizes[split][0] for split in SPLITS}, seed)
    corpus = plan(texts, {split: sizes[split][1] for split in SPLITS}, seed, MANDARIN)
    folder = Path(output) / "AISHELL-1"

    def write():
        paths = {
            utterance: folder
            / "wav"
            / split
            / f"S{utterance.speaker}"
            / f"{name_of(utterance)}.wav"
            for split, speakers in corpus.items()
            for speaker in speakers
            for utterance in speaker.utterances
        }
        seconds = speak_all(paths, workers, progress)
        lines = [f"{path.stem} {utterance.text}\n" for utterance, path in paths.items()]
        (folder / "transcript").mkdir()
        (folder / "transcript" / TRANSCRIPT).write_text("".join(lines), encoding="utf-8")
        return statistics_of(corpus, seconds)

    parameters = {**{split: list(sizes[split]) for split in SPLITS}, "seed": seed}
    return make_once(folder, parameters, corpus, CONTENTS, write)


def name_of(utterance):
    """Return the name of an utterance, which has its speaker's in it as in AISHELL-1."""
    return f"MINIS{utterance.speaker}W{utterance.number:04d}"


def main(arguments=None):
    """Run the command line."""
    description = "Speak a small Mandarin corpus in AISHELL-1's layout with espeak-ng."
    run_maker(arguments, "AISHELL-1", description, SIZES, make_aishell, "aishell")


if __name__ == "__main__":
    main()
