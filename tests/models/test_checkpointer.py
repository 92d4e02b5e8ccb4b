"""Checkpoints: whole or not at all, the newest whole one is used, in the order of training."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from speechbrain.utils import checkpoints as sb_checkpoints

from summarymixing_sb import Checkpointer
from summarymixing_sb.models.checkpointer import UNFINISHED
from summarymixing_sb.models.checkpoints import average_parameters

FILES = ("CKPT.yaml", "brain.ckpt", "model.ckpt")


class Counter(torch.nn.Module):
    """A model whose only number says how far training was, and what SpeechBrain's Brain saves."""

    def __init__(self, folder):
        super().__init__()
        self.value = torch.nn.Parameter(torch.zeros(100))
        self.steps = 0
        self.checkpointer = Checkpointer(folder, {"model": self})
        self.checkpointer.add_recoverable(
            "brain", self, custom_save_hook=Counter.note, custom_load_hook=Counter.read
        )

    def note(self, path):
        Path(path).write_text(f"step: {self.steps}\noptimizer_step: {self.steps}\n")

    def read(self, path, end_of_epoch):
        self.steps = int(Path(path).read_text().split()[-1])

    def save(self, steps, **meta):
        self.steps = steps
        torch.nn.init.constant_(self.value, steps)
        return self.checkpointer.save_checkpoint({"epoch": steps, **meta})

    def recover(self):
        Counter.__init__(self, self.checkpointer.checkpoints_dir)
        self.checkpointer.recover_if_possible()
        assert self.steps == self.value[0]
        return self.steps


@pytest.fixture
def counter(tmp_path):
    return Counter(tmp_path)


def empty(file):
    file.write_bytes(b"")


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def remove(file):
    file.unlink()


def garble(file):
    file.write_bytes(b"\x80\x81[")


@pytest.mark.parametrize("damage", [empty, truncate, remove, garble])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_is_skipped(counter, name, damage, caplog):
    counter.save(1)
    newest = counter.save(2)
    damage(newest.path / name)
    assert counter.recover() == 1
    assert str(newest.path) in caplog.text
    # not deleted, nor counted among those kept
    counter.checkpointer.delete_checkpoints(num_to_keep=1)
    assert newest.path.is_dir()
    assert [found.meta["epoch"] for found in counter.checkpointer.list_checkpoints()] == [1]


@pytest.mark.parametrize("damage", [empty, truncate, garble])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_checkpoint_of_speechbrain_is_skipped(counter, name, damage):
    """One whose sizes were not noted."""
    counter.save(1)
    counter.steps = 2
    saved = sb_checkpoints.Checkpointer.save_checkpoint(counter.checkpointer)
    os.replace(saved.path, counter.checkpointer.checkpoints_dir / saved.path.name)
    newest = counter.checkpointer.checkpoints_dir / saved.path.name
    assert counter.checkpointer.find_checkpoint().path == newest
    damage(newest / name)
    if (name, damage) != ("brain.ckpt", truncate):  # half of a text is a text
        assert counter.recover() == 1


def test_says_so_when_all_are_damaged(counter):
    empty(counter.save(1).path / "model.ckpt")
    with pytest.raises(ValueError, match=r"all checkpoints in .* are damaged"):
        counter.recover()


def test_killed_while_writing(counter, tmp_path):
    """After the last file but before the checkpoint has its name, it does not exist."""
    counter.save(1)
    script = (
        "import os, signal, sys\n"
        "from models.test_checkpointer import Counter\n"
        "from summarymixing_sb.models import checkpointer\n"
        "checkpointer.os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Counter(sys.argv[1]).save(2)\n"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], env={**os.environ, "PYTHONPATH": path}
    )
    assert done.returncode < 0
    assert list((tmp_path / UNFINISHED).iterdir())
    assert counter.recover() == 1
    counter.save(2)
    assert not list((tmp_path / UNFINISHED).iterdir())
    assert counter.recover() == 2


def test_full_disk(counter, monkeypatch):
    """An error that says what to do, and nothing of the checkpoint is left."""
    counter.save(1)

    def full(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("summarymixing_sb.models.checkpointer.flush_to_disk", full)
    with pytest.raises(OSError, match=r"No space left.*make room"):
        counter.save(2)
    assert len(list(counter.checkpointer.checkpoints_dir.glob("*"))) == 1
    assert not list((counter.checkpointer.checkpoints_dir).glob(f"{UNFINISHED}/*"))
    assert counter.recover() == 1


def test_the_clock_is_set_back(counter, monkeypatch):
    counter.save(1, loss=2.0)
    monkeypatch.setattr(sb_checkpoints.time, "time", lambda: 1.0)
    counter.save(2, loss=1.0)
    counter.save(3, loss=3.0)
    counter.checkpointer.delete_checkpoints(num_to_keep=2)
    assert counter.checkpointer.find_checkpoint().meta["epoch"] == 3
    assert sorted(x.meta["epoch"] for x in counter.checkpointer.list_checkpoints()) == [2, 3]


def test_scores_and_weights_that_are_not_finite(counter, caplog):
    counter.save(1, loss=2.0)
    counter.save(2, loss=float("nan"))
    counter.save(3)
    counter.save(float("nan"), loss=0.0)
    assert counter.checkpointer.find_checkpoint(min_key="loss").meta["loss"] == 0.0
    average, used = average_parameters(counter.checkpointer, [], number=5, by="loss")
    assert [checkpoint.meta["epoch"] for checkpoint in used] == [1]
    assert next(iter(average.values())).eq(1).all()
    assert "is not averaged: value" in caplog.text


def test_takes_over_from_speechbrain(tmp_path):
    linear = torch.nn.Linear(2, 2)
    theirs = sb_checkpoints.Checkpointer(tmp_path, {"model": linear})
    ours = Checkpointer.adopt(theirs)
    assert ours.recoverables == {"model": linear}
    assert Checkpointer.adopt(ours) is ours
    theirs.save_checkpoint()
    with torch.no_grad():
        linear.weight.fill_(7.0)
    assert ours.recover_if_possible() is not None
    assert linear.weight.ne(7).all()
