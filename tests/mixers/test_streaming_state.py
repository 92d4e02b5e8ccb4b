"""SummaryMixing one chunk at a time against all chunks at once."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb import build_mixer
from summarymixing_sb.mixers.summary_mixing import FORMS, PRESETS, SummaryMixing

CHUNKS = {
    "causal": DynChunkTrainConfig(1, None),
    "chunks": DynChunkTrainConfig(4, None),
    "limited": DynChunkTrainConfig(4, 2),
    "one frame, limited": DynChunkTrainConfig(1, 3),
    "alone": DynChunkTrainConfig(3, 0),
    "longer than the speech": DynChunkTrainConfig(50, 1),
}
FRAMES = 13


def make_mixer(form="full", preset="speechbrain1.0", nhead=1):
    mixer = SummaryMixing(12, nhead, dropout=0.5, form=form, preset=preset).double().eval()
    for name, parameter in mixer.named_parameters():
        if "norm" in name:  # not at its trivial initial value
            torch.nn.init.normal_(parameter)
    return mixer


def stream(mixer, x, chunks, padding_mask=None):
    state = mixer.make_state(x.size(0), chunks)
    pieces = x.split(chunks.chunk_size, dim=1)
    masks = [None] * len(pieces)
    if padding_mask is not None:
        masks = padding_mask.split(chunks.chunk_size, dim=1)
    return torch.cat([mixer.step(*pair[:1], state, pair[1]) for pair in zip(pieces, masks)], dim=1)


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("nhead", [1, 4])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", FORMS)
def test_chunk_by_chunk_equals_all_at_once(form, preset, nhead, chunks):
    mixer = make_mixer(form, preset, nhead)
    x = torch.randn(3, FRAMES, 12, dtype=torch.double)
    # a full row, one that ends within a chunk, and one that is all padding
    padding_mask = torch.arange(FRAMES) >= torch.tensor([[FRAMES], [6], [0]])
    for mask in (None, padding_mask):
        expected = mixer(x, mask, chunks)
        torch.testing.assert_close(stream(mixer, x, chunks, mask), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("left", [None, 0, 3])
def test_state_does_not_grow(left):
    mixer = make_mixer()
    state = mixer.make_state(2, DynChunkTrainConfig(2, left))
    start = state.totals.shape, state.counts.shape
    for _ in range(20):
        mixer.step(torch.randn(2, 2, 12, dtype=torch.double), state)
    assert (state.totals.shape, state.counts.shape) == start
    assert state.totals.numel() == 2 * 12 * (1 if left is None else left)


@pytest.mark.parametrize("left", [None, 2])
def test_reordered_rows_go_on_from_another_past(left):
    mixer, chunks = make_mixer(), DynChunkTrainConfig(2, left)
    x = torch.randn(3, 10, 12, dtype=torch.double)
    index = torch.tensor([2, 0, 0])
    state = mixer.make_state(3, chunks)
    for chunk in x[:, :6].split(2, dim=1):
        mixer.step(chunk, state)
    state.reorder(index)
    rest = [mixer.step(chunk, state) for chunk in x[:, 6:].split(2, dim=1)]
    as_if = torch.cat((x[index, :6], x[:, 6:]), dim=1)
    expected = mixer(as_if, chunks=chunks)[:, 6:]
    torch.testing.assert_close(torch.cat(rest, dim=1), expected, rtol=0, atol=1e-12)


def test_sums_are_kept_in_float32():
    mixer = SummaryMixing(8).bfloat16().eval()
    state = mixer.make_state(1, DynChunkTrainConfig(1, None))
    x = torch.randn(1, 1, 8).bfloat16()
    first = mixer.step(x, state)
    for _ in range(600):  # a bfloat16 count would stop at 256
        last = mixer.step(x, state)
    assert state.totals.dtype == state.counts.dtype == torch.float32
    assert state.counts.item() == 601
    torch.testing.assert_close(last, first)


def test_gradients_flow_through_the_state():
    mixer, chunks = make_mixer(), DynChunkTrainConfig(4, 1)
    x = torch.randn(2, FRAMES, 12, dtype=torch.double)
    weights = torch.randn_like(x)
    by_way = []
    for run in (stream, lambda mixer, x, chunks: mixer(x, chunks=chunks)):
        leaf = x.clone().requires_grad_()
        (run(mixer, leaf, chunks) * weights).sum().backward()
        by_way.append(leaf.grad)
    torch.testing.assert_close(*by_way, rtol=0, atol=1e-12)


def test_what_cannot_work_is_refused():
    mixer = make_mixer()
    with pytest.raises(ValueError, match="cannot be streamed: give chunks"):
        mixer.make_state(1, None)
    state = mixer.make_state(1, DynChunkTrainConfig(4, None))
    with pytest.raises(ValueError, match="at most 4 frames, not 5"):
        mixer.step(torch.randn(1, 5, 12, dtype=torch.double), state)


@pytest.mark.parametrize("name", ["fastformer", "hypermixing", "RelPosMHAXL", "RoPEMHA"])
def test_mixers_that_cannot_stream_say_so(name):
    mixer = build_mixer(name, 16, 2, d_ffn=32)
    with pytest.raises(NotImplementedError, match="one chunk at a time"):
        mixer.make_state(1, DynChunkTrainConfig(4, None))
    with pytest.raises(NotImplementedError, match="one chunk at a time"):
        mixer.step(torch.randn(1, 4, 16), None)
