"""Mamba-2 by blocks against its recurrence; both directions, padding, chunks, streams."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers import Mamba, mamba


def recurrence(space, x, padding_mask=None):
    """One frame after the other."""
    start = space.make_state(len(x))
    values, keys, outputs, steps, log_decays, _ = space.read(x, padding_mask, start)
    hidden, mixed = start.hidden, []
    for t in range(x.size(1)):
        decay = log_decays[:, t].exp()[..., None, None]
        taken = keys[:, t, None, :, None] * (steps[:, t, :, None] * values[:, t])[:, :, None]
        hidden = decay * hidden + taken
        read = (hidden * outputs[:, t, None, :, None]).sum(2)
        mixed.append(read + space.skip[:, None] * values[:, t])
    return torch.stack(mixed, dim=1).flatten(2)


def make(**options):
    torch.manual_seed(0)
    model = Mamba(12, 3, state_size=5, **options).double()
    with torch.no_grad():
        model.past.step_size.bias.add_(3.0)  # decays within a few frames
    return model


PADDING = torch.arange(21) >= torch.tensor([[21], [9], [0]])


@pytest.mark.parametrize("padding_mask", [None, PADDING], ids=["whole", "padded"])
def test_blocks_equal_the_recurrence(padding_mask, monkeypatch):
    """Outputs and gradients."""
    monkeypatch.setattr(mamba, "BLOCK", 8)
    space = make().past
    weights = torch.randn(3, 21, 12, dtype=torch.double)
    results = []
    for function in (
        lambda x: space(x, padding_mask)[0],
        lambda x: recurrence(space, x, padding_mask),
    ):
        x = torch.arange(3 * 21 * 12, dtype=torch.double).sin().view(3, 21, 12).requires_grad_()
        space.zero_grad()
        out = function(x)
        (out * weights).sum().backward()
        results.append([out.detach(), x.grad, *(p.grad.clone() for p in space.parameters())])
    for fast, slow in zip(*results):
        assert (fast - slow).norm() <= 1e-10 * slow.norm()


@torch.no_grad()
def test_both_directions():
    """The second reads from the end of each utterance, wherever that is in the batch."""
    model = make()
    x = torch.randn(3, 21, 12, dtype=torch.double)
    together = model(x, PADDING)
    for row, length in ((0, 21), (1, 9)):
        alone = model(x[row : row + 1, :length])
        assert (together[row, :length] - alone[0]).abs().max() < 1e-12
    changed = x.clone()
    changed[:, -1] += 1.0
    assert (model(changed) - model(x))[:, 0].abs().max() > 1e-9
    past = make(bidirectional=False)
    assert torch.equal(past(changed)[:, :-1], past(x)[:, :-1])


@torch.no_grad()
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("size", [1, 4, 30])
def test_streams(size, bidirectional):
    model, chunks = make(bidirectional=bidirectional), DynChunkTrainConfig(size, None)
    x = torch.randn(3, 21, 12, dtype=torch.double)
    padding_mask = torch.arange(21) >= torch.tensor([[21], [21], [13]])
    whole = model(x, padding_mask, chunks)
    state, found = model.make_state(3, chunks), []
    for part, mask in zip(x.split(size, dim=1), padding_mask.split(size, dim=1)):
        found.append(model.step(part, state, mask))
    found = torch.cat(found, dim=1)
    assert ((found - whole) * ~padding_mask.unsqueeze(-1)).abs().max() < 1e-12
    state.reorder(torch.tensor([1, 0, 2]))


def test_memory_is_linear(largest_tensor):
    model, sizes = Mamba(16, 2, state_size=8), []
    for time in (512, 2048):
        with largest_tensor as largest:
            largest.elements = 0
            model(torch.randn(1, time, 16))
        sizes.append(largest.elements)
    assert sizes[1] <= 4.1 * sizes[0]


def test_what_cannot_be():
    with pytest.raises(ValueError, match="nhead=5 does not divide d_model=12"):
        Mamba(12, 5)
    with pytest.raises(ValueError, match="state_size of mamba must be 1 or more, not 0"):
        Mamba(12, state_size=0)
    limited = DynChunkTrainConfig(4, 2)
    for call in (
        lambda m: m(torch.rand(1, 8, 12), chunks=limited),
        lambda m: m.make_state(1, limited),
    ):
        with pytest.raises(ValueError, match="left_context_size must be None, not 2"):
            call(Mamba(12))
