"""95 % confidence intervals of figures that are made from sums over utterances."""

import math
import warnings

import numpy as np
from kaldialign import bootstrap_wer_ci
from scipy.stats import DegenerateDataWarning, bootstrap

RESAMPLES = 5000
# resamples held at a time: bounds the memory on sets of many utterances
BATCH = 100


def bootstrap_interval(counts, statistic, seed=0):
    """Give the 95 % interval of a figure, by the percentile bootstrap over utterances.

    Utterances are drawn with replacement, as many as there are; the figure is computed from the
    sums of what was drawn; its 2.5th and 97.5th percentile over 5000 draws are the interval. It
    tells how much the figure owes to the choice of the utterances, and nothing of other seeds.

    Parameters
    ----------
    counts : numpy.ndarray
        (utterances, K). What each utterance adds to each of the K sums.
    statistic : callable
        From sums, (..., K), to figures, (...).
    seed : int
        Seed of the draws: the same counts and seed give the same interval.

    Returns
    -------
    tuple of (low, high), or None
        In the unit of `statistic`. None where there is no interval: for fewer than two utterances,
        or where it cannot be computed for every draw.

    Raises
    ------
    ValueError
        When `counts` is not two-dimensional.

    Examples
    --------
    Accuracy of 900 right answers among 1000:

    >>> right = np.array([[1, 1]] * 900 + [[0, 1]] * 100)
    >>> low, high = bootstrap_interval(right, lambda sums: 100 * sums[..., 0] / sums[..., 1])
    >>> (round(low), round(high))
    (88, 92)
    """
    counts = np.asarray(counts, dtype=np.float64)
    if counts.ndim != 2:
        raise ValueError(f"counts must be (utterances, K), not of shape {counts.shape}")
    if len(counts) < 2:
        return None

    def of_draws(*columns, axis):
        return statistic(np.stack([column.sum(axis=axis) for column in columns], axis=-1))

    # a draw without reference words divides by zero: no interval, and no warning either
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        result = bootstrap(
            tuple(counts.T),
            of_draws,
            paired=True,
            vectorized=True,
            n_resamples=RESAMPLES,
            batch=BATCH,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    return _finite(*result.confidence_interval)


def error_rate_interval(references, hypotheses):
    """Give the 95 % interval of a word or character error rate.

    By the bootstrap of Bisani and Ney (ICASSP 2004), 10000 draws of utterances, with kaldialign:
    1.96 standard deviations to both sides of the mean over the draws, and not below 0.

    Parameters
    ----------
    references, hypotheses : sequence of sequences
        One item per utterance, both in the same order: its words as a list of str, or, for
        characters, a str.

    Returns
    -------
    tuple of (low, high), or None
        In percent. None where there is no interval: for fewer than two utterances, or when so many
        references are empty that a draw can hold no word.

    Raises
    ------
    ValueError
        When the two differ in length.

    Examples
    --------
    >>> references = [["A", "B"], ["C"]] * 50
    >>> low, high = error_rate_interval(references, [["A", "X"], ["C"]] * 50)
    >>> low < 100 / 3 < high
    True
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(hypotheses)} hypotheses for {len(references)} references")
    if len(references) < 2:
        return None
    rate = bootstrap_wer_ci(list(references), list(hypotheses))
    return _finite(max(0.0, 100 * rate["ci95min"]), 100 * rate["ci95max"], 100 * rate["wer"])


def _finite(low, high, *others):
    """Give the interval as floats, or None where a bound, or what it rests on, is NaN."""
    if not all(math.isfinite(value) for value in (low, high, *others)):
        return None
    return float(low), float(high)
