"""Mandarin: sentences of known characters, none of which sounds as another word."""

import ctypes
import re
from collections import defaultdict

import numpy as np

from recipes.minicorpora.aishell import SIZES
from recipes.minicorpora.making import words_of
from recipes.minicorpora.mandarin import GRAMMAR
from recipes.minicorpora.speech import fresh_espeakng
from recipes.minicorpora.utterances import draw_texts
from recipes.minicorpora.voices import MANDARIN


def test_every_word_occurs_in_the_default_training_split():
    texts = draw_texts(GRAMMAR, {split: size[0] for split, size in SIZES.items()}, seed=0)
    said = {split: {word for text in texts[split] for word in text.split()} for split in texts}
    assert sorted(said["train"]) == GRAMMAR.vocabulary()
    assert said["test"] <= said["train"]
    assert not {*texts["train"]} & {*texts["test"]}


def test_sentences_are_short_and_chinese():
    for text in GRAMMAR.sentences(500, np.random.default_rng(1)):
        assert re.fullmatch(r"[\u4e00-\u9fff]+( [\u4e00-\u9fff]+){3,9}", text)
        assert words_of(text) == text.split()


def test_no_two_words_sound_alike():
    spelled = defaultdict(list)
    with fresh_espeakng() as (library, _):
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        assert library.espeak_SetVoiceByName(MANDARIN[0].encode()) == 0
        for word in GRAMMAR.vocabulary():
            text = ctypes.c_char_p(word.encode())
            phonemes = library.espeak_TextToPhonemes(ctypes.byref(text), 1, 0)
            spelled[phonemes].append(word)
    assert [alike for alike in spelled.values() if len(alike) > 1] == []
