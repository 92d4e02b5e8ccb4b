"""A check before the first epoch that the longest training batches fit into memory."""

import math
from contextlib import contextmanager

import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch, PaddedData

from summarymixing_sb.training.checkpoints import RandomState
from summarymixing_sb.training.statistics import Statistics

NO_MEMORY_ON_CPU = ("can't allocate memory", "not enough memory")


def longest_batches(batches, durations, num_tokens):
    """Pick the batches that take most memory.

    Parameters
    ----------
    batches : list of list of int
        Utterances of each batch.
    durations : list of float
        Seconds of each utterance.
    num_tokens : list of int
        Tokens of each utterance.

    Returns
    -------
    list of list of int
        The batch of most audio, the one of most tokens and, for a transducer's joint, the one of
        the greatest product of both, each with padding and once.

    Examples
    --------
    >>> longest_batches([[0, 1], [2]], durations=[1.0, 2.0, 3.0], num_tokens=[5, 6, 20])
    [[0, 1], [2]]
    """

    def padded(*lengths):
        return lambda batch: len(batch) * math.prod(max(of[i] for i in batch) for of in lengths)

    largest = [
        max(batches, key=padded(*lengths))
        for lengths in ((durations,), (num_tokens,), (durations, num_tokens))
    ]
    return [batch for index, batch in enumerate(largest) if batch not in largest[:index]]


def check_memory(brain, dataset, batches, slowest=1.0):
    """Run batches forward and backward without training on them.

    Weights, gradients, the statistics of the normaliser, buffers and random numbers are afterwards
    as they were. Every process runs the same batches, so all take part in the same collectives.

    Parameters
    ----------
    brain : speechbrain.Brain
        After its ``on_fit_start``.
    dataset : speechbrain.dataio.dataset.DynamicItemDataset
    batches : list of list of int
        Utterances of each batch.
    slowest : float
        Smallest speed of speed perturbation, as a ratio; audio is padded to the length it has then.

    Raises
    ------
    RuntimeError
        When memory is too small, naming the hyperparameters that lower what a batch takes.
    """
    with _unchanged(brain):
        brain.modules.train()
        for indices in batches:
            batch = PaddedBatch([dataset[index] for index in indices])
            signals, lengths = batch.sig
            extra = round(signals.shape[1] * (1 / slowest - 1))
            batch.sig = PaddedData(torch.nn.functional.pad(signals, (0, extra)), lengths)
            try:
                _forward_backward(brain, batch)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                raise RuntimeError(_advice(brain, batch)) from error


def _forward_backward(brain, batch):
    with brain.training_ctx:
        outputs = brain.compute_forward(batch, sb.Stage.TRAIN)
        loss = brain.compute_objectives(outputs, batch, sb.Stage.TRAIN)
    loss.backward()
    brain.zero_grad(set_to_none=True)


@contextmanager
def _unchanged(brain):
    """Put back everything that a training batch changes besides gradients."""
    random_state, statistics = RandomState.capture(), Statistics(brain.modules)
    try:
        yield
    finally:
        RandomState.restore(random_state)
        statistics.restore()


def _out_of_memory(error):
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in str(error) for words in NO_MEMORY_ON_CPU
    )


def _advice(brain, batch):
    """Say which key to lower."""
    signals, _ = batch.sig
    hparams = brain.hparams
    seconds = signals.shape[0] * signals.shape[1] / hparams.sample_rate
    message = (
        f"out of memory on {brain.device} for one of the longest training batches: "
        f"{signals.shape[0]} utterances, {seconds:.0f} s of audio with padding. Lower "
        f"max_batch_length_train (now {hparams.max_batch_length_train} s)"
    )
    if signals.shape[0] == 1:
        message += f" and avoid_if_longer_than (now {hparams.avoid_if_longer_than} s)"
    return message + "; a larger --grad_accumulation_factor keeps the size of an optimiser step"
