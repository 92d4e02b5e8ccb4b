# Characters that look like others are what this file is about.
# ruff: noqa: RUF001
"""Sentences as CommonVoice has them, and the transcripts that they must become."""

import doctest
import unicodedata

import pytest
import sentencepiece
from recipe_modules import load_recipe

recipe = load_recipe("CommonVoice", "normalisation")
normalise, unknown_characters = recipe.normalise, recipe.unknown_characters

CASES = [
    # Dutch: elided words keep their apostrophe, whichever character it was typed with
    ("nl", "’s Avonds is ‘t koud.", "'S AVONDS IS 'T KOUD"),
    ("nl", "Foto´s, auto`s en baby’s", "FOTO'S AUTO'S EN BABY'S"),
    ("nl", "Hij zei: 'Kom binnen!' en lachte.", "HIJ ZEI KOM BINNEN EN LACHTE"),
    ("nl", "Een ĳsje — vóór één uur", "EEN IJSJE VÓÓR ÉÉN UUR"),
    # Italian: a vowel lost at a word's end, and a foreign letter
    ("it", "Un po' d’acqua, perché?", "UN PO' D'ACQUA PERCHÉ"),
    ("it", '"Mitsuo Katō" è là', "MITSUO KATO È LÀ"),
    ("it", "È sepolto a Nukuʻalofa", "È SEPOLTO A NUKU'ALOFA"),
    # French: elision ends a word; ligatures are letters; a grave accent typed as a second character
    ("fr", "«L’œuvre d'aujourd'hui…»", "L ŒUVRE D AUJOURD HUI"),
    ("fr", "Où va-t-on A\N{COMBINING GRAVE ACCENT} Noël ?", "OÙ VA T ON À NOËL"),
    ("fr", "Le señor Škoda", "LE SENOR SKODA"),
    # German: sharp s stays one letter, small or capital
    ("de", "„Die Straße“ – GROẞ und süß", "DIE STRAßE GROß UND SÜß"),
    ("de", "Wie geht's, Łukasz?", "WIE GEHT S LUKASZ"),
    # English: no accents at all, figures stay
    ("en", "It's the ‘naïve’ café’s 2nd façade", "IT'S THE NAIVE CAFE'S 2ND FACADE"),
    ("en", "The dogs' bones; ''twice quoted''", "THE DOGS' BONES TWICE QUOTED"),
    ("en", "soft\N{SOFT HYPHEN}ware\N{ZERO WIDTH NO-BREAK SPACE}", "SOFTWARE"),
    ("en", "one\ttwo\N{NO-BREAK SPACE}three\N{LINE SEPARATOR}four", "ONE TWO THREE FOUR"),
    # languages with a row for one of their letters
    ("ca", "Il·lusió, l'home", "IL·LUSIÓ L'HOME"),
    ("tr", "Işıl, İzmir'i ister misin?", "IŞIL İZMİR'İ İSTER MİSİN"),
    # languages without a row lose no letter
    ("ru", "Ёлка – это «ёлка».", "ЁЛКА ЭТО ЁЛКА"),
    ("el", "Καλημέρα, κόσμε!", "ΚΑΛΗΜΈΡΑ ΚΌΣΜΕ"),
    ("uk", "Об’єкт", "ОБ'ЄКТ"),
    ("hi", "नमस्ते, दुनिया।", "नमस्ते दुनिया"),
    ("sv-SE", "Åke äter ø", "ÅKE ÄTER Ø"),
    ("br", "C'hoant ’m eus", "C'HOANT 'M EUS"),
    # nothing to say
    ("fr", " … ! «'»", ""),
    ("en", "", ""),
    ("nl", "' '", ""),
]


@pytest.mark.parametrize(("language", "sentence", "transcript"), CASES)
def test_transcripts(language, sentence, transcript):
    assert normalise(sentence, language) == transcript


@pytest.mark.parametrize("language", [*recipe.SPELLINGS, "xx"])
def test_transcripts_are_transcripts_already(language):
    """Cleaning once is enough, or results would depend on how often it was done."""
    for _, sentence, _ in CASES:
        once = normalise(sentence, language)
        assert normalise(once, language) == once


@pytest.mark.parametrize("language", ["nl", "fr", "de", "tr", "xx"])
def test_tokenizers_give_back_what_they_are_given(language):
    """Any character of Unicode: SentencePiece would turn the transcript into no other."""
    normalizer = sentencepiece.SentencePieceNormalizer(rule_name="nmt_nfkc")
    for code in [*range(1, 0x3000), *range(0xA000, 0xAC00), *range(0xF900, 0x10000)]:
        text = normalise(f"a{chr(code)}b", language)
        assert normalizer.normalize(text).replace("▁", " ").strip() == text, hex(code)


@pytest.mark.parametrize("language", ["nl", "it", "fr", "de", "en"])
def test_only_the_alphabet_is_left(language):
    spelling = recipe.SPELLINGS[language]
    letters = {spelling.capitals.get(c, c.upper()) for c in spelling.letters}
    allowed = letters | set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ") | set(spelling.inside)
    everything = "".join(f"a{chr(code)}b " for code in range(32, 0x3000))
    assert set(normalise(everything, language)) == allowed


def test_unknown_characters_are_those_that_matter():
    found = unknown_characters("Ōsaka: “10 %”, 5 € & жук – ōk!", "it")
    assert found == [("Ō", "O"), ("%", " "), ("€", " "), ("&", " "), ("Ж", " "), ("У", " "),
                     ("К", " "), ("Ō", "O")]  # fmt: skip
    assert unknown_characters("L’été, «déjà»: fini…", "fr") == []
    assert unknown_characters("жук", "ru") == []


def test_the_table_is_in_form_nfc_and_without_doubles():
    for spelling in recipe.SPELLINGS.values():
        letters = spelling.letters or ""
        assert unicodedata.is_normalized("NFC", letters)
        assert len(set(letters)) == len(letters)


def test_examples():
    failed, tried = doctest.testmod(recipe)
    assert tried > 3
    assert failed == 0
