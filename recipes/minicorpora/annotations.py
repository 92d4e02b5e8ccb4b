"""SLURP annotations of sentences: drawn from our grammar, or read from a file of SLURP's."""

import ctypes
import json
from itertools import count
from pathlib import Path

from recipes.minicorpora.assistant import GRAMMAR, annotation
from recipes.minicorpora.speech import fresh_espeakng
from recipes.minicorpora.utterances import draw_texts

PHONEME_NAMES = 2  # TextToPhonemes' mode: International Phonetic Alphabet, in UTF-8
UTF8 = 1


def draw_annotations(counts, seed):
    """Draw annotated requests to a voice assistant; no sentence comes twice.

    Parameters
    ----------
    counts : dict of str to int
        Number of sentences of train, train_synthetic, devel and test; a split of 0 is skipped.
    seed : int
        Seed of every choice, 0 or more.

    Returns
    -------
    dict of str to list of dict
        ``{split: annotations}``, see `assistant.annotation`; slurp_id counts from 1.

    Raises
    ------
    ValueError
        A number or the seed is out of range.

    Examples
    --------
    >>> drawn = draw_annotations({"train": 2, "test": 1}, seed=0)
    >>> [row["slurp_id"] for row in drawn["train"] + drawn["test"]]
    [1, 2, 3]
    """
    for split, wished in counts.items():
        if wished < 0:
            raise ValueError(f"{split} must have 0 or more sentences, not {wished}")
    real = counts.get("train", 0)
    wanted = {
        "train": real + counts.get("train_synthetic", 0),
        "dev": counts.get("devel", 0),
        "test": counts.get("test", 0),
    }
    texts = draw_texts(GRAMMAR, {split: some for split, some in wanted.items() if some}, seed)
    rows = {split: [annotation(text) for text in drawn] for split, drawn in texts.items()}
    training = rows.get("train", [])
    splits = {
        "train": training[:real],
        "train_synthetic": training[real:],
        "devel": rows.get("dev", []),
        "test": rows.get("test", []),
    }
    number = count(1)
    return {
        split: [{"slurp_id": next(number), **row} for row in drawn]
        for split, drawn in splits.items()
        if drawn
    }


def read_annotations(path, limit=None):
    """Read the annotations of a split of SLURP.

    Parameters
    ----------
    path : str or pathlib.Path
        A file of SLURP, one JSON object a line.
    limit : int, optional
        How many to read, from the first one on; all if not given.

    Returns
    -------
    list of dict
        The objects as they are. Where slurp_id is not there, it is nlueval_answerid, the number of
        the sentence in NLU Evaluation Data, where SLURP's sentences come from.

    Raises
    ------
    ValueError
        A line cannot be read, or has neither of the two numbers or no sentence.
    """
    rows = []
    with Path(path).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if limit is not None and len(rows) == limit:
                break
            try:
                row = json.loads(line)
                said = row["sentence"]
                identity = row["slurp_id"] if "slurp_id" in row else row["nlueval_answerid"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{path}, line {number}: {error!r}; each line must be a JSON object with a "
                    "sentence and a slurp_id (or nlueval_answerid)"
                ) from error
            rows.append({**row, "slurp_id": identity, "sentence": str(said)})
    return rows


def silent(sentences):
    """Return the sentences that espeak-ng makes no sound of, in order.

    Parameters
    ----------
    sentences : iterable of str

    Returns
    -------
    list of str

    Raises
    ------
    RuntimeError
        espeak-ng cannot start, or this process has it loaded already.

    Examples
    --------
    >>> silent(["wake me at 5:30", "...", "it's @home", ""])
    ['...', '']
    """
    with fresh_espeakng() as (library, _):
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_SetVoiceByName(b"en-us")
        return [sentence for sentence in sentences if not _phonemes(library, sentence)]


def _phonemes(library, sentence):
    """Return how espeak-ng says a sentence; empty if not at all."""
    text = ctypes.create_string_buffer(sentence.encode())
    rest = ctypes.c_void_p(ctypes.addressof(text))
    spelled = b""
    while rest.value:  # one clause a turn
        spelled += library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, PHONEME_NAMES) or b""
    return spelled.strip()
