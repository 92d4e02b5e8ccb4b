"""Word and character error rates."""

import jiwer

#: What errors may be counted in, and what their rate is called.
ERROR_RATES = {"word": "WER", "character": "CER"}


def as_text(utterance):
    """Write an utterance, given as a string or as its words, with single spaces."""
    words = utterance.split() if isinstance(utterance, str) else utterance
    return " ".join(words)


def units_of(text, unit):
    """Split a text into what errors are counted in.

    Parameters
    ----------
    text : str
    unit : str
        ``word``, or ``character``, without the blanks, for languages that write none.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the unit is unknown.

    Examples
    --------
    >>> units_of("今天 天气", "character")
    ['今', '天', '天', '气']
    """
    if unit not in ERROR_RATES:
        raise ValueError(f"error_unit: choose {' or '.join(ERROR_RATES)}, not {unit!r}")
    return text.split() if unit == "word" else list("".join(text.split()))


def count_errors(measures):
    """Add up the substitutions, deletions and insertions of what jiwer aligned.

    Parameters
    ----------
    measures : jiwer.WordOutput or jiwer.CharacterOutput

    Returns
    -------
    int

    Examples
    --------
    >>> count_errors(jiwer.process_words("THE CAT SAT", "A CAT SAT DOWN"))
    2
    """
    return measures.substitutions + measures.deletions + measures.insertions


def check_lengths(given, predictions):
    """Raise ValueError unless there are as many predictions as of the other, and some."""
    if len(given) != len(predictions):
        raise ValueError(
            f"{len(predictions)} predictions for {len(given)} utterances: "
            "give one per utterance, in the same order"
        )
    if not given:
        raise ValueError("there are no utterances to score")


def score(references, hypotheses):
    """Score hypotheses against references, with jiwer.

    Counts are summed over all utterances before they are divided, so long utterances weigh more
    than short ones. An utterance without reference words counts its insertions. Nothing is
    normalised but white space: upper and lower case differ.

    Parameters
    ----------
    references, hypotheses : sequence of str, or of sequences of words
        One item per utterance, both in the same order.

    Returns
    -------
    dict
        ``wer`` and ``cer`` in percent (None where the references hold no word at all),
        ``substitutions``, ``deletions``, ``insertions`` of words, ``words`` and ``characters`` of
        the references (spaces between words are characters), ``utterances``.

    Raises
    ------
    ValueError
        When there is nothing to score, or the two differ in length.

    Examples
    --------
    >>> result = score(["THE CAT SAT", ""], ["THE CAT SAT DOWN", ""])
    >>> round(result["wer"], 2), result["insertions"], result["words"]
    (33.33, 1, 3)
    """
    check_lengths(references, hypotheses)
    references = [as_text(reference) for reference in references]
    hypotheses = [as_text(hypothesis) for hypothesis in hypotheses]

    words = jiwer.process_words(references, hypotheses)
    characters = jiwer.process_characters(references, hypotheses)
    # jiwer gives a count, not a rate, where there is nothing to divide by
    has_words = any(references)
    return {
        "wer": 100 * words.wer if has_words else None,
        "cer": 100 * characters.cer if has_words else None,
        "substitutions": words.substitutions,
        "deletions": words.deletions,
        "insertions": words.insertions,
        "words": sum(len(reference) for reference in words.references),
        "characters": sum(len(reference) for reference in characters.references),
        "utterances": len(references),
    }
