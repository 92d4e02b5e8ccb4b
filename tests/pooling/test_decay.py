"""Decayed means against the reference, over blocks, chunks and extreme gammas."""

import math

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers.reference import reference_means
from summarymixing_sb.pooling import decay
from summarymixing_sb.pooling.decay import BLOCK, decayed_means

CHUNKS = [None] + [
    DynChunkTrainConfig(size, left)
    for size, left in ((1, None), (1, 3), (4, None), (4, 2), (5, 0), (30, None), (30, 1), (999, 1))
]


def rows_of(time):
    """A full row, a padded one, and one that is all padding."""
    return torch.arange(time) >= torch.tensor([[time], [max(1, time // 3)], [0]])


def with_gradients(function, frames, gamma, weights):
    frames, gamma = (leaf.clone().requires_grad_() for leaf in (frames, gamma))
    means = function(frames, gamma)
    (means * weights).sum().backward()
    return means.detach(), frames.grad, gamma.grad


def fast_and_slow(frames, gamma, *limits):
    weights = torch.randn_like(frames)
    return (
        with_gradients(function, frames, gamma, weights)
        for function in (
            lambda frames, gamma: decayed_means(frames, gamma.log(), *limits),
            lambda frames, gamma: reference_means(frames, *limits, weight=lambda gap: gamma**gap),
        )
    )


@pytest.mark.parametrize("block", [4, BLOCK])  # 33 frames are 9 blocks of 4, and those are 3
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("time", [1, 7, 33])
def test_equals_the_reference(time, chunks, block, monkeypatch):
    monkeypatch.setattr(decay, "BLOCK", block)
    gamma = torch.tensor(0.8, dtype=torch.double)
    frames = torch.randn(3, time, 2, dtype=torch.double)
    for padding_mask in (None, rows_of(time)):
        for fast, slow in zip(*fast_and_slow(frames, gamma, padding_mask, chunks)):
            torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("time", [BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_equals_the_reference_over_whole_blocks(time):
    gamma = torch.tensor(0.97, dtype=torch.double)
    frames = torch.randn(1, time, 2, dtype=torch.double)
    for fast, slow in zip(*fast_and_slow(frames, gamma)):
        torch.testing.assert_close(fast, slow, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("gamma", [1e-12, 0.5, 0.98, 1 - 1e-6])
@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(16, None)], ids=str)
def test_float32_is_exact_and_finite_at_any_gamma(gamma, chunks):
    frames, weights = torch.randn(1, 9000, 2) + 1, torch.randn(1, 9000, 2)
    gamma = torch.tensor(gamma, dtype=torch.double)

    def means(frames, gamma):
        return decayed_means(frames, gamma.log().to(frames.dtype), None, chunks)

    found = with_gradients(means, frames, gamma, weights)
    exact = with_gradients(means, frames.double(), gamma, weights.double())
    assert (found[0] - exact[0]).abs().max() < 1e-5
    assert (found[1] - exact[1]).norm() < 1e-5 * exact[1].norm()
    assert found[2].isfinite()


def test_padding_is_never_read_even_far_from_speech():
    time = 3000
    frames = torch.randn(2, time, 2, requires_grad=True)
    gamma = torch.tensor(0.5, requires_grad=True)
    padding_mask = torch.arange(time) >= torch.tensor([[5], [0]])
    for chunks in (None, DynChunkTrainConfig(4, None), DynChunkTrainConfig(4, 2)):
        poisoned = frames.masked_fill(padding_mask.unsqueeze(-1), torch.nan)
        means = decayed_means(poisoned, gamma.log(), padding_mask, chunks)
        clean = decayed_means(frames[:1, :5], gamma.log(), None, chunks)
        torch.testing.assert_close(means[:1, :5], clean)
        assert torch.equal(means[1], torch.zeros(time, 2))
        for gradient in torch.autograd.grad(means.sum(), (frames, gamma)):
            assert gradient.isfinite().all()


def test_autocast_does_not_reach_the_sums():
    frames = torch.randn(1, 500, 8) + 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = decayed_means(frames.bfloat16(), math.log(0.98))
        found = decayed_means(frames, math.log(0.98))
    assert torch.equal(found, decayed_means(frames, math.log(0.98)))
    assert low.dtype == torch.bfloat16
    exact = decayed_means(frames.bfloat16().double(), math.log(0.98))
    torch.testing.assert_close(low.double(), exact, rtol=2**-8, atol=1e-3)
