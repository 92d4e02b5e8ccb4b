"""The estimate of a pass's memory: what is counted, and how far it is continued."""

import pytest
import torch

from summarymixing_sb import build_mixer
from summarymixing_sb.inference import one_pass
from summarymixing_sb.inference.one_pass import AliveBytes, longest_pass
from summarymixing_sb.inference.recogniser import Recogniser

CPU = torch.device("cpu")


def peak(encode, signal):
    with AliveBytes() as memory:
        encode(signal)
    return max(memory.course)


def test_what_dies_is_not_counted_and_views_are_free():
    with AliveBytes() as memory:
        for _ in range(3):
            x = torch.zeros(1000)
            del x
        kept = torch.zeros(500)
        kept.view(5, 100).t().add_(1)
    assert memory.course == [4000, 4000, 4000, 2000]


def linear(signal):
    return signal * 2 + 1


def quadratic(signal):
    return (signal[:, None] * signal).sum(1)


def quadratic_behind_a_higher_peak(signal):
    """At the lengths of the trial, the matrix is the smaller one of two peaks."""
    features = signal.repeat(1000).sum()
    return features + quadratic(signal)


@pytest.mark.parametrize("encode", [linear, quadratic, quadratic_behind_a_higher_peak])
@pytest.mark.parametrize("free", [4_000_000, 64_000_000])
def test_the_longest_pass_takes_half_of_the_free_memory(encode, free, monkeypatch):
    monkeypatch.setattr(one_pass, "free_bytes", lambda device: free)
    seconds = longest_pass(encode, 10, CPU)
    assert peak(encode, torch.zeros(round(10 * seconds))) == pytest.approx(free / 2, rel=0.02)


def test_passes_that_make_other_tensors(monkeypatch):
    monkeypatch.setattr(one_pass, "free_bytes", lambda device: 10**9)
    assert longest_pass(lambda signal: [x + 1 for x in signal.split(100)], 10, CPU) == 40.0


@pytest.mark.parametrize(("mixer", "growth"), [("SummaryMixing", 4), ("RoPEMHA", 2)])
def test_of_mixers(mixer, growth, monkeypatch):
    model = build_mixer(mixer, d_model=8, nhead=2).eval().requires_grad_(False)

    def encode(signal):
        mask = torch.zeros(1, len(signal), dtype=torch.bool)
        model(torch.randn(1, len(signal), 8), mask)

    lengths = []
    for free in (10**9, 4 * 10**9):
        monkeypatch.setattr(one_pass, "free_bytes", lambda device, free=free: free)
        lengths.append(longest_pass(encode, 10, CPU))
    assert lengths[1] / lengths[0] == pytest.approx(growth, rel=0.1)


def test_of_a_model(run):
    recogniser = Recogniser(run)
    (short, long) = (
        peak(lambda signal: recogniser.encode([signal]), torch.randn(16000 * seconds))
        for seconds in (20, 60)
    )
    assert long == pytest.approx(3 * short, rel=0.05)
    assert recogniser._longest_pass > 60


def test_free_bytes_of_this_machine():
    assert 2**20 < one_pass.free_bytes(CPU) < 2**50
