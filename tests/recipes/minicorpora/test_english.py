"""English: its articles."""

import re

import numpy as np

from recipes.minicorpora.english import GRAMMAR


def test_articles_fit_the_next_word():
    drawn = GRAMMAR.sentences(500, np.random.default_rng(1))
    assert not re.search(r"\b(a [aeiou]|an [^aeiou])", "\n".join(drawn))
    assert re.search(r"\ba [^aeiou]", "\n".join(drawn))
    assert re.search(r"\ban [aeiou]", "\n".join(drawn))


def test_lower_case_letters_only():
    for text in GRAMMAR.sentences(500, np.random.default_rng(1)):
        assert re.fullmatch(r"[a-z]+( [a-z]+){4,9}", text)
