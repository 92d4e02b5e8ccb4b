"""Intervals over seeds and utterances hold what they promise; Holm's correction."""

import numpy as np
import pytest

from results.study import statistics
from results.study.statistics import estimate, holm

WORDS = np.full(200, 8)


def draw(rng, seeds, utterances, rate=0.2, between_seeds=0.02, between_utterances=0.1):
    """Errors of a system: seeds and utterances differ, the latter alike for all systems."""
    hard = rng.normal(0, between_utterances, utterances)

    def system(rate):
        rates = rate + rng.normal(0, between_seeds, (seeds, 1)) + hard
        return rng.binomial(8, np.clip(rates, 0, 1))

    return system(rate), system(rate)


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(statistics, "DRAWS", 300)


@pytest.mark.parametrize("seeds", [2, 3, 4])
@pytest.mark.parametrize("between_seeds", [0.02, 0.05])
def test_equal_systems_are_seldom_told_apart(between_seeds, seeds, few_draws):
    rng = np.random.default_rng(0)
    pairs = (draw(rng, seeds, 200, between_seeds=between_seeds) for _ in range(200))
    p = np.array([estimate(a, WORDS, b).p for a, b in pairs])
    assert np.mean(p < 0.05) < 0.06
    assert np.mean(p < 0.3) > 0.1  # not by never finding anything


def test_the_interval_holds_the_truth(few_draws):
    rng = np.random.default_rng(1)
    found = [estimate(draw(rng, 4, 200, between_utterances=0.05)[0], WORDS) for _ in range(200)]
    assert np.mean([one.low < 20 < one.high for one in found]) > 0.92


def test_a_difference_is_found_and_has_a_sign():
    rng = np.random.default_rng(2)
    a, _ = draw(rng, 4, 200, rate=0.2)
    _, b = draw(rng, 4, 200, rate=0.3)
    found, back = estimate(a, WORDS, b), estimate(b, WORDS, a)
    assert found.p < 0.001
    assert found.low < found.value < found.high < 0
    assert found.value == pytest.approx(100 * (a.sum() - b.sum()) / (4 * WORDS.sum()))
    assert back.value == pytest.approx(-found.value)


def test_seeds_count():
    """The same errors are surer where seeds agree."""
    agreed = np.tile(np.arange(200) % 3, (4, 1))
    spread = agreed + np.array([[0], [0], [1], [1]])
    assert estimate(agreed, WORDS).high - estimate(agreed, WORDS).low < (
        estimate(spread, WORDS).high - estimate(spread, WORDS).low
    )
    same = estimate(agreed, WORDS, agreed)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_holm():
    assert holm([0.02, 0.02, 0.9]) == pytest.approx([0.06, 0.06, 0.9])
    assert holm([]) == []


@pytest.mark.parametrize("shape", [(1, 200), (4, 199), (200,)])
def test_what_cannot_be_estimated(shape):
    with pytest.raises(ValueError, match="seeds, utterances"):
        estimate(np.zeros(shape), WORDS)
