"""The plan of a corpus and its recordings."""

import numpy as np
import pytest

from recipes.minicorpora.english import GRAMMAR
from recipes.minicorpora.speech import SAMPLE_RATE
from recipes.minicorpora.utterances import SPLITS, draw_texts, plan, record

SIZES = {"train": (20, 4), "dev": (5, 2), "test": (6, 3)}


def plan_of(sizes, seed):
    """A plan of English sentences."""
    texts = draw_texts(GRAMMAR, {split: size[0] for split, size in sizes.items()}, seed)
    return plan(texts, {split: size[1] for split, size in sizes.items()}, seed)


def texts_of(speakers):
    """What some speakers say, in order."""
    return [utterance.text for speaker in speakers for utterance in speaker.utterances]


def test_sizes_and_disjoint_splits():
    corpus = plan_of(SIZES, seed=0)
    assert {split: (len(texts_of(corpus[split])), len(corpus[split])) for split in SPLITS} == SIZES
    texts = [text for split in SPLITS for text in texts_of(corpus[split])]
    assert len(set(texts)) == len(texts)
    ids = [speaker.id for split in SPLITS for speaker in corpus[split]]
    assert len(set(ids)) == len(ids)


def test_seed_decides():
    assert plan_of(SIZES, seed=4) == plan_of(SIZES, seed=4)
    assert texts_of(plan_of(SIZES, seed=4)["train"]) != texts_of(plan_of(SIZES, seed=5)["train"])


def test_more_training_data_leaves_dev_and_test_as_they_are():
    small, large = plan_of(SIZES, seed=0), plan_of({**SIZES, "train": (200, 9)}, seed=0)
    assert (small["dev"], small["test"]) == (large["dev"], large["test"])


def test_no_more_speakers_than_sentences():
    assert len(plan_of({**SIZES, "dev": (3, 4)}, seed=0)["dev"]) == 3


def test_utterances_of_a_speaker_differ_in_manner():
    speaker = plan_of({**SIZES, "train": (20, 1)}, seed=0)["train"][0]
    for name in ("rate", "pitch", "snr", "peak", "noise_seed"):
        assert len({getattr(utterance, name) for utterance in speaker.utterances}) > 3
    assert {utterance.noise for utterance in speaker.utterances} == {"white", "pink"}
    assert all(150 <= utterance.rate <= 210 for utterance in speaker.utterances)
    assert all(20 <= utterance.snr <= 40 for utterance in speaker.utterances)


def test_recording():
    utterance = plan_of(SIZES, seed=0)["test"][0].utterances[0]
    wave = record(utterance)
    assert np.abs(wave).max() == pytest.approx(utterance.peak)
    assert np.array_equal(wave, record(utterance))
    # only noise before the first word
    lead = wave[: int(utterance.lead * SAMPLE_RATE)]
    assert 0 < np.sqrt(np.mean(lead**2)) < 0.2 * np.sqrt(np.mean(wave**2))


@pytest.mark.parametrize(
    ("sizes", "seed", "message"),
    [
        ({"test": (0, 1)}, 0, "test needs at least one sentence"),
        ({"dev": (40, 33)}, 0, "dev speakers must be between 1 and 32"),
        ({}, -1, "seed must be 0 or more"),
    ],
)
def test_sizes_out_of_range(sizes, seed, message):
    with pytest.raises(ValueError, match=message):
        plan_of({**SIZES, **sizes}, seed)


def test_some_splits_only():
    texts = {"test": ["good morning"], "dev": ["good night", "good evening", "goodbye"]}
    corpus = plan(texts, {"dev": 2, "test": 5}, seed=0)
    assert list(corpus) == ["dev", "test"]
    assert [texts_of([speaker]) for speaker in corpus["dev"]] == [
        ["good night", "goodbye"],
        ["good evening"],
    ]
    assert plan({"dev": texts["dev"]}, {"dev": 2}, seed=0)["dev"] == corpus["dev"]


def test_accents_are_those_asked_for():
    corpus = plan({"train": ["ciao a tutti", "buona notte"]}, {"train": 2}, 0, accents=("it",))
    assert [speaker.voice.name.split("+")[0] for speaker in corpus["train"]] == ["it", "it"]


def test_unknown_splits_are_named():
    with pytest.raises(ValueError, match=r"unknown splits \['devel'\]; .* train, dev, test"):
        draw_texts(GRAMMAR, {"devel": 2}, seed=0)
    with pytest.raises(ValueError, match=r"unknown splits \['devel'\]"):
        plan({"devel": ["hello"]}, {"devel": 1}, seed=0)


def test_some_training_utterances_have_a_pause():
    """Of louder noise or of digital silence; no utterance of the other splits has."""
    texts = {"train": ["good morning"] * 300, "test": ["good evening"] * 300}
    corpus = plan(texts, {"train": 3, "test": 3}, seed=0)
    paused = {
        split: [
            utterance
            for speaker in speakers
            for utterance in speaker.utterances
            if max(utterance.lead, utterance.trail, utterance.digital) > 0.4
        ]
        for split, speakers in corpus.items()
    }
    assert not paused["test"]
    assert 12 <= len(paused["train"]) <= 36
    digital = next(utterance for utterance in paused["train"] if utterance.digital)
    wave = record(digital)
    assert not wave[-round(digital.digital * SAMPLE_RATE) + 1 :].any()
