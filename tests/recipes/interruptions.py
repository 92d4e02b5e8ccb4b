"""A run in a process of its own, to be killed, and what tells that it lost nothing."""

import multiprocessing
import os
from contextlib import redirect_stderr, redirect_stdout

import torch
from tones import train

from summarymixing_sb.training.tasks.asr import ASRBrain

SIZES = {"train-mini": 24, "dev-mini": 3, "test-mini": 3}
OPTIONS = {
    "train_splits": "[train-mini]",
    "valid_splits": "[dev-mini]",
    "test_splits": "[test-mini]",
    "token_type": "char",
    "output_neurons": 16,
    "max_batch_length_train": 6,
    "n_warmup_steps": 10,
    "avg_checkpoints": 1,
}
#: A checkpoint after every optimiser step.
OFTEN = ("--ckpt_interval_steps=1", "--ckpt_interval_minutes=0")


def run(corpus, folder, *flags, **overrides):
    """Train and test a small CTC model; returns its weights as they were trained."""
    options = {**OPTIONS, **overrides}
    brain = train("LibriSpeech", "conformer_ctc.yaml", corpus, folder, *flags, **options)
    return {name: value.clone() for name, value in brain.model.state_dict().items()}


def _signal_in_epoch_2(send, number):
    """Let this process signal itself in the third step, when each worker has given a batch."""
    fit_batch = ASRBrain.fit_batch

    def signalled(brain, batch):
        if brain.hparams.epoch_counter.current == 2 and brain.step == 3:
            send(os.getpid(), number)
        return fit_batch(brain, batch)

    ASRBrain.fit_batch = signalled


def _run_alone(environment, stop, corpus, folder, *flags, **overrides):
    if stop is not None:
        _signal_in_epoch_2(*stop)
    multiprocessing.set_start_method("fork", force=True)  # of the loaders' workers
    os.setpgid(0, 0)
    os.environ.update(environment or {})
    torch.set_num_threads(1)
    with open(f"{folder}.log", "a") as log, redirect_stdout(log), redirect_stderr(log):
        run(corpus, folder, *flags, **overrides)


def start(corpus, folder, *flags, environment=None, stop=None, **overrides):
    """Start :func:`run` in a process of its own, which leads a group of its own.

    It is forked from a server, and not from the tests, whose threads may not be forked. `stop` is
    os.kill or os.killpg, and the signal by which it stops itself in the second epoch.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["interruptions"])
    process = context.Process(
        target=_run_alone, args=(environment, stop, corpus, folder, *flags), kwargs=overrides
    )
    process.start()
    return process


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
