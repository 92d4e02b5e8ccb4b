"""Dutch: articles, adjectives and the verb's place."""

import re

import numpy as np

from recipes.minicorpora.dutch import GRAMMAR, RULES

TEXT = "\n".join(GRAMMAR.sentences(3000, np.random.default_rng(1)))


def after(*determiners):
    """The words that follow some words."""
    return set(re.findall(rf"\b(?:{'|'.join(determiners)}) (\w+)", TEXT))


def words(*names):
    """The words of some rules."""
    return {word for name in names for word in RULES[name].split() if word != "|"}


def test_a_noun_has_one_article():
    adjectives = words("ADJECTIVE", "MOOD")
    common, neuter = after("de", "deze") - adjectives, after("het", "dit") - adjectives
    assert len(common) > 50
    assert len(neuter) > 15
    assert not common & neuter


def test_no_inflected_adjective_between_een_and_a_neuter_noun():
    neuter = words("OBJECT_HET", "ANIMAL_HET") | {"meisje"}
    assert not re.search(rf"\been \w+ ({'|'.join(neuter)})\b", TEXT)
    assert after("een") & neuter


def test_participle_or_infinitive_at_the_end():
    participles, infinitives = words("DONE", "MADE"), words("DO")
    for text in TEXT.split("\n"):
        last = text.split()[-1]
        if re.search(r"\b(heeft|hebben)\b", text):
            assert last in participles
        if re.search(r"\b(wil|moet|kan|zal|mag)\b", text):
            assert last in infinitives
