"""Scores of spoken language understanding: accuracy of intents, F1 of entities, SLURP's SLU-F1."""

import re
from collections import Counter
from typing import NamedTuple

import jiwer
import numpy as np

from summarymixing_sb.data.semantics import Semantics
from summarymixing_sb.evaluation.bootstrap import bootstrap_interval
from summarymixing_sb.evaluation.scoring import check_lengths, count_errors

NOTHING = Semantics("", "")
_BEFORE_CLITIC = re.compile(r"(?<=\w)(?=(?:'(?:s|m|d|re|ve|ll)|n't)(?!\w))")


class Understood(NamedTuple):
    """Meaning of an utterance as SLURP's scorer compares it.

    Attributes
    ----------
    scenario, action : str
    entities : list of (str, str)
        Type and filler, the filler as SLURP's tokens with spaces between them, in lower case.
    """

    scenario: str
    action: str
    entities: list


def understood(semantics, entities=None):
    """Make what SLURP's scorer compares of a :class:`~summarymixing_sb.data.semantics.Semantics`.

    Parameters
    ----------
    semantics : Semantics, Understood or None
        None, for what could not be read, is empty.
    entities : list of (str, str), optional
        Other entities than its own: those that SLURP's annotation makes of tokens.

    Returns
    -------
    Understood
    """
    semantics = semantics or NOTHING
    if isinstance(semantics, Understood):
        return semantics
    if entities is None:
        entities = [(entity.type, slurp_tokens(entity.filler)) for entity in semantics.entities]
    return Understood(semantics.scenario, semantics.action, entities)


def slu_scores(references, predictions, intervals=False):
    """Score what a model understood, as SLURP does (Bastianelli et al., EMNLP 2020).

    The counts of all utterances and all entity types are summed before they are divided. A
    prediction that could not be read at all, None, has no intent that is right and no entity.

    Parameters
    ----------
    references : sequence of Semantics or Understood
        One per utterance.
    predictions : sequence of Semantics, Understood or None
        In the same order. :func:`summarymixing_sb.data.semantics.recover` makes them of any text.
    intervals : bool
        Give the 95 % bootstrap interval of every figure as well. Takes half a minute for the
        13078 recordings of SLURP's test set.

    Returns
    -------
    dict
        In percent: ``scenario_accuracy``, ``action_accuracy``, ``intent_accuracy`` (both right);
        ``entity_precision``, ``entity_recall``, ``entity_f1`` (an entity is right if its type and
        its whole filler are); ``word_f1``, ``char_f1``; ``slu_precision``, ``slu_recall``,
        ``slu_f1``. With `intervals`, ``<figure>_interval``: (low, high), None for one utterance.

    Raises
    ------
    ValueError
        When there is nothing to score, or the two differ in length.

    Notes
    -----
    SLU-F1 is the paper's. Each predicted entity meets the closest of those reference entities of
    its type that are still free. If there is one, it adds 1 to the true positives, and the
    distance of the fillers to the false positives and to the false negatives; if there is none,
    1 to the false positives. A reference entity that nothing met adds 1 to the false negatives.
    Word-F1 takes the distance in words, char-F1 in characters, and SLU-F1 sums the counts of
    the two. Where the paper leaves it open, the reading here is:

    - Predicted entities are taken from left to right; of reference entities that are equally
      close, the first is taken. Words and characters are matched separately.
    - The distance in words is the word error rate against the reference filler, above 1 if many
      words are inserted. In characters it is the edit distance, spaces included, divided by the
      length of the longer filler, so never above 1.
    - Fillers are compared as SLURP's tokens, which part clitics from words ("mom 's"), in lower
      case. Nothing else is normalised.
    - 0 / 0 is 0: without any entity in references and predictions every F1 is 0.

    Examples
    --------
    >>> from summarymixing_sb.data.semantics import from_string
    >>> reference = from_string("alarm_set | wake me at [time : nine am]")
    >>> result = slu_scores([reference], [from_string("alarm_query | wake me at [time : nine]")])
    >>> result["scenario_accuracy"], result["intent_accuracy"], result["entity_f1"]
    (100.0, 0.0, 0.0)
    >>> round(result["word_f1"], 2)  # 1 / (1 + 0.5), one of two words being wrong
    66.67
    """
    check_lengths(references, predictions)
    intents, exact, words, characters = [], [], [], []
    for reference, prediction in zip(map(understood, references), map(understood, predictions)):
        intents.append(_intent_counts(reference, prediction))
        gold, found = reference.entities, prediction.entities
        exact.append(_exact_counts(gold, found))
        words.append(_distance_counts(gold, found, word_distance))
        characters.append(_distance_counts(gold, found, character_distance))
    exact, words, characters = map(np.asarray, (exact, words, characters))
    both = words + characters
    return {
        **_accuracies(intents, intervals),
        **_figure("entity_precision", exact, _precision, intervals),
        **_figure("entity_recall", exact, _recall, intervals),
        **_figure("entity_f1", exact, _f1, intervals),
        **_figure("word_f1", words, _f1, intervals),
        **_figure("char_f1", characters, _f1, intervals),
        **_figure("slu_precision", both, _precision, intervals),
        **_figure("slu_recall", both, _recall, intervals),
        **_figure("slu_f1", both, _f1, intervals),
    }


