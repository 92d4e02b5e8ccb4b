"""Intervals and paired tests over seeds and utterances.

Letters: S seeds, U utterances, R draws.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

DRAWS = 4000


@dataclass(frozen=True)
class Estimate:
    """An error rate, or the difference of two, in percent.

    Attributes
    ----------
    value : float
    low, high : float
        95 % interval.
    p : float
        Of the hypothesis that the value is 0, two-sided.
    """

    value: float
    low: float
    high: float
    p: float


def estimate(errors, words, against=None):
    """Estimate the word error rate of a system, or how much it is above another's.

    Two levels are drawn with replacement: the seeds of each system, and the utterances, the same
    for both systems. The standard deviation over the draws is the standard error. Since few seeds
    tell little of how far seeds differ, interval and p are those of Student's distribution, with
    the degrees of freedom of Welch and Satterthwaite for a variance that comes of S - 1 seeds of
    each system and U - 1 utterances; and deviations of a seed from the mean are widened by
    sqrt(S / (S - 1)), since draws of S seeds differ less than seeds do. Chance within an utterance
    counts at both levels, so the interval is rather too wide than too narrow.

    Parameters
    ----------
    errors : numpy.ndarray
        (S, U), S of 2 at least. Word errors of each seed in each utterance.
    words : numpy.ndarray
        (U,). Words of the references.
    against : numpy.ndarray, optional
        (S', U). Those of the other system.

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If there are fewer than two seeds or utterances, or not as many words as utterances.

    Examples
    --------
    >>> words = np.full(100, 10)
    >>> errors = np.random.default_rng(0).binomial(10, 0.3, (4, 100))
    >>> found = estimate(errors, words)
    >>> round(found.value), round(found.low), round(found.high)
    (32, 29, 34)
    """
    systems = [np.asarray(errors, dtype=float)]
    systems += [] if against is None else [np.asarray(against, dtype=float)]
    words = np.asarray(words, dtype=float)
    for system in systems:
        if system.ndim != 2 or min(system.shape) < 2 or system.shape[1:] != words.shape:
            raise ValueError(
                f"errors must be (seeds, utterances), 2 at least of each, and words (utterances,), "
                f"not {system.shape} and {words.shape}"
            )
    signs = (1, -1)[: len(systems)]
    value = _rate(sum(sign * s.mean(0) for sign, s in zip(signs, systems)).sum(), words.sum())
    rng = np.random.default_rng(0)
    utterances = rng.multinomial(len(words), np.full(len(words), 1 / len(words)), DRAWS)  # (R, U)
    drawn = np.zeros(DRAWS)
    for sign, system in zip(signs, systems):
        count, mean = len(system), system.mean(0)
        system = mean + np.sqrt(count / (count - 1)) * (system - mean)
        seeds = rng.multinomial(count, np.full(count, 1 / count), DRAWS) / count  # (R, S)
        drawn += sign * _rate((seeds * (utterances @ system.T)).sum(1), utterances @ words)
    error = drawn.std(ddof=1)
    freedom = _degrees_of_freedom(signs, systems, words, utterances)
    if error < 1e-9:  # all seeds and utterances agree, but for rounding
        return Estimate(value, value, value, 1.0 if abs(value) < 1e-9 else 0.0)
    reach = stats.t.ppf(0.975, freedom) * error
    p = 2 * stats.t.sf(abs(value) / error, freedom)
    return Estimate(value, value - reach, value + reach, float(p))


def holm(p_values):
    """Correct p values of one family of tests by Holm's method (1979).

    Parameters
    ----------
    p_values : sequence of float

    Returns
    -------
    list of float
        In the same order.

    Examples
    --------
    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    corrected = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1.0)
    back = np.empty_like(corrected)
    back[order] = corrected
    return back.tolist()


def _rate(errors, words):
    return 100 * errors / words


def _degrees_of_freedom(signs, systems, words, utterances):
    """Combine those of the seeds of each system and of the utterances (Welch, Satterthwaite)."""
    together = sum(sign * system.mean(0) for sign, system in zip(signs, systems))
    variances = [_rate(utterances @ together, utterances @ words).var(ddof=1)]
    freedoms = [len(words) - 1]
    for system in systems:
        rates = _rate(system.sum(1), words.sum())
        variances.append(rates.var(ddof=1) / len(system))
        freedoms.append(len(system) - 1)
    parts = sum(v**2 / f for v, f in zip(variances, freedoms))
    return sum(variances) ** 2 / parts if parts else np.inf
