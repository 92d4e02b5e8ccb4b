"""The reference with dense weights against a loop over frames."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers.reference import reference_means

CHUNKS = [None] + [
    DynChunkTrainConfig(size, left)
    for size, left in ((1, None), (1, 3), (4, None), (4, 2), (5, 0), (30, 1), (999, 1))
]
GAMMA = torch.tensor(0.8, dtype=torch.double)
WEIGHTS = {
    "equal": torch.ones_like,
    "decay": lambda distances: GAMMA**distances,
    "window": lambda distances: distances <= 3,
}


def mean_of_one_frame(frames, t, padding, chunks, weight):
    """Average the frames of one utterance, (T, d), that frame t sees."""
    first, last = 0, len(frames)
    if chunks is not None:
        chunk = t // chunks.chunk_size
        last = min(last, (chunk + 1) * chunks.chunk_size)
        if chunks.left_context_size is not None:
            first = max(0, (chunk - chunks.left_context_size) * chunks.chunk_size)
    seen = [i for i in range(first, last) if not padding[i]]
    weights = [weight(torch.tensor(abs(i - t))) for i in seen]
    total = sum((w * frames[i] for w, i in zip(weights, seen)), torch.zeros_like(frames[0]))
    return total / max(1, sum(weights))


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS.keys())
@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("time", [1, 7, 33])
def test_dense_weights_equal_the_loop(time, chunks, weight):
    frames = torch.randn(3, time, 2, dtype=torch.double)
    no_padding = torch.zeros(3, time, dtype=torch.bool)
    some = torch.arange(time) >= torch.tensor([[time], [max(1, time // 3)], [0]])
    for mask in (None, some):
        dense = reference_means(frames, mask, chunks, weight)
        for row, padding in enumerate(no_padding if mask is None else mask):
            for t in range(time):
                expected = mean_of_one_frame(frames[row], t, padding, chunks, weight)
                assert (dense[row, t] - expected).abs().max() <= 1e-14


def test_padding_is_never_read():
    frames = torch.randn(2, 9, 3)
    mask = torch.arange(9) >= torch.tensor([[5], [0]])
    poisoned = frames.masked_fill(mask.unsqueeze(-1), torch.nan)
    assert torch.equal(reference_means(poisoned, mask), reference_means(frames, mask))
