"""Batches by length: everything once, within the limit, like beside like."""

from itertools import pairwise

import numpy as np
import pytest

from summarymixing_sb.inference.splitting import batches_by_length


@pytest.mark.parametrize("limit", [0.5, 5.0, 60.0, 1e6])
def test_all_are_there_within_the_limit(limit):
    lengths = list(np.random.default_rng(0).uniform(0, 30, 200))
    batches = batches_by_length(lengths, limit)
    assert sorted(index for batch in batches for index in batch) == list(range(200))
    ordered = [lengths[index] for batch in batches for index in batch]
    assert ordered == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or lengths[batch[0]] * len(batch) <= limit
    for one, other in pairwise(batches):  # no batch could have taken one more
        assert lengths[one[0]] * (len(one) + 1) > limit
        assert lengths[one[-1]] >= lengths[other[0]]


def test_none():
    assert batches_by_length([], 10.0) == []