def intent_scores(references, predictions):
    """Score intents given as labels.

    Parameters
    ----------
    references, predictions : sequence of str
        ``scenario_action``, one per utterance, in the same order. The scenario ends at the first
        underscore.

    Returns
    -------
    dict
        ``scenario_accuracy``, ``action_accuracy``, ``intent_accuracy`` in percent, and their 95 %
        bootstrap intervals as ``<figure>_interval``: (low, high), None for one utterance.

    Raises
    ------
    ValueError
        When there is nothing to score, or the two differ in length.

    Examples
    --------
    >>> result = intent_scores(["iot_hue_lightoff", "qa_stock"], ["iot_hue_lighton", "qa_stock"])
    >>> result["scenario_accuracy"], result["action_accuracy"], result["intent_accuracy"]
    (100.0, 50.0, 50.0)
    """
    check_lengths(references, predictions)
    counts = []
    for reference, prediction in zip(references, predictions):
        scenario, _, action = reference.partition("_")
        found_scenario, _, found_action = prediction.partition("_")
        right = (scenario == found_scenario, action == found_action)
        counts.append((*right, all(right), 1))
    return _accuracies(counts, intervals=True)


def word_distance(reference, prediction):
    """Word error rate of a filler, 0 or more."""
    return jiwer.wer(reference, prediction)


def character_distance(reference, prediction):
    """Edit distance of the characters over the length of the longer filler, 0 to 1."""
    return count_errors(jiwer.process_characters(reference, prediction)) / max(
        len(reference), len(prediction)
    )


def slurp_tokens(filler):
    """Write a filler as SLURP's tokens, which part clitics from words.

    Parameters
    ----------
    filler : str
        Words in lower case.

    Returns
    -------
    str
        The tokens with spaces between them.

    Examples
    --------
    >>> slurp_tokens("mom's song don't stop")
    "mom 's song do n't stop"
    """
    return _BEFORE_CLITIC.sub(" ", filler)


def _intent_counts(reference, prediction):
    """Whether scenario, action and both are right, and 1 for the utterance."""
    right = (
        reference.scenario == prediction.scenario,
        reference.action == prediction.action,
    )
    return (*right, all(right), 1)


def _exact_counts(gold, found):
    """Count true positives, false positives and false negatives of whole entities."""
    right = (Counter(gold) & Counter(found)).total()
    return right, len(found) - right, len(gold) - right


def _distance_counts(gold, found, distance):
    """Give the same three with partial fillers weighed by a distance, see `slu_scores`."""
    free = list(gold)
    met, weight = 0, 0.0
    for kind, filler in found:
        rivals = [(distance(other, filler), i) for i, (k, other) in enumerate(free) if k == kind]
        if rivals:
            closest, index = min(rivals)
            del free[index]
            met += 1
            weight += closest
    return met, len(found) - met + weight, len(free) + weight


def _accuracies(counts, intervals):
    """Accuracy of scenario, action and intent from their counts per utterance."""
    counts = np.asarray(counts)
    figures = {}
    for column, name in enumerate(("scenario", "action", "intent")):
        figures |= _figure(f"{name}_accuracy", counts[:, [column, 3]], _share, intervals)
    return figures


def _figure(name, counts, statistic, intervals):
    """Give a figure from counts per utterance, (utterances, K), and its interval if wanted."""
    figure = {name: float(statistic(counts.sum(axis=0)))}
    if intervals:
        figure[f"{name}_interval"] = bootstrap_interval(counts, statistic)
    return figure


def _percent(part, whole):
    """Percentage; 0 of 0 is 0."""
    return 100 * part / np.where(whole > 0, whole, 1)


def _share(sums):
    return _percent(sums[..., 0], sums[..., 1])


def _precision(sums):
    return _percent(sums[..., 0], sums[..., 0] + sums[..., 1])


def _recall(sums):
    return _percent(sums[..., 0], sums[..., 0] + sums[..., 2])


def _f1(sums):
    return _percent(2 * sums[..., 0], 2 * sums[..., 0] + sums[..., 1] + sums[..., 2])
