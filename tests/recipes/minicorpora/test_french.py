"""French: elision, gender, and spelling that can be heard."""

import re

import numpy as np

from recipes.minicorpora.french import GRAMMAR, RULES

TEXT = "\n".join(GRAMMAR.sentences(3000, np.random.default_rng(1)))
VOWELS = "aeiouéèêâîôhAEIOUÉH"
EITHER = {"jeune", "petit", "petite", "grand", "grande"}  # before a noun


def after(*determiners):
    """The words that follow some words, other than adjectives."""
    return set(re.findall(rf"(?:^|\s)(?:{'|'.join(determiners)}) (\w+)", TEXT)) - EITHER


def test_elision():
    assert not re.search(rf"\b(le|la|de|du|ce|cette|ma|ne|que) [{VOWELS}]", TEXT)
    assert re.search(r"\bl'é", TEXT)
    assert not re.search(rf"\w'[^{VOWELS}]", TEXT)


def test_a_word_has_one_gender():
    masculine, feminine = after("le", "un", "mon", "ce", "du"), after("la", "une", "ma", "cette")
    assert len(masculine) > 30
    assert len(feminine) > 30
    assert not masculine & feminine
    assert not re.search(r"\b(la|une) (petit|grand)\b|\b(le|un) (petite|grande)\b", TEXT)


def test_adjectives_agree():
    for noun, adjective in re.findall(r"\b(\w+) (lourde?|verte?|blanc(?:he)?)\b", TEXT):
        if noun in RULES["OBJECT_F"].split():
            assert adjective[-1] == "e"
        elif noun in RULES["OBJECT_M"].split():
            assert adjective[-1] != "e"


def test_no_word_is_another_with_a_silent_ending():
    words = set(GRAMMAR.vocabulary())
    for word in words:
        assert not words & {f"{word}s", f"{word}x", f"{word}nt"}
        if word.endswith("é"):
            assert not words & {f"{word}e", f"{word[:-1]}er", f"{word[:-1]}ez", f"{word[:-1]}ait"}
