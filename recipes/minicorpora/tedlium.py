"""A small spoken corpus in TED-LIUM's own layout.

    python -m recipes.minicorpora.tedlium OUTPUT

writes ``OUTPUT/TED-LIUM/{train,dev,test}/sph/<talk>.sph`` at 16 kHz, a talk a speaker, and
``OUTPUT/TED-LIUM/{train,dev,test}/stm/<talk>.stm``, which tells what is said from when to when.
``OUTPUT/TED-LIUM`` is what the recipe calls ``data_folder``.
"""

import shutil
from pathlib import Path

import numpy as np
import soundfile

from recipes.minicorpora.command_line import run_maker
from recipes.minicorpora.english import GRAMMAR
from recipes.minicorpora.making import check_workers, make_once, speak_all, statistics_of
from recipes.minicorpora.noise import noise
from recipes.minicorpora.speech import SAMPLE_RATE
from recipes.minicorpora.utterances import SPLITS, draw_texts, plan

SIZES = {"train": (2400, 120), "dev": (100, 4), "test": (200, 8)}  # sentences, talks
CONTENTS = (*SPLITS, "spoken")
OPENING = 2.0  # s before the first sentence, which are not scored
PAUSE = 0.4  # s between sentences
SEXES = {"F": "female", "M": "male"}


def make_tedlium(output, sizes=None, seed=0, workers=None, progress=True):
    """Write the corpus, unless it is there already.

    Parameters
    ----------
    output : str or pathlib.Path
        Folder in which ``TED-LIUM`` is written.
    sizes : dict, optional
        ``{split: (sentences, talks)}``; a talk is a speaker's; `SIZES` if not given.
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
    corpus = plan(texts, {split: sizes[split][1] for split in SPLITS}, seed)
    folder = Path(output) / "TED-LIUM"

    def write():
        spoken = folder / "spoken"  # until they are joined
        paths = {
            utterance: spoken / f"{utterance.speaker}-{utterance.number}.flac"
            for speakers in corpus.values()
            for speaker in speakers
            for utterance in speaker.utterances
        }
        seconds = speak_all(paths, workers, progress)
        for split, speakers in corpus.items():
            for kind in ("sph", "stm"):
                (folder / split / kind).mkdir(parents=True)
            for speaker in speakers:
                _write_talk(folder / split, speaker, paths)
        shutil.rmtree(spoken)
        return statistics_of(corpus, seconds)

    parameters = {**{split: list(sizes[split]) for split in SPLITS}, "seed": seed}
    return make_once(folder, parameters, corpus, CONTENTS, write)


def _write_talk(folder, speaker, paths):
    """Join what a speaker says into a talk, and note the times."""
    talk = f"Speaker{speaker.id}_2012"
    label = f"<o,f0,{SEXES[speaker.voice.sex]}>"
    rng = np.random.default_rng(speaker.id)
    sound, position = [_room(OPENING, rng)], OPENING
    gap = "<o,,unknown> ignore_time_segment_in_scoring"
    lines = [f"{talk} 1 inter_segment_gap 0 {OPENING:.2f} {gap}\n"]
    for utterance in speaker.utterances:
        wave, _ = soundfile.read(paths[utterance])
        end = position + len(wave) / SAMPLE_RATE
        lines.append(f"{talk} 1 {talk} {position:.2f} {end:.2f} {label} {utterance.text}\n")
        sound += [wave, _room(PAUSE, rng)]
        position = end + PAUSE
    samples = np.concatenate(sound)
    soundfile.write(folder / "sph" / f"{talk}.sph", samples, SAMPLE_RATE, "PCM_16", format="NIST")
    (folder / "stm" / f"{talk}.stm").write_text("".join(lines), encoding="utf-8")


def _room(seconds, rng):
    """Make the noise of a room in which nobody speaks."""
    return 0.003 * noise("pink", round(seconds * SAMPLE_RATE), rng)


def main(arguments=None):
    """Run the command line."""
    description = "Speak talks in TED-LIUM's layout with espeak-ng."
    run_maker(arguments, "TED-LIUM", description, SIZES, make_tedlium, "tedlium")


if __name__ == "__main__":
    main()
