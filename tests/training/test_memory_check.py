"""The memory check: nothing changes, and a lack of memory says what to lower."""

import random

import pytest
import speechbrain as sb
import torch

from summarymixing_sb.training.memory_check import check_memory, longest_batches


def state(brain):
    """Everything that a check must not change."""
    normalize = brain.hparams.normalize
    values = {key: value.clone() for key, value in brain.model.state_dict().items()}
    values |= {"mean": normalize.glob_mean.clone(), "std": normalize.glob_std.clone()}
    values |= {"count": torch.tensor(normalize.count), "rng": torch.get_rng_state()}
    return values


def test_changes_nothing(brain, items):
    before, drawn = state(brain), random.getstate()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    check_memory(brain, items, [[0, 1], [2]], slowest=0.9)
    after = state(brain)
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert torch.equal(value, after[key]), key
    assert random.getstate() == drawn
    assert all(parameter.grad is None for parameter in brain.modules.parameters())
    assert not brain.optimizer.state


def test_tries_the_slowest_speed(brain, items, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "summarymixing_sb.training.memory_check._forward_backward",
        lambda brain, batch: seen.append(batch.sig.data.shape),
    )
    check_memory(brain, items, [[0, 1]], slowest=0.5)
    assert seen == [(2, 2 * items[0]["sig"].numel())]


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte"),
    ],
)
def test_out_of_memory(brain, items, error, monkeypatch):
    def fail(batch, stage):
        raise error

    monkeypatch.setattr(brain, "compute_forward", fail)
    with pytest.raises(RuntimeError, match=r"Lower max_batch_length_train \(now 80 s\)") as raised:
        check_memory(brain, items, [[0, 1]])
    assert "avoid_if_longer_than" not in str(raised.value)
    with pytest.raises(RuntimeError, match=r"avoid_if_longer_than \(now 20.0 s\)"):
        check_memory(brain, items, [[0]])


def test_other_errors_pass(brain, items, monkeypatch):
    def fail(batch, stage):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(brain, "compute_forward", fail)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        check_memory(brain, items, [[0]])


def test_longest_batches_count_padding():
    batches = [[0, 1, 2], [3, 4], [5]]
    durations = [1.0, 1.0, 4.0, 5.0, 5.0, 11.0]
    num_tokens = [1, 1, 1, 2, 9, 3]
    assert longest_batches(batches, durations, num_tokens) == [[0, 1, 2], [3, 4]]


def test_longest_batches_count_what_a_joint_holds():
    batches = [[0, 1], [2, 3], [4]]
    durations = [9.0, 1.0, 8.0, 8.0, 1.0]
    num_tokens = [2, 2, 10, 10, 30]
    # 18 s and 4 tokens, 1 s and 30 tokens, 16 s times 10 tokens
    assert longest_batches(batches, durations, num_tokens) == [[0, 1], [4], [2, 3]]
