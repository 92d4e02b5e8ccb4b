"""Italian: articles and gender."""

import re

import numpy as np

from recipes.minicorpora.italian import GRAMMAR, RULES

TEXT = "\n".join(GRAMMAR.sentences(3000, np.random.default_rng(1)))
TWO = "(?:s[^aeiou]|z)"  # s and a consonant, or z


def after(*determiners):
    """The words that follow some words."""
    return set(re.findall(rf"(?:^|\s)(?:{'|'.join(determiners)}) (\w+)", TEXT))


def test_articles_fit_the_next_sound():
    assert not re.search(rf"\b(il|nel|la|una|nella) [aeiou]|\b(il|un|nel) {TWO}", TEXT)
    assert re.search(rf"\buno {TWO}", TEXT)
    assert not re.search(rf"\b(lo|uno|nello) (?!{TWO})", TEXT)
    assert re.search(r"\bl'[aeiou]", TEXT)
    assert not re.search(r"'[^aeiou]", TEXT)


def test_a_word_has_one_gender():
    masculine = after("il", "lo", "un", "uno", "mio", "questo", "nel", "nello", "prossimo")
    feminine = after("la", "una", "mia", "questa", "nella", "prossima")
    assert len(masculine) > 30
    assert len(feminine) > 30
    assert not masculine & feminine


def test_adjectives_agree():
    feminine_nouns = {word for word in RULES["OBJECT_F"].split() if word != "|"}
    for noun, adjective in re.findall(r"\b(\w+) (vuot[oa]|ner[oa]|giall[oa])\b", TEXT):
        if noun in feminine_nouns:
            assert adjective[-1] == "a"
        elif noun in RULES["OBJECT_M"].split():
            assert adjective[-1] == "o"
