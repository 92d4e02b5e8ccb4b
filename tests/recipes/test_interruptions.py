"""What stops a run: signals, kills, another run, a recording that is no sound."""

import os
import signal
import socket
import time

import pytest
import torch
from interruptions import OFTEN, SIZES, assert_same, run, start
from tones import make_librispeech

from summarymixing_sb.training.lock import locked
from summarymixing_sb.training.tasks.asr import ASRBrain


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_librispeech(tmp_path_factory.mktemp("corpus") / "LibriSpeech", SIZES)


@pytest.fixture(scope="module")
def expected(corpus, tmp_path_factory):
    """Weights of a run that nobody stopped."""
    return run(corpus, tmp_path_factory.mktemp("straight"), number_of_epochs=2)


def wait_for(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def members(group):
    """Processes of a group that have not ended."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                state, _, process_group = file.read().rsplit(")", 1)[1].split()[:3]
        except OSError:
            continue
        if int(process_group) == group and state != "Z":
            found.append(int(name))
    return found


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="processes are read from /proc")
@pytest.mark.parametrize(
    ("name", "num_workers"), [("SIGTERM", 2), ("SIGUSR1", 0), ("SIGINT", 0), ("SIGINT", 2)]
)
def test_a_signal_saves_and_stops(corpus, tmp_path, expected, name, num_workers):
    """Of the process, or of its whole group with the loaders' workers, as clusters send it."""
    folder = tmp_path / "run"
    stop = (os.killpg if num_workers else os.kill, getattr(signal, name))
    process = start(corpus, folder, num_workers=num_workers, number_of_epochs=2, stop=stop)
    process.join(60)
    assert process.exitcode == (130 if name == "SIGINT" else 75), read(tmp_path / "run.log")
    assert not members(process.pid)
    saved = {path.name for path in (folder / "save").glob("CKPT*")}
    assert len(saved) == 2  # that of an epoch, and this one
    assert "saving and stopping after this step" in read(folder / "log.txt")


def read(file):
    return file.read_text() if file.is_file() else ""


def test_stopped_and_killed_runs_end_as_others_do(corpus, tmp_path, expected):
    """Stopped in an epoch, killed in the next."""
    for stop in (signal.SIGTERM, signal.SIGKILL):
        process = start(corpus, tmp_path / "run", *OFTEN, number_of_epochs=2)
        wait_for(lambda: list((tmp_path / "run" / "save").glob("CKPT*")))
        os.kill(process.pid, stop)
        process.join(30)
        assert process.exitcode in (0, 75, -signal.SIGKILL), read(tmp_path / "run.log")
    assert_same(run(corpus, tmp_path / "run", number_of_epochs=2), expected)


def start_two(corpus, folder, *flags, stop=(None, None), **overrides):
    """Start two processes of one run, as srun does."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    address = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    ranks = [{"RANK": rank, "LOCAL_RANK": rank} for rank in ("0", "1")]
    return [
        start(corpus, folder, *flags, environment={**address, **rank}, stop=own, **overrides)
        for rank, own in zip(ranks, stop, strict=True)
    ]


def test_two_processes_of_debugging(corpus, tmp_path):
    """They look for checkpoints in one folder, though SpeechBrain gives each a temporary one."""
    processes = start_two(corpus, tmp_path / "run", "--debug", number_of_epochs=2)
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0], read(tmp_path / "run.log")


def test_two_processes_stop_together(corpus, tmp_path):
    """Only one of them gets the signal."""
    folder = tmp_path / "run"
    processes = start_two(
        corpus, folder, number_of_epochs=2, stop=(None, (os.kill, signal.SIGTERM))
    )
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [75, 75], read(tmp_path / "run.log")
    assert len(list((folder / "save").glob("CKPT*"))) == 2


def test_stopped_in_validation(corpus, tmp_path, expected, monkeypatch):
    """What was trained is saved before it."""
    evaluate = ASRBrain.evaluate_batch

    def interrupted(brain, batch, stage):
        if brain.hparams.epoch_counter.current == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(brain, batch, stage)

    with monkeypatch.context() as patch:
        patch.setattr(ASRBrain, "evaluate_batch", interrupted)
        with pytest.raises(SystemExit) as stopped:
            run(corpus, tmp_path, number_of_epochs=2)
    assert stopped.value.code == 75
    steps = []
    fit_batch = ASRBrain.fit_batch
    monkeypatch.setattr(
        ASRBrain, "fit_batch", lambda brain, batch: steps.append(1) or fit_batch(brain, batch)
    )
    assert_same(run(corpus, tmp_path, number_of_epochs=2), expected)
    assert not steps


def test_a_second_run_in_the_same_folder(corpus, tmp_path):
    process = start(corpus, tmp_path / "run", number_of_epochs=500)
    try:
        wait_for(lambda: read(tmp_path / "run" / "run.lock"))
        with pytest.raises(RuntimeError, match=f"is in use by process {process.pid} on "):
            run(corpus, tmp_path / "run")
    finally:
        process.kill()
        process.join()
    with locked(tmp_path / "run"):
        pass


def test_one_recording_that_is_no_sound(corpus, tmp_path, monkeypatch):
    """A batch of each epoch is skipped and named; weights and results stay finite."""
    forward = ASRBrain.compute_forward

    def poisoned(brain, batch, stage):
        for row, key in enumerate(batch.id):
            if key == "1-1-0003":
                batch.sig.data[row, 100] = torch.nan
        return forward(brain, batch, stage)

    monkeypatch.setattr(ASRBrain, "compute_forward", poisoned)
    weights = run(corpus, tmp_path, number_of_epochs=2)
    assert all(value.isfinite().all() for value in weights.values())
    log = read(tmp_path / "log.txt")
    assert log.count("first of all 1-1-0003, whose samples are not finite") == 2
    assert "nan" not in read(tmp_path / "train_log.txt")


def test_a_learning_rate_that_is_far_too_high(corpus, tmp_path):
    with pytest.raises(FloatingPointError, match=r"4 in a row .*lower lr \(now 1e\+30\)"):
        run(corpus, tmp_path, number_of_epochs=9, lr=1e30, n_warmup_steps=1)
    for file in (tmp_path / "save").glob("CKPT*/model.ckpt"):
        state = torch.load(file, weights_only=True)
        assert all(value.isfinite().all() for value in state.values())
