"""Attention over a window against dense attention with the window as a mask; streams."""

import pytest
import torch
import torch.nn.functional as F
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers import LocalAttention, RoPESDPA, local_attention
from summarymixing_sb.mixers.masks import chunk_attention_mask
from summarymixing_sb.mixers.rope_sdpa import rotate

CHUNKS = [None, *(DynChunkTrainConfig(*pair) for pair in ((4, None), (4, 2), (5, 0), (50, 1)))]


def dense(mixer, x, padding_mask, chunks):
    """All of (T, T), hidden where it is out of the window."""
    query, key, value = mixer._project(x.masked_fill(padding_mask.unsqueeze(-1), 0))
    rotation = mixer._rotation(x, x.size(1))
    time = torch.arange(x.size(1))
    gap = time - time.unsqueeze(1)  # behind the frame if above 0
    visible = (gap >= -mixer.left) & (gap <= mixer.right)
    if chunks is not None:
        visible &= ~chunk_attention_mask(x.size(1), chunks, "cpu")
    visible = visible & ~padding_mask.unsqueeze(1) | (gap == 0)
    mixed = F.scaled_dot_product_attention(
        rotate(query, rotation), rotate(key, rotation), value, visible[:, None], scale=mixer.scale
    )
    return mixer.out_proj(mixed.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize(("left", "right"), [(3, 2), (0, 0), (20, 30), (0, 5)])
def test_equals_dense_attention(left, right, chunks, monkeypatch):
    """Outputs and gradients of several blocks, of which the last is shorter."""
    monkeypatch.setattr(local_attention, "BLOCK", 8)
    mixer = LocalAttention(12, 3, left=left, right=right).double()
    weights = torch.randn(3, 21, 12, dtype=torch.double)
    some = torch.arange(21) >= torch.tensor([[21], [9], [0]])
    for mask in (None, some):
        weighed = weights if mask is None else weights.masked_fill(mask.unsqueeze(-1), 0)
        given = torch.zeros(3, 21, dtype=torch.bool) if mask is None else mask
        results = []
        for out in (
            lambda x, m=mask: mixer(x, m, chunks),
            lambda x, m=given: dense(mixer, x, m, chunks),
        ):
            x = torch.arange(3 * 21 * 12, dtype=torch.double).sin().view(3, 21, 12).requires_grad_()
            mixer.zero_grad()
            mixed = out(x)
            (mixed * weighed).sum().backward()
            gradients = [p.grad.clone() for p in mixer.parameters()]
            results.append([mixed.detach() * (weighed != 0), x.grad, *gradients])
        for fast, slow in zip(*results):
            assert (fast - slow).norm() <= 1e-10 * slow.norm()


def test_a_window_over_all_is_rotary_attention():
    mixer, whole = LocalAttention(12, 3, left=40, right=40), RoPESDPA(12, 3)
    whole.load_state_dict(mixer.state_dict())
    x = torch.randn(2, 30, 12)
    torch.testing.assert_close(mixer(x), whole(x), rtol=1e-4, atol=1e-5)


def test_memory_is_linear(largest_tensor):
    mixer = LocalAttention(8, 1, left=8, right=8)
    sizes = []
    for time in (1024, 4096):
        with largest_tensor as largest:
            largest.elements = 0
            mixer(torch.randn(1, time, 8))
        sizes.append(largest.elements)
    assert sizes[1] <= 4.1 * sizes[0]


@torch.no_grad()
@pytest.mark.parametrize(
    "make", [lambda: RoPESDPA(12, 3), lambda: LocalAttention(12, 3, left=5, right=2)]
)
@pytest.mark.parametrize(
    "chunks", [DynChunkTrainConfig(*pair) for pair in ((4, 2), (1, 3), (4, 0))], ids=str
)
def test_streams(make, chunks):
    """Chunk by chunk as at once; also with padding at the end of some, and reordered."""
    mixer = make().double()
    x = torch.randn(3, 22, 12, dtype=torch.double)
    padding_mask = torch.arange(22) >= torch.tensor([[22], [22], [13]])
    size = chunks.chunk_size
    whole = mixer(x, padding_mask, chunks)
    state, found = mixer.make_state(3, chunks), []
    for part, mask in zip(x.split(size, dim=1), padding_mask.split(size, dim=1)):
        found.append(mixer.step(part, state, mask))
    found = torch.cat(found, dim=1)
    assert ((found - whole) * ~padding_mask.unsqueeze(-1)).abs().max() < 1e-12
    assert state.keys.size(2) == mixer.kept_frames(chunks)
    state.reorder(torch.tensor([1, 0, 2]))
    swapped = mixer.step(x[[1, 0, 2], :size], state)
    assert swapped.isfinite().all()


def test_what_cannot_be():
    with pytest.raises(ValueError, match="left of LocalAttention must be 0 or more frames, not -1"):
        LocalAttention(12, 3, left=-1)
    endless = DynChunkTrainConfig(4, None)
    with pytest.raises(ValueError, match="RoPESDPA with all of the left context keeps every frame"):
        RoPESDPA(12, 3).make_state(1, endless)
    assert LocalAttention(12, 3, left=9).kept_frames(endless) == 9
