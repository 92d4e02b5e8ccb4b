"""A small spoken corpus in the layout of Google Speech Commands.

    python -m recipes.minicorpora.speechcommands OUTPUT

writes ``OUTPUT/SpeechCommands/<word>/<speaker>_nohash_<number>.wav`` at 16 kHz, with the 35 words
of version 0.02, ``validation_list.txt``, ``testing_list.txt`` and ``_background_noise_``.
``OUTPUT/SpeechCommands`` is what the recipe calls ``data_folder``.
"""

import hashlib
from pathlib import Path

import numpy as np
import soundfile

from recipes.minicorpora.command_line import run_maker
from recipes.minicorpora.making import check_workers, make_once, speak_all, statistics_of
from recipes.minicorpora.noise import NOISES, noise
from recipes.minicorpora.speech import SAMPLE_RATE
from recipes.minicorpora.utterances import SPLITS, plan

WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward"),
    *("four", "go", "happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on"),
    *("one", "right", "seven", "sheila", "six", "stop", "three", "tree", "two", "up", "visual"),
    *("wow", "yes", "zero"),
)
SIZES = {"train": (4200, 120), "dev": (350, 10), "test": (700, 20)}  # words, speakers
LISTS = {"dev": "validation_list.txt", "test": "testing_list.txt"}
BACKGROUND = "_background_noise_"
NOISE_SECONDS = 60
CONTENTS = (*WORDS, *LISTS.values(), BACKGROUND)


def make_speechcommands(output, sizes=None, seed=0, workers=None, progress=True):
    """Write the corpus, unless it is there already.

    Parameters
    ----------
    output : str or pathlib.Path
        Folder in which ``SpeechCommands`` is written.
    sizes : dict, optional
        ``{split: (words, speakers)}``, each of whom says the words in turn; `SIZES` if not given.
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
    texts = {
        split: [WORDS[place // speakers % len(WORDS)] for place in range(count)]
        for split, (count, speakers) in sizes.items()
    }
    corpus = plan(texts, {split: sizes[split][1] for split in SPLITS}, seed)
    folder = Path(output) / "SpeechCommands"

    def write():
        clips = {
            split: {
                utterance: f"{utterance.text}/{name_of(utterance)}.wav"
                for speaker in speakers
                for utterance in speaker.utterances
            }
            for split, speakers in corpus.items()
        }
        every = {key: folder / name for own in clips.values() for key, name in own.items()}
        seconds = speak_all(every, workers, progress)
        for split, file in LISTS.items():
            lines = "".join(f"{name}\n" for name in sorted(clips[split].values()))
            (folder / file).write_text(lines, encoding="utf-8")
        _write_noises(folder / BACKGROUND, seed)
        return statistics_of(corpus, seconds)

    parameters = {**{split: list(sizes[split]) for split in SPLITS}, "seed": seed}
    return make_once(folder, parameters, corpus, CONTENTS, write)


def name_of(utterance):
    """Return the name of a clip: hash of the speaker, and how often the word was said before."""
    speaker = hashlib.sha256(f"{utterance.speaker} {utterance.voice}".encode()).hexdigest()[:8]
    return f"{speaker}_nohash_{utterance.number // len(WORDS)}"


def _write_noises(folder, seed):
    """Write a minute of each kind of noise."""
    folder.mkdir()
    for place, kind in enumerate(NOISES):
        rng = np.random.default_rng((seed, place))
        samples = 0.05 * noise(kind, NOISE_SECONDS * SAMPLE_RATE, rng)
        soundfile.write(folder / f"{kind}_noise.wav", samples, SAMPLE_RATE, subtype="PCM_16")


def main(arguments=None):
    """Run the command line."""
    description = "Speak single words in the layout of Google Speech Commands with espeak-ng."
    run_maker(arguments, "SpeechCommands", description, SIZES, make_speechcommands)


if __name__ == "__main__":
    main()
