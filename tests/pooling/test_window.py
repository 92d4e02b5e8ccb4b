"""Means over windows against the reference."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers.reference import reference_means
from summarymixing_sb.pooling import window_means

CHUNKS = [None] + [
    DynChunkTrainConfig(size, left)
    for size, left in ((1, None), (1, 3), (4, None), (4, 2), (5, 0), (30, 1), (999, 1))
]


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("window", [1, 3, 16, 100])
@pytest.mark.parametrize("time", [1, 7, 33])
def test_equals_the_reference(time, window, chunks):
    frames = torch.randn(3, time, 2, dtype=torch.double)
    weights = torch.randn_like(frames)
    rows = torch.arange(time) >= torch.tensor([[time], [max(1, time // 3)], [0]])
    for padding_mask in (None, rows):
        pair = []
        for function in (
            lambda x, limits: window_means(x, window, *limits),
            lambda x, limits: reference_means(x, *limits, weight=lambda gap: gap <= window),
        ):
            leaf = frames.clone().requires_grad_()
            means = function(leaf, (padding_mask, chunks))
            (means * weights).sum().backward()
            pair.append((means.detach(), leaf.grad))
        for fast, slow in zip(*pair):
            torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)


def test_padding_is_never_read():
    frames = torch.randn(2, 40, 2, requires_grad=True)
    padding_mask = torch.arange(40) >= torch.tensor([[9], [0]])
    poisoned = frames.masked_fill(padding_mask.unsqueeze(-1), torch.nan)
    means = window_means(poisoned, 3, padding_mask)
    torch.testing.assert_close(means[:1, :9], window_means(frames[:1, :9], 3))
    assert torch.equal(means[0, 12:], torch.zeros(28, 2))
    assert torch.equal(means[1], torch.zeros(40, 2))
    assert torch.autograd.grad(means.sum(), frames)[0].isfinite().all()


def test_float32_does_not_lose_small_windows_in_an_hour_of_frames():
    frames = torch.randn(1, 90_000, 2) + 1
    exact = window_means(frames.double(), 15)
    assert (window_means(frames, 15) - exact).abs().max() < 3e-6


def test_bfloat16_frames_are_summed_in_float32():
    frames = (torch.randn(1, 3000, 2) + 1).bfloat16()
    means = window_means(frames, 500)
    assert means.dtype == torch.bfloat16
    exact = window_means(frames.double(), 500)
    torch.testing.assert_close(means.double(), exact, rtol=2**-8, atol=1e-6)
