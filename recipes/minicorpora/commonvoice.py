"""A small spoken corpus in CommonVoice's own layout, in Dutch, Italian or French.

    python -m recipes.minicorpora.commonvoice OUTPUT --language nl

writes ``OUTPUT/CommonVoice/nl/{train,dev,test}.tsv``, with the columns of release 6.1, and the MP3
files (48 kHz, mono) that they name in ``OUTPUT/CommonVoice/nl/clips``. Sentences are written as
people write them, with a capital at the start and a full stop or question mark at the end.
``OUTPUT/CommonVoice/nl`` is what the recipe calls ``data_folder``.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from recipes.minicorpora import dutch, french, italian
from recipes.minicorpora.command_line import parser_of, report, sizes_of
from recipes.minicorpora.grammar import Grammar
from recipes.minicorpora.making import (
    check_workers,
    make_once,
    speak_all,
    statistics_of,
)
from recipes.minicorpora.utterances import SPLITS, draw_texts, plan
from recipes.minicorpora.voices import DUTCH, FRENCH, ITALIAN

SIZES = {"train": (2400, 31), "dev": (100, 4), "test": (200, 8)}  # sentences, speakers
CONTENTS = ("clips", *(f"{split}.tsv" for split in SPLITS))
COLUMNS = (
    *("client_id", "path", "sentence", "up_votes", "down_votes"),
    *("age", "gender", "accent", "locale", "segment"),
)
GENDERS = {"F": "female", "M": "male"}


@dataclass(frozen=True)
class Language:
    """What a corpus in a language is made from.

    Attributes
    ----------
    grammar : Grammar
        Its sentences.
    question_words : frozenset of str
        A sentence that begins with one of them is a question.
    accents : tuple of str
        espeak-ng's names.
    """

    grammar: Grammar
    question_words: frozenset
    accents: tuple


LANGUAGES = {
    "fr": Language(french.GRAMMAR, french.QUESTION_WORDS, FRENCH),
    "it": Language(italian.GRAMMAR, italian.QUESTION_WORDS, ITALIAN),
    "nl": Language(dutch.GRAMMAR, dutch.QUESTION_WORDS, DUTCH),
}


def make_commonvoice(output, language, sizes=None, seed=0, workers=None, progress=True):
    """Write the corpus, unless it is there already.

    Parameters
    ----------
    output : str or pathlib.Path
        Folder in which ``CommonVoice/<language>`` is written.
    language : str
        ``"fr"``, ``"it"`` or ``"nl"``.
    sizes : dict, optional
        ``{split: (sentences, speakers)}`` for train, dev and test, `SIZES` if not given. A split
        with fewer sentences than speakers gets as many speakers as sentences.
    seed : int
        Another seed gives other sentences and speakers; the same seed the same bytes.
    workers : int, optional
        Processes that speak; as many as there are cores if not given.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict
        Statistics of each split, see `making.statistics_of`.

    Raises
    ------
    ValueError
        The language is unknown; a size, the seed or the number of workers is out of range.
    FileExistsError
        The folder holds another corpus, or something that is none of ours.
    ImportError
        The package espeakng-loader is not installed.
    RuntimeError
        espeak-ng cannot start, or this process has it loaded already.
    """
    check_workers(workers)
    if language not in LANGUAGES:
        raise ValueError(f"unknown language {language!r}; known: {', '.join(LANGUAGES)}")
    sizes = SIZES if sizes is None else sizes
    corpus = _plan(LANGUAGES[language], sizes, seed)
    folder = Path(output) / "CommonVoice" / language

    def write():
        clips = {
            utterance: folder / "clips" / clip_of(utterance, language)
            for speakers in corpus.values()
            for speaker in speakers
            for utterance in speaker.utterances
        }
        seconds = speak_all(clips, workers, progress)
        for split, speakers in corpus.items():
            rows = [row for speaker in speakers for row in _rows(speaker, language)]
            lines = ["\t".join(row) + "\n" for row in (COLUMNS, *rows)]
            (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
        return statistics_of(corpus, seconds)

    parameters = {**{split: list(sizes[split]) for split in SPLITS}, "seed": seed}
    return make_once(folder, parameters, corpus, CONTENTS, write)


def written(sentence, question_words):
    """Write a sentence as people do.

    >>> written("chi ha visto l'asino", {"chi"})
    "Chi ha visto l'asino?"
    """
    mark = "?" if sentence.split()[0] in question_words else "."
    return sentence[0].upper() + sentence[1:] + mark


def clip_of(utterance, language):
    """Return the name of an utterance's clip."""
    return f"common_voice_{language}_{utterance.speaker}{utterance.number:04d}.mp3"


def _plan(language, sizes, seed):
    """Decide who says what and how, see `utterances.plan`."""
    drawn = draw_texts(language.grammar, {split: sizes[split][0] for split in SPLITS}, seed)
    texts = {
        split: [written(sentence, language.question_words) for sentence in sentences]
        for split, sentences in drawn.items()
    }
    speakers = {split: sizes[split][1] for split in SPLITS}
    return plan(texts, speakers, seed, language.accents)


def _rows(speaker, language):
    """Yield the rows of a speaker's utterances, in the order of `COLUMNS`."""
    client = hashlib.sha512(f"{language} {speaker.id} {speaker.voice.name}".encode()).hexdigest()
    gender = GENDERS[speaker.voice.sex]
    for utterance in speaker.utterances:
        clip = clip_of(utterance, language)
        yield (client, clip, utterance.text, "2", "0", "", gender, "", language, "")


def main(arguments=None):
    """Run the command line."""
    parser = parser_of(
        "CommonVoice",
        "Speak a small corpus in CommonVoice's layout with espeak-ng.",
        SIZES,
    )
    parser.add_argument("--language", required=True, choices=LANGUAGES, help="language spoken")
    options = parser.parse_args(arguments)
    report(
        Path(options.output) / "CommonVoice" / options.language,
        lambda: make_commonvoice(
            options.output,
            options.language,
            sizes_of(options, SPLITS),
            options.seed,
            options.workers,
        ),
    )


if __name__ == "__main__":
    main()
