"""Intervals against those of theory and of brute force."""

import time

import numpy as np
import pytest

from summarymixing_sb.evaluation.bootstrap import bootstrap_interval, error_rate_interval


def ratio(sums):
    return 100 * sums[..., 0] / sums[..., 1]


def utterances(count, seed=0):
    """References of 1 to 20 words of a few letters, one word in ten of them wrong."""
    rng = np.random.default_rng(seed)
    references = [[f"w{rng.integers(9)}" for _ in range(rng.integers(1, 21))] for _ in range(count)]
    hypotheses = [[w if rng.random() > 0.1 else "wrong" for w in words] for words in references]
    return references, hypotheses


def counts_of(references, hypotheses):
    """Errors (only substitutions are made) and words per utterance."""
    pairs = zip(references, hypotheses)
    return np.array([[sum(a != b for a, b in zip(r, h)), len(r)] for r, h in pairs])


def test_an_accuracy_has_the_binomial_interval():
    right = np.array([[1, 1]] * 800 + [[0, 1]] * 200)
    low, high = bootstrap_interval(right, ratio)
    deviation = 100 * np.sqrt(0.8 * 0.2 / 1000)
    assert low == pytest.approx(80 - 1.96 * deviation, abs=0.2)
    assert high == pytest.approx(80 + 1.96 * deviation, abs=0.2)


def test_drawn_like_a_loop_over_draws():
    counts = counts_of(*utterances(60))
    rng = np.random.default_rng(1)
    draws = [ratio(counts[rng.integers(60, size=60)].sum(0)) for _ in range(5000)]
    assert bootstrap_interval(counts, ratio) == pytest.approx(
        np.percentile(draws, [2.5, 97.5]), abs=0.25
    )


def test_the_two_kinds_of_interval_agree():
    references, hypotheses = utterances(400)
    words = error_rate_interval(references, hypotheses)
    assert words == pytest.approx(
        bootstrap_interval(counts_of(references, hypotheses), ratio), abs=0.15
    )


def test_the_seed_decides():
    counts = counts_of(*utterances(50))
    assert bootstrap_interval(counts, ratio) == bootstrap_interval(counts, ratio)
    assert bootstrap_interval(counts, ratio) != bootstrap_interval(counts, ratio, seed=1)


def test_words_and_characters():
    references, hypotheses = ["AB CD", "EF GH"] * 20, ["AB CX", "EF GH"] * 20
    low, high = error_rate_interval(references, hypotheses)  # 1 of 10 characters
    assert low < 10 < high < 14
    words = [text.split() for text in references], [text.split() for text in hypotheses]
    low, high = error_rate_interval(*words)  # 1 of 4 words
    assert 17 < low < 25 < high


def test_no_lower_bound_below_zero():
    references = [["A"]] * 30
    hypotheses = [["A"]] * 29 + [["B"]]
    low, high = error_rate_interval(references, hypotheses)
    assert low == 0
    assert high > 100 / 30
    assert error_rate_interval(references, references) == (0, 0)


@pytest.mark.filterwarnings("error")
def test_no_interval():
    assert error_rate_interval([["A"]], [["A"]]) is None
    assert error_rate_interval([[], []], [["A"], []]) is None
    assert error_rate_interval([[], ["A"]], [["B"], []]) is None  # some draws without words
    assert bootstrap_interval(np.ones((1, 2)), ratio) is None
    assert bootstrap_interval(np.array([[0, 0], [1, 1]]), ratio) is None


def test_refusals():
    with pytest.raises(ValueError, match="1 hypotheses for 2 references"):
        error_rate_interval([["A"], ["B"]], [["A"]])
    with pytest.raises(ValueError, match=r"\(utterances, K\), not of shape \(3,\)"):
        bootstrap_interval(np.ones(3), ratio)


def test_thirteen_thousand_utterances_take_seconds():
    references, hypotheses = utterances(13000)
    counts = counts_of(references, hypotheses)
    start = time.process_time()
    error_rate_interval(references, hypotheses)
    bootstrap_interval(counts, ratio)
    assert time.process_time() - start < 15
