"""Batches of like length, made once an epoch and all at a time."""

import numpy as np
import torch
from speechbrain.dataio.sampler import DynamicBatchSampler


class EpochBatchSampler(DynamicBatchSampler):
    """SpeechBrain's DynamicBatchSampler and its batches, made fast.

    SpeechBrain puts utterances into their buckets one by one, at each call of ``set_epoch`` and
    after each epoch: minutes, for as many as LibriSpeech has. Arguments are those of SpeechBrain.

    Examples
    --------
    >>> sampler = EpochBatchSampler(
    ...     range(4), 10, num_buckets=2, shuffle=False, lengths_list=[4.0, 1.0, 5.0, 9.0]
    ... )
    >>> sampler.set_epoch(1)
    >>> sorted(sampler)
    [[0, 1], [2], [3]]
    """

    _made = None  # the epoch that the batches are for

    def set_epoch(self, epoch):
        """Make the batches of an epoch, unless they are there."""
        if self._made != epoch:
            super().set_epoch(epoch)

    def __iter__(self):
        """Yield the batches of the epoch; the next one is for ``set_epoch`` to make."""
        yield from self._batches

    def _generate_batches(self):
        order = np.arange(len(self._dataset))
        if self._shuffle_ex:
            generator = torch.Generator()
            generator.manual_seed(self._seed + self._epoch)
            order = torch.randperm(len(self._dataset), generator=generator).numpy()
        lengths = np.fromiter(self._ex_lengths.values(), float, len(order))
        buckets = np.searchsorted(self._bucket_boundaries, lengths[order])
        filled, rests = [], []
        for bucket, size in enumerate(self._bucket_lens):
            places = np.flatnonzero(buckets == bucket)  # in the order of utterances
            for start in range(0, len(places), size):
                batch = places[start : start + size]
                # a batch stands where its last utterance does; those not full at the end
                (filled if len(batch) == size else rests).append((batch[-1], order[batch].tolist()))
        self._batches = [batch for _, batch in sorted(filled)] + [batch for _, batch in rests]
        self._permute_batches()
        self._made = self._epoch
