"""Who says what and how: the plan of a corpus, and the waveform of each utterance in it.

The plan holds every random choice except the noise samples, which are drawn again from the
utterance's own seed. So it does not matter in which process, or in which order, utterances are
spoken.
"""

from dataclasses import dataclass

import numpy as np

from summarymixing_sb.minicorpora.english import sentences
from summarymixing_sb.minicorpora.noise import NOISES, add_noise
from summarymixing_sb.minicorpora.speech import SAMPLE_RATE, speak
from summarymixing_sb.minicorpora.voices import Voice, choose_voices

SPLITS = ("train", "dev", "test")
FIRST_SPEAKER = {"train": 1001, "dev": 2001, "test": 3001}
# One stream of random numbers per purpose: seeds are (seed, purpose, ..., ...)
SENTENCES, VOICES, MANNER, NOISE = 1, 2, 3, 4


@dataclass(frozen=True)
class Utterance:
    """One sentence as one speaker says it.

    Attributes
    ----------
    speaker, number : int
        The speaker, and which of the speaker's utterances (from 0).
    text : str
        Words in lower case.
    voice : str
        espeak-ng's voice name.
    rate, pitch, pitch_range : int
        See `speech.speak`.
    lead, trail : float
        Silence before and after, in seconds.
    noise : str
        Kind of noise, see `noise.noise`.
    snr : float
        Signal-to-noise ratio in dB.
    peak : float
        Largest amplitude of the recording, in (0, 1).
    noise_seed : tuple of int
        Seed of the noise samples.
    """

    speaker: int
    number: int
    text: str
    voice: str
    rate: int
    pitch: int
    pitch_range: int
    lead: float
    trail: float
    noise: str
    snr: float
    peak: float
    noise_seed: tuple


@dataclass(frozen=True)
class Speaker:
    """A speaker with everything that they say.

    Attributes
    ----------
    id : int
        Unique over the splits.
    voice : Voice
        How they sound.
    utterances : list of Utterance
        In order.
    """

    id: int
    voice: Voice
    utterances: list


def plan(sizes, seed):
    """Decide who says what and how.

    The dev and test splits of a seed do not depend on the size of the training split.

    Parameters
    ----------
    sizes : dict
        ``{split: (sentences, speakers)}`` for train, dev and test; a split with fewer sentences
        than speakers gets as many speakers as sentences.
    seed : int
        Seed of every choice, 0 or more.

    Returns
    -------
    dict
        ``{split: list of Speaker}``.

    Raises
    ------
    ValueError
        A size or the seed is out of range.

    Examples
    --------
    >>> corpus = plan({"train": (6, 2), "dev": (1, 1), "test": (1, 1)}, seed=0)
    >>> [len(speaker.utterances) for speaker in corpus["train"]]
    [3, 3]
    """
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")
    taken, texts = set(), {}
    for tag, split in reversed(list(enumerate(SPLITS))):
        count = sizes[split][0]
        if count < 1:
            raise ValueError(f"{split} needs at least one sentence, not {count}")
        texts[split] = sentences(count, np.random.default_rng((seed, SENTENCES, tag, 0)), taken)
        taken.update(texts[split])
    corpus = {}
    for tag, split in enumerate(SPLITS):
        count = min(sizes[split])
        rng = np.random.default_rng((seed, VOICES, tag, 0))
        corpus[split] = [
            _speaker(FIRST_SPEAKER[split] + place, voice, texts[split][place::count], seed)
            for place, voice in enumerate(choose_voices(split, count, rng))
        ]
    return corpus


def _speaker(speaker, voice, texts, seed):
    """Give a speaker their sentences."""
    return Speaker(
        speaker,
        voice,
        [_utterance(speaker, number, text, voice, seed) for number, text in enumerate(texts)],
    )


def _utterance(speaker, number, text, voice, seed):
    """Draw how a speaker says a sentence."""
    rng = np.random.default_rng((seed, MANNER, speaker, number))
    return Utterance(
        speaker=speaker,
        number=number,
        text=text,
        voice=voice.name,
        rate=voice.rate + int(rng.integers(-8, 9)),
        pitch=voice.pitch + int(rng.integers(-4, 5)),
        pitch_range=int(rng.integers(40, 61)),
        lead=float(rng.uniform(0.05, 0.2)),
        trail=float(rng.uniform(0.05, 0.2)),
        noise=str(rng.choice(NOISES)),
        snr=float(rng.uniform(20, 40)),
        peak=float(10 ** (rng.uniform(-14, -2) / 20)),
        noise_seed=(seed, NOISE, speaker, number),
    )


def record(utterance):
    """Make the recording of an utterance.

    Parameters
    ----------
    utterance : Utterance

    Returns
    -------
    numpy.ndarray
        Shape (samples,), float64, at `SAMPLE_RATE`; its largest amplitude is `utterance.peak`.
    """
    spoken = speak(
        utterance.text, utterance.voice, utterance.rate, utterance.pitch, utterance.pitch_range
    )
    silences = [round(seconds * SAMPLE_RATE) for seconds in (utterance.lead, utterance.trail)]
    rng = np.random.default_rng(utterance.noise_seed)
    wave = add_noise(np.pad(spoken, silences), utterance.noise, utterance.snr, rng)
    return wave * (utterance.peak / np.abs(wave).max())
