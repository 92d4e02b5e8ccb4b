"""Means over time against the reference, at lengths that strain prefix sums."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers.reference import reference_means
from summarymixing_sb.pooling import chunk_means, utterance_mean


@pytest.mark.parametrize("time", [1, 63, 500])
@pytest.mark.parametrize("left", [None, 0, 1, 7])
def test_chunk_means_equal_the_reference(time, left):
    frames = torch.randn(2, time, 3, dtype=torch.double)
    padding_mask = torch.arange(time) >= torch.tensor([[time], [time // 3]])
    chunks = DynChunkTrainConfig(8, left)
    fast = chunk_means(frames, chunks, padding_mask).repeat_interleave(8, dim=1)[:, :time]
    torch.testing.assert_close(
        fast, reference_means(frames, padding_mask, chunks), rtol=1e-12, atol=1e-12
    )


def test_a_row_without_valid_frames_gives_zeros():
    frames = torch.full((1, 4, 2), torch.nan)
    padding_mask = torch.ones(1, 4, dtype=torch.bool)
    assert torch.equal(utterance_mean(frames, padding_mask), torch.zeros(1, 1, 2))
    means = chunk_means(frames, DynChunkTrainConfig(2, 1), padding_mask)
    assert torch.equal(means, torch.zeros(1, 2, 2))


def test_float32_prefix_sums_hold_for_an_hour_of_frames():
    frames = torch.randn(1, 90_000, 2) + 1
    chunks = DynChunkTrainConfig(8, 4)
    exact = chunk_means(frames.double(), chunks)
    assert (chunk_means(frames, chunks) - exact).abs().max() < 1e-6
