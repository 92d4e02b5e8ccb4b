"""The grammar engine, on rules small enough to list all that they say."""

import numpy as np
import pytest

from recipes.minicorpora.grammar import Grammar

RULES = {
    "SENTENCE": "WHO saw WHO | WHO slept",
    "WHO": "the ANIMAL | anna | a ANIMAL",
    "ANIMAL": "owl | cat",
}


def all_of(grammar):
    """Every sentence that a small grammar can say."""
    rng = np.random.default_rng(0)
    return {grammar.sentence(rng) for _ in range(2000)}


def test_sentences_and_their_number():
    grammar = Grammar(RULES, shortest=1, may_repeat={"the", "a", "anna", "owl", "cat"})
    assert grammar.combinations("WHO") == 5
    assert grammar.combinations() == 5 * 5 + 5 == len(all_of(grammar))


def test_lengths_are_kept():
    grammar = Grammar(RULES, shortest=3, longest=4, may_repeat={"the", "a"})
    assert {len(text.split()) for text in all_of(grammar)} == {3, 4}


def test_only_some_words_are_said_twice():
    texts = all_of(Grammar(RULES, shortest=2, may_repeat={"the", "a"}))
    assert "the cat saw the owl" in texts
    assert not {"the cat saw the cat", "anna saw anna"} & texts


def test_the_last_touch_counts_in_the_vocabulary():
    def with_articles(text):
        return text.replace("a owl", "an owl")

    grammar = Grammar(RULES, shortest=2, may_repeat={"the", "a"}, finish=with_articles)
    texts = all_of(grammar)
    assert any("an owl" in text for text in texts)
    assert not any("a owl" in text for text in texts)
    assert set(grammar.vocabulary()) == {word for text in texts for word in text.split()}


def test_distinct_sentences():
    rules = {"SENTENCE": "A B C D E", **dict.fromkeys("ABCDE", "one | two | six | ten")}
    grammar = Grammar(rules, may_repeat={"one", "two", "six", "ten"})
    texts = grammar.sentences(10, np.random.default_rng(1))
    assert len(set(texts)) == 10
    again = grammar.sentences(10, np.random.default_rng(1), taken=texts)
    assert not set(texts) & set(again)
    with pytest.raises(ValueError, match="11 sentences are too many for a grammar of 1024"):
        grammar.sentences(11, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("rules", "odd"), [({"ANIMAL": "DOG | cat"}, "DOG"), ({"FISH": "trout"}, "FISH")]
)
def test_rules_that_do_not_meet_are_named(rules, odd):
    with pytest.raises(ValueError, match=rf"\['{odd}'\]"):
        Grammar({**RULES, **rules})
