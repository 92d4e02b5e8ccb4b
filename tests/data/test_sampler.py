"""The batches are SpeechBrain's, in every epoch."""

import numpy as np
import pytest
from speechbrain.dataio.sampler import DynamicBatchSampler

from summarymixing_sb.data.sampler import EpochBatchSampler


@pytest.mark.parametrize("ordering", ["random", "ascending", "descending"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("most", [None, 5])
def test_same_batches(ordering, shuffle, most):
    lengths = np.random.default_rng(0).gamma(3.0, 2.0, 1000).tolist()
    options = {"num_buckets": 20, "shuffle": shuffle, "batch_ordering": ordering, "seed": 7}
    options |= {"lengths_list": lengths, "max_batch_ex": most}
    ours, theirs = (
        sampler(range(1000), 60.0, **options)
        for sampler in (EpochBatchSampler, DynamicBatchSampler)
    )
    assert list(ours) == ours._batches == theirs._batches
    for epoch in (1, 1, 2, 5, 2):
        ours.set_epoch(epoch)
        theirs.set_epoch(epoch)
        assert list(ours) == theirs._batches
        assert len(ours) == len(theirs)
        assert sorted(index for batch in ours for index in batch) == list(range(1000))
