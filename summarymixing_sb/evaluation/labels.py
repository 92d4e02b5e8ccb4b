"""Accuracy of labels."""

import numpy as np

from summarymixing_sb.evaluation.bootstrap import bootstrap_interval
from summarymixing_sb.evaluation.scoring import check_lengths


def label_scores(references, predictions):
    """Score labels.

    Parameters
    ----------
    references, predictions : sequence of str
        One per utterance, in the same order.

    Returns
    -------
    dict
        ``accuracy`` in percent, and ``accuracy_interval``, its 95 % bootstrap interval: (low,
        high), None for one utterance.

    Raises
    ------
    ValueError
        When there is nothing to score, or the two differ in length.

    Examples
    --------
    >>> label_scores(["yes", "no"], ["yes", "yes"])["accuracy"]
    50.0
    """
    check_lengths(references, predictions)
    counts = np.array([(one == other, 1) for one, other in zip(references, predictions)])
    return {
        "accuracy": float(_percent(counts.sum(axis=0))),
        "accuracy_interval": bootstrap_interval(counts, _percent),
    }


def _percent(sums):
    return 100 * sums[..., 0] / sums[..., 1]
