"""Properties of the sentences of every language."""

import ctypes
import re
from collections import defaultdict

import numpy as np
import pytest

from recipes.minicorpora import commonvoice, dutch, english, french, italian, librispeech
from recipes.minicorpora.making import words_of
from recipes.minicorpora.speech import fresh_espeakng
from recipes.minicorpora.utterances import draw_texts
from recipes.minicorpora.voices import DUTCH, ENGLISH, FRENCH, ITALIAN

SIZES = {
    english: librispeech.SIZES,
    dutch: commonvoice.SIZES,
    italian: commonvoice.SIZES,
    french: commonvoice.SIZES,
}
ACCENTS = {english: ENGLISH, dutch: DUTCH, italian: ITALIAN, french: FRENCH}
languages = pytest.mark.parametrize(
    "language", SIZES, ids=lambda language: language.__name__.rpartition(".")[2]
)


@languages
def test_every_word_occurs_in_the_default_training_split(language):
    counts = {split: size[0] for split, size in SIZES[language].items()}
    texts = draw_texts(language.GRAMMAR, counts, seed=0)
    said = {split: {word for text in texts[split] for word in text.split()} for split in texts}
    assert sorted(said["train"]) == language.GRAMMAR.vocabulary()
    assert 200 <= len(said["train"]) <= 260
    assert said["test"] <= said["train"]


@languages
def test_millions_of_sentences(language):
    assert language.GRAMMAR.combinations() > 10**9


@languages
def test_sentences_are_short_and_distinct(language):
    drawn = language.GRAMMAR.sentences(500, np.random.default_rng(1))
    assert len(set(drawn)) == 500
    for text in drawn:
        assert re.fullmatch(r"[^\W\d_]+([ '][^\W\d_]+)*", text)
        assert 5 <= len(text.split()) <= 10
        assert words_of(text) == text.lower().split()


@languages
def test_no_two_words_sound_alike_in_any_accent(language):
    words = language.GRAMMAR.vocabulary()
    with fresh_espeakng() as (library, _):
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        for accent in ACCENTS[language]:
            assert library.espeak_SetVoiceByName(accent.encode()) == 0
            spelled = defaultdict(list)
            for word in words:
                text = ctypes.c_char_p(word.encode())
                phonemes = library.espeak_TextToPhonemes(ctypes.byref(text), 1, 2).decode()
                spelled[re.sub("[ˈˌ]", "", phonemes)].append(word)
            assert [alike for alike in spelled.values() if len(alike) > 1] == []
            assert len(spelled) == len(words)
