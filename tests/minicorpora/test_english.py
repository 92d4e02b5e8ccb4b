"""The grammar: its size, its words, and what it says."""

import ctypes
import re
from collections import defaultdict

import numpy as np
import pytest

from summarymixing_sb.minicorpora.english import GRAMMAR, combinations, sentences, vocabulary
from summarymixing_sb.minicorpora.librispeech import SIZES
from summarymixing_sb.minicorpora.speech import fresh_espeakng
from summarymixing_sb.minicorpora.utterances import plan
from summarymixing_sb.minicorpora.voices import ACCENTS


def words_of(speakers):
    """Every word that some speakers say."""
    return {
        word
        for speaker in speakers
        for utterance in speaker.utterances
        for word in utterance.text.split()
    }


def test_every_word_occurs_in_the_default_training_split():
    corpus = plan(SIZES, seed=0)
    assert sorted(words_of(corpus["train"])) == vocabulary()
    assert 200 <= len(vocabulary()) <= 260
    assert words_of(corpus["test"]) <= words_of(corpus["train"])


def test_millions_of_sentences():
    assert combinations() > 10**9


def test_every_rule_is_used_and_no_word_is_a_rule():
    named = set(re.findall(r"\b[A-Z_]{2,}\b", " ".join(GRAMMAR.values())))
    assert named | {"SENTENCE"} == set(GRAMMAR)


def test_sentences_are_short_distinct_and_grammatical_in_their_articles():
    drawn = sentences(500, np.random.default_rng(1))
    assert len(set(drawn)) == 500
    for text in drawn:
        assert re.fullmatch(r"[a-z]+( [a-z]+){4,9}", text)
        assert not re.search(r"\b(a [aeiou]|an [^aeiou])", text)


def test_taken_sentences_are_not_drawn_again():
    first = sentences(50, np.random.default_rng(2))
    assert not set(first) & set(sentences(50, np.random.default_rng(2), taken=first))


def test_too_many_sentences_are_refused():
    with pytest.raises(ValueError, match="too many"):
        sentences(combinations(), np.random.default_rng(0))


def test_no_two_words_sound_alike_in_any_accent():
    with fresh_espeakng() as (library, _):
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        for accent in ACCENTS:
            assert library.espeak_SetVoiceByName(accent.encode()) == 0
            spelled = defaultdict(list)
            for word in vocabulary():
                text = ctypes.c_char_p(word.encode())
                phonemes = library.espeak_TextToPhonemes(ctypes.byref(text), 1, 2).decode()
                spelled[re.sub("[ˈˌ]", "", phonemes)].append(word)
            assert [words for words in spelled.values() if len(words) > 1] == []
            assert len(spelled) == len(vocabulary())
