"""The requests to an assistant: every sentence that the grammar can say, and its annotation."""

import ctypes
import json
import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from recipes.minicorpora.annotations import draw_annotations
from recipes.minicorpora.assistant import (
    FILLERS,
    GRAMMAR,
    INTENTS,
    LONGEST,
    MARKS,
    SHORTEST,
    annotation,
)
from recipes.minicorpora.slurp import SIZES, SYNTHETIC
from recipes.minicorpora.speech import fresh_espeakng
from recipes.minicorpora.voices import ENGLISH
from summarymixing_sb.data.semantics import Entity, parse_annotation


def derivations(symbol, known):
    """Every marked sentence of a symbol, as tuples; `known` remembers those of other symbols."""
    if symbol not in GRAMMAR.rules:
        return {(symbol,)}
    if symbol not in known:
        known[symbol] = set()
        for alternative in GRAMMAR.rules[symbol]:
            ways = {()}
            for part in alternative:
                ends = derivations(part, known)
                ways = {way + end for way in ways for end in ends}
            known[symbol] |= ways
    return known[symbol]


@pytest.fixture(scope="module")
def everything():
    """Every marked sentence that the grammar may draw."""
    found = []
    for marked in derivations("SENTENCE", {}):
        words = [part for part in marked[1:] if part not in MARKS]
        repeated = [part for part, count in Counter(marked).items() if count > 1]
        if SHORTEST <= len(words) <= LONGEST and GRAMMAR.may_repeat.issuperset(repeated):
            found.append(" ".join(marked))
    return sorted(found)


def test_what_is_drawn_is_among_everything(everything):
    rng = np.random.default_rng(0)
    drawn = {GRAMMAR.sentence(rng) for _ in range(2000)}
    assert drawn <= set(everything)
    assert {text.split()[0] for text in drawn} == set(INTENTS)


def test_more_than_50000_sentences_with_one_meaning_each(everything):
    assert len(everything) > 50_000
    said = Counter(
        " ".join(part for part in marked.split()[1:] if part not in MARKS) for marked in everything
    )
    assert max(said.values()) == 1


def test_annotations_parse_back_to_words_and_entities(everything):
    for marked in everything[::5]:
        row = annotation(marked)
        words = row["sentence"].split()
        assert [(token["surface"], token["id"]) for token in row["tokens"]] == list(
            zip(words, range(len(words)))
        )
        assert row["intent"] == f"{row['scenario']}_{row['action']}" == marked.split()[0]
        spans = [
            Entity(entity["type"], " ".join(words[place] for place in entity["span"]))
            for entity in row["entities"]
        ]
        parsed = parse_annotation(row["sentence_annotation"])
        assert [part for part in parsed if isinstance(part, Entity)] == spans
        said = [part.filler if isinstance(part, Entity) else part for part in parsed]
        assert " ".join(said) == row["sentence"]


def test_entities_vary_in_length_and_number(everything):
    lengths, numbers = defaultdict(set), defaultdict(set)
    for marked in everything:
        row = annotation(marked)
        numbers[row["intent"]].add(len(row["entities"]))
        for entity in row["entities"]:
            lengths[entity["type"]].add(len(entity["span"]))
    assert lengths.keys() == FILLERS.keys()
    for entity, found in lengths.items():
        assert 1 in found, entity
        assert max(found) > 1, entity
    assert sum(0 in found for found in numbers.values()) >= 3
    assert sum(max(found) > 1 for found in numbers.values()) >= 15


def test_the_first_word_does_not_tell_the_intent(everything):
    intents = defaultdict(set)
    for marked in everything:
        intent, *parts = marked.split()
        intents[next(part for part in parts if part not in MARKS)].add(intent)
    for intent in INTENTS:
        starts = [first for first, found in intents.items() if intent in found]
        assert max(len(intents[first]) for first in starts) == len(INTENTS)


def test_articles_fit_what_follows(everything):
    for marked in everything:
        assert not re.search(r"\ba (\[\w+ )?[aeiou]", marked)


def test_every_word_occurs_in_the_default_training_split():
    counts = {split: sentences for split, (sentences, _) in SIZES.items()}
    drawn = draw_annotations({**counts, "train_synthetic": SYNTHETIC}, seed=0)
    said = {split: [row["sentence"] for row in rows] for split, rows in drawn.items()}
    assert {split: len(rows) for split, rows in said.items()} == {
        **counts,
        "train_synthetic": SYNTHETIC,
    }
    assert sorted({word for text in said["train"] for word in text.split()}) == GRAMMAR.vocabulary()
    assert 200 <= len(GRAMMAR.vocabulary()) <= 280
    every = [text for texts in said.values() for text in texts]
    assert len(every) == len(set(every))
    identities = [row["slurp_id"] for rows in drawn.values() for row in rows]
    assert len(identities) == len(set(identities))
    for rows in drawn.values():
        assert {row["intent"] for row in rows} == set(INTENTS)


def test_no_two_words_sound_alike_in_any_accent():
    with fresh_espeakng() as (library, _):
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        for accent in ENGLISH:
            assert library.espeak_SetVoiceByName(accent.encode()) == 0
            spelled = defaultdict(list)
            for word in GRAMMAR.vocabulary():
                text = ctypes.c_char_p(word.encode())
                phonemes = library.espeak_TextToPhonemes(ctypes.byref(text), 1, 2).decode()
                spelled[re.sub("[ˈˌ]", "", phonemes)].append(word)
            assert [words for words in spelled.values() if len(words) > 1] == []


def test_labels_are_those_of_slurp(real_data):
    intents, types = set(), set()
    for name in ("devel.jsonl", "test.jsonl", "train_from_nlueval.jsonl"):
        for line in (real_data / "SLURP" / name).read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            intents.add(f"{row['scenario']}_{row['action']}")
            types.update(entity["type"] for entity in row["entities"])
    assert intents.issuperset(INTENTS)
    assert types.issuperset(FILLERS)


def test_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="train must have 0 or more sentences, not -1"):
        draw_annotations({"train": -1, "train_synthetic": 5}, seed=0)
    with pytest.raises(ValueError, match="seed must be 0 or more"):
        draw_annotations({"train": 1}, seed=-1)
