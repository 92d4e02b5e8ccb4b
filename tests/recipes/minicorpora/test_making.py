"""Properties of every mini corpus."""

import numpy as np
import pytest
import soundfile

from recipes.minicorpora import making
from recipes.minicorpora.making import make_once, speak_all, statistics_of, words_of
from recipes.minicorpora.utterances import plan, record


@pytest.fixture(scope="module")
def corpus():
    """A plan of four sentences."""
    texts = {"train": ["The cat slept.", "A dog's bone?"], "test": ["the dog slept", "one cat"]}
    return plan(texts, {"train": 1, "test": 2}, seed=0)


def test_flac_and_mp3_hold_what_was_recorded(corpus, tmp_path):
    one, other = corpus["train"][0].utterances
    paths = {one: tmp_path / "a" / "one.flac", other: tmp_path / "b" / "other.mp3"}
    seconds = speak_all(paths, workers=1, progress=False)
    wave, rate = soundfile.read(paths[one])
    assert rate == 16000
    assert np.allclose(wave, record(one), atol=2**-15)
    assert seconds[one] == len(wave) / 16000
    wave, rate = soundfile.read(paths[other])
    assert rate == 48000
    # neither delayed nor padded by the coder, so that every third sample is the recording's
    error = wave[::3] - record(other)
    assert np.mean(error**2) < 0.01 * np.mean(record(other) ** 2)
    assert seconds[other] == len(wave) / 48000


def test_statistics(corpus):
    seconds = {
        utterance: 36.0
        for speakers in corpus.values()
        for speaker in speakers
        for utterance in speaker.utterances
    }
    rows = statistics_of(corpus, seconds)
    assert list(rows) == ["train", "test"]
    assert rows["train"] == {
        "hours": 0.02,
        "sentences": 2,
        "speakers": 1,
        "vocabulary": 6,
        "unknown": [],
    }
    assert (rows["test"]["speakers"], rows["test"]["unknown"]) == (2, ["dog", "one"])


def test_words_have_no_punctuation():
    assert words_of("Où est l'âne-là, Zoë?") == ["où", "est", "l'âne-là", "zoë"]


def test_a_corpus_is_written_once_unless_its_plan_differs(tmp_path):
    written = []

    def write():
        written.append(1)
        return {"train": {"hours": 1.5}}

    arguments = (tmp_path / "corpus", {"seed": 1}, ["plan"], ["clips"])
    assert make_once(*arguments, write) == make_once(*arguments, write) == {"train": {"hours": 1.5}}
    assert written == [1]
    with pytest.raises(FileExistsError, match="another version of the package"):
        make_once(tmp_path / "corpus", {"seed": 1}, ["other plan"], ["clips"], write)


def test_nothing_is_written_without_a_voice(tmp_path, monkeypatch):
    def missing():
        raise ImportError("no espeakng-loader")

    monkeypatch.setattr(making, "require_espeakng", missing)
    with pytest.raises(ImportError):
        make_once(tmp_path / "corpus", {}, [], ["clips"], lambda: {})
    with pytest.raises(ValueError, match="workers must be 1 or more, not 0"):
        speak_all({}, workers=0)
