"""What an utterance is batched with never changes its output."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.registry import mixer_class

LENGTHS = (40, 23, 9, 3, 1)


@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(4, 2)], ids=["whole", "chunks"])
def test_alone_equals_batched(pair, build, run, chunks):
    encoder, mixer = pair
    if chunks is not None and not mixer_class(mixer).supports_chunks:
        pytest.skip("sees the whole utterance by definition")
    if chunks is not None and not mixer_class(mixer).forgets:
        chunks = DynChunkTrainConfig(4, None)
    model = build(encoder, mixer)
    x = torch.randn(len(LENGTHS), max(LENGTHS), 16)
    padding_mask = torch.arange(max(LENGTHS)) >= torch.tensor(LENGTHS).unsqueeze(1)
    with torch.no_grad():
        batched = run(model, x, padding_mask, chunks)
        assert torch.isfinite(batched).all()
        for row, length in enumerate(LENGTHS):
            alone = run(model, x[row : row + 1, :length], None, chunks)
            assert (batched[row, :length] - alone[0]).abs().max() < 1e-5


def test_a_row_that_is_all_padding_stays_finite(pair, build, run):
    model = build(*pair).train()
    x = torch.randn(2, 12, 16, requires_grad=True)
    padding_mask = torch.tensor([[False], [True]]).expand(2, 12)
    out = run(model, x, padding_mask)
    out[0].sum().backward()
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()
