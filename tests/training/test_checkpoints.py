"""Checkpoints: random state, averages in memory, the model they belong to."""

import random

import pytest
import torch

from summarymixing_sb.models.checkpoints import load_average
from summarymixing_sb.training.checkpoints import RandomState, Stopwatch, check_same_model


def test_random_state(tmp_path):
    state = RandomState()
    state.save(tmp_path / "state")
    first = random.random(), torch.rand(3)
    state.load(tmp_path / "state", end_of_epoch=True)
    assert random.random() == first[0]
    assert torch.equal(torch.rand(3), first[1])


@pytest.fixture
def saved(brain):
    """Checkpoints of three epochs, all weights 1, 2, 4, and one within an epoch."""
    losses = {1: 3.0, 2: 1.0, 4: 2.0}
    normalize = brain.hparams.normalize
    for value, loss in losses.items():
        fill(brain, float(value))
        normalize.count, normalize.glob_mean = value, torch.full((80,), float(value))
        brain.checkpointer.save_checkpoint(meta={"loss": loss, "epoch": value})
    fill(brain, 100.0)
    brain.checkpointer.save_checkpoint(end_of_epoch=False)
    return brain


def fill(brain, value):
    with torch.no_grad():
        for parameter in brain.hparams.model.parameters():
            parameter.fill_(value)


@pytest.mark.parametrize(
    ("number", "by", "average", "latest"),
    [
        (1, "last", 4.0, 4),
        (2, "last", 3.0, 4),
        (10, "last", 7 / 3, 4),
        (2, "loss", 3.0, 4),
        (1, "loss", 2.0, 2),
    ],
)
def test_average(saved, number, by, average, latest):
    folder = saved.checkpointer.checkpoints_dir
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    hparams = saved.hparams
    found = load_average(saved.checkpointer, hparams.model, hparams.normalize, number, by)
    assert len(found) == min(number, 3)
    for parameter in hparams.model.parameters():
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, average))
    assert hparams.normalize.count == latest
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_no_checkpoint_with_the_score(saved):
    hparams = saved.hparams
    with pytest.raises(
        FileNotFoundError, match="no checkpoint of a whole epoch with the score WER"
    ):
        load_average(saved.checkpointer, hparams.model, hparams.normalize, 1, "WER")


def test_same_model(saved):
    identity = {"Transformer.nhead": 4, "targets": "abc"}
    check_same_model(saved.checkpointer, identity)
    check_same_model(saved.checkpointer, identity)
    check_same_model(saved.checkpointer, {"Transformer.nhead": 4})
    with pytest.raises(ValueError, match=r"nhead: 4 there, 8 now"):
        check_same_model(saved.checkpointer, {"Transformer.nhead": 8})
    with pytest.raises(ValueError, match="targets: abc there, xyz now"):
        check_same_model(saved.checkpointer, {**identity, "targets": "xyz"})


def test_stopwatch_counts_on(tmp_path):
    first, second = Stopwatch(), Stopwatch()
    assert first.seconds() == 0
    first.before = 100.0
    first.start()
    assert 100 < first.seconds() < 101
    first.save(tmp_path / "seconds")
    second.load(tmp_path / "seconds", end_of_epoch=True)
    assert 100 < second.seconds() < 101
