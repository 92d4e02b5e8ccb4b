"""The cast: held-out voices, and the choice of speakers."""

from itertools import chain, combinations

import numpy as np
import pytest

from recipes.minicorpora.speech import speak
from recipes.minicorpora.voices import (
    DUTCH,
    ENGLISH,
    FRENCH,
    ITALIAN,
    VARIANTS,
    choose_voices,
)

LANGUAGES = [ENGLISH, DUTCH, ITALIAN, FRENCH]


def variants_of(split):
    """All variants of a split."""
    return list(chain(*VARIANTS[split].values()))


def test_splits_share_no_variant():
    for one, other in combinations(VARIANTS, 2):
        assert not set(variants_of(one)) & set(variants_of(other))


@pytest.mark.parametrize("accent", chain(*LANGUAGES))
def test_espeak_has_every_accent(accent):
    assert len(speak("hello", f"{accent}+m1")) > 1600


@pytest.mark.parametrize("accents", LANGUAGES)
@pytest.mark.parametrize("split", VARIANTS)
def test_every_voice_is_distinct_and_every_variant_comes_first(split, accents):
    total = len(accents) * len(variants_of(split))
    voices = choose_voices(split, total, np.random.default_rng(0), accents)
    assert len({voice.name for voice in voices}) == total
    women = [voice.name.split("+")[1] for voice in voices if voice.sex == "F"]
    count = len(VARIANTS[split]["F"])
    assert sorted(women[:count]) == sorted(VARIANTS[split]["F"])


@pytest.mark.parametrize("seed", range(5))
def test_eight_speakers_have_eight_accents(seed):
    voices = choose_voices("test", 8, np.random.default_rng(seed))
    assert {voice.name.split("+")[0] for voice in voices} == set(ENGLISH)


def test_more_speakers_than_voices_are_refused():
    with pytest.raises(ValueError, match="dev speakers must be between 1 and 32"):
        choose_voices("dev", 33, np.random.default_rng(0))
    with pytest.raises(ValueError, match="test speakers"):
        choose_voices("test", 0, np.random.default_rng(0))
