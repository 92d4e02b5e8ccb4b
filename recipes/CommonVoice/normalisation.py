# Characters that look like others are what this file is about.
# ruff: noqa: RUF001
"""Normalisation of CommonVoice's sentences to transcripts: a table of rules for each language.

A transcript is in capitals, its words are joined by single blanks, and it holds only the letters
of the language, digits, and what the table says stays within words. In every language:

* Unicode form NFKC, the one that SentencePiece's tokenizers work in: transcripts of another form
  would differ from whatever a model can write.
* All characters used as apostrophes become ``'``; a pair of them around words is taken as quotes.
* A foreign letter becomes the letter of the language beneath its accents ("Katō": KATO).
* Whatever else remains (punctuation, hyphens, symbols, other scripts) becomes a blank.
"""

import re
import unicodedata
from dataclasses import dataclass, field
from functools import lru_cache

DIGITS = "0123456789"


@dataclass(frozen=True)
class Spelling:
    """What a language's transcripts are made of.

    Attributes
    ----------
    letters : str, optional
        Its letters beside A to Z, in any case. None: every letter, mark and digit of Unicode stays.
    inside : str
        What else stays within words.
    capitals : dict[str, str]
        Capitals other than Unicode's.
    """

    letters: str | None = None
    inside: str = "'"
    capitals: dict[str, str] = field(default_factory=dict)


# French and German words end at apostrophes ("L HOMME"), since the error rates published with
# SpeechBrain are counted so. A capital sharp s would be two letters, and two spellings one.
SPELLINGS = {
    "nl": Spelling(letters="áàâäçéèêëíìîïñóòôöúùûü"),
    "it": Spelling(letters="àèéìíîòóùú"),
    "fr": Spelling(letters="àâäæçéèêëîïôöœùûüÿ", inside=""),
    "de": Spelling(letters="äöüß", inside="", capitals={"ß": "ß", "ẞ": "ß"}),
    "en": Spelling(letters=""),
    "ca": Spelling(inside="'·"),  # "col·legi" is one word
    "tr": Spelling(capitals={"i": "İ", "ı": "I"}),  # two letters, with and without its dot
    "az": Spelling(capitals={"i": "İ", "ı": "I"}),
}
# Of every other language: nothing that is a letter is lost.
DEFAULT = Spelling()

# Letters that have no accent to take off, for languages that do not have them.
PLAIN = {"Æ": "AE", "Œ": "OE", "Ø": "O", "Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "ẞ": "SS"}

_ACUTE = "\N{ACUTE ACCENT}"  # no apostrophe any more in form NFKC
_APOSTROPHES = dict.fromkeys(map(ord, "’‘‛ʼʻʹʽˈ`′‵＇"), "'")
# Two letters behind the first one, since Dutch has words such as 's and 't.
_QUOTED = re.compile(r"(?<!\w)'(?=\w\w)(.*?)(?<![\s'])'(?!\w)")
_BLANKS = "\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NON-JOINER}"  # to SentencePiece, too
_JOINER = "\N{ZERO WIDTH JOINER}"  # part of the spelling in scripts of India
_SPOKEN = set("&%@#§")  # punctuation by its Unicode category, but read aloud


def normalise(sentence, language):
    """Make a sentence of CommonVoice a transcript.

    Parameters
    ----------
    sentence : str
        As the TSV file has it.
    language : str
        CommonVoice's code, such as ``fr`` or ``sv-SE``; `DEFAULT` without a row in `SPELLINGS`.

    Returns
    -------
    str
        Empty if no letter or digit is left.

    Examples
    --------
    >>> normalise("«L’été», dit-elle: “Où?”", "fr")
    'L ÉTÉ DIT ELLE OÙ'
    >>> normalise("'s Avonds zei hij: 'Foto`s!'", "nl")
    "'S AVONDS ZEI HIJ FOTO'S"
    >>> normalise("Straße in Malmø", "de"), normalise("Işık isterim", "tr")
    ('STRAßE IN MALMO', 'IŞIK İSTERİM')
    """
    text = _in_capitals(sentence, language).translate(_replacements(language))
    return " ".join(word for word in text.split() if any(map(str.isalnum, word)))


def unknown_characters(sentence, language):
    """Find what a transcript cannot hold and punctuation does not explain.

    Parameters
    ----------
    sentence : str
        As the TSV file has it.
    language : str

    Returns
    -------
    list[tuple[str, str]]
        Each such character (in capitals), as often as it is there, and what became of it.

    Examples
    --------
    >>> unknown_characters("Katō, 5 €!", "it")
    [('Ō', 'O'), ('€', ' ')]
    """
    table = _replacements(language)
    text = _in_capitals(sentence, language)
    return [(c, table[ord(c)]) for c in text if table[ord(c)] != c and not _is_silent(c)]


def _in_capitals(sentence, language):
    """Give the sentence in capitals and form NFKC, with plain apostrophes and no quotes of them."""
    capitals = SPELLINGS.get(language, DEFAULT).capitals
    text = unicodedata.normalize("NFKC", sentence.replace(_ACUTE, "'")).translate(_APOSTROPHES)
    text = "".join(capitals.get(c) or c.upper() for c in text)
    text = unicodedata.normalize("NFKC", text)  # some capitals are several characters
    return _QUOTED.sub(r" \1 ", re.sub("''+", " ", text))


@lru_cache
def _replacements(language):
    """Map each character to what it becomes, for ``str.translate``."""
    return _Replacements(SPELLINGS.get(language, DEFAULT))


class _Replacements(dict):
    """Works out what a character becomes when it is met first."""

    def __init__(self, spelling):
        super().__init__()
        self.any_letter = spelling.letters is None
        kept = "" if self.any_letter else "abcdefghijklmnopqrstuvwxyz" + DIGITS + spelling.letters
        self.kept = {spelling.capitals.get(c) or c.upper() for c in kept} | set(spelling.inside)

    def __missing__(self, code):
        self[code] = self._replacement(chr(code))
        return self[code]

    def _replacement(self, character):
        if self._stays(character):
            return character
        category = unicodedata.category(character)
        if character in _BLANKS or category[0] not in "LMC" or category == "Cc":
            return " "
        if category[0] in "MC":  # a mark without its letter, or something that nobody sees
            return ""
        plain = PLAIN.get(character) or unicodedata.normalize("NFD", character)
        return "".join(c for c in plain if self._stays(c)) or " "

    def _stays(self, character):
        if self.any_letter:
            letter = unicodedata.category(character)[0] in "LM" or character.isdecimal()
            return letter or character == _JOINER or character in self.kept
        return character in self.kept


def _is_silent(character):
    """Whether nobody would read the character aloud."""
    silent = unicodedata.category(character)[0] in "PZC" or character == "'"
    return silent and character not in _SPOKEN
