"""The plan of a corpus, sentence and voice by utterance, and the waveform of each utterance.

The plan holds every random choice except the noise samples, which are drawn again from the
utterance's own seed. So it does not matter in which process, or in which order, utterances are
spoken.
"""

from dataclasses import dataclass, replace

import numpy as np

from recipes.minicorpora.noise import NOISES, add_noise
from recipes.minicorpora.speech import SAMPLE_RATE, speak
from recipes.minicorpora.voices import ENGLISH, Voice, choose_voices

SPLITS = ("train", "dev", "test")
FIRST_SPEAKER = {"train": 1001, "dev": 2001, "test": 3001}
# One stream of random numbers per purpose: seeds are (seed, purpose, ..., ...)
SENTENCES, VOICES, MANNER, NOISE, PAUSES = 1, 2, 3, 4, 5
# Of the training utterances, those with a pause
SHARE_OF_PAUSES = 0.08


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
    digital : float
        Digital silence behind all that, in seconds.
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
    digital: float = 0.0


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


def draw_texts(grammar, counts, seed):
    """Draw the sentences of a corpus; no sentence is in two splits.

    The dev and test splits of a seed do not depend on the size of the training split.

    Parameters
    ----------
    grammar : recipes.minicorpora.grammar.Grammar
        What the sentences are drawn from.
    counts : dict of str to int
        Number of sentences of each split, which are among train, dev and test.
    seed : int
        Seed of every choice, 0 or more.

    Returns
    -------
    dict of str to list of str
        ``{split: sentences}``.

    Raises
    ------
    ValueError
        A number or the seed is out of range.

    Examples
    --------
    >>> from recipes.minicorpora.english import GRAMMAR
    >>> draw_texts(GRAMMAR, {"train": 2, "test": 1}, seed=0)["test"]
    ['why did somebody choose a beautiful piano every morning']
    """
    _check_seed(seed)
    taken, texts = set(), {}
    for split in reversed(_known_splits(counts)):
        count = counts[split]
        if count < 1:
            raise ValueError(f"{split} needs at least one sentence, not {count}")
        rng = np.random.default_rng((seed, SENTENCES, SPLITS.index(split), 0))
        texts[split] = grammar.sentences(count, rng, taken)
        taken.update(texts[split])
    return {split: texts[split] for split in SPLITS if split in texts}


def plan(texts, speakers, seed, accents=ENGLISH):
    """Decide who says what and how.

    The plan of a split does not depend on the other splits.

    Parameters
    ----------
    texts : dict of str to list of str
        The sentences of each split, which are among train, dev and test. Its speakers take turns.
    speakers : dict of str to int
        Number of speakers of each split; a split with fewer sentences gets as many speakers as it
        has sentences.
    seed : int
        Seed of every choice, 0 or more.
    accents : sequence of str
        See `voices.choose_voices`.

    Returns
    -------
    dict
        ``{split: list of Speaker}``, in the order of `SPLITS`.

    Raises
    ------
    ValueError
        A number of speakers or the seed is out of range, or a split is unknown.

    Examples
    --------
    >>> corpus = plan({"dev": ["good morning", "good evening", "good night"]}, {"dev": 2}, seed=0)
    >>> [len(speaker.utterances) for speaker in corpus["dev"]]
    [2, 1]
    """
    _check_seed(seed)
    corpus = {}
    for split in _known_splits(texts):
        count = min(len(texts[split]), speakers[split])
        rng = np.random.default_rng((seed, VOICES, SPLITS.index(split), 0))
        corpus[split] = [
            _speaker(
                FIRST_SPEAKER[split] + place,
                voice,
                texts[split][place::count],
                seed,
                with_pauses=split == "train",
            )
            for place, voice in enumerate(choose_voices(split, count, rng, accents))
        ]
    return corpus


def _check_seed(seed):
    """Refuse a seed that numpy refuses less clearly."""
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, not {seed}")


def _known_splits(splits):
    """Return splits in the order of `SPLITS`, or name those that are unknown."""
    if unknown := sorted(set(splits) - set(SPLITS)):
        raise ValueError(f"unknown splits {unknown}; a corpus may have {', '.join(SPLITS)}")
    return [split for split in SPLITS if split in splits]


def _speaker(speaker, voice, texts, seed, with_pauses):
    """Give a speaker their sentences."""
    utterances = [
        _utterance(speaker, number, text, voice, seed) for number, text in enumerate(texts)
    ]
    if with_pauses:
        utterances = [_with_pause(utterance, seed) for utterance in utterances]
    return Speaker(speaker, voice, utterances)


def _with_pause(utterance, seed):
    """Let some begin or end with a second or so of louder noise alone, or of digital silence.

    A model that has not heard that in training hears words in it.
    """
    rng = np.random.default_rng((seed, PAUSES, utterance.speaker, utterance.number))
    if rng.random() >= SHARE_OF_PAUSES:
        return utterance
    place = str(rng.choice(("lead", "trail", "digital")))
    seconds = float(rng.uniform(0.5, 1.5))
    return replace(utterance, snr=float(rng.uniform(5, 30)), **{place: seconds})


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
    wave *= utterance.peak / np.abs(wave).max()
    return np.pad(wave, (0, round(utterance.digital * SAMPLE_RATE)))
