"""Peak memory, each point in a process of its own."""

from concurrent.futures.process import BrokenProcessPool

import pytest

from results.benchmark.memory import peak_in_child
from results.benchmark.points import BASELINE, Group, Kind, Sizes


def test_memory_of_chunked_training_is_a_straight_line():
    kind = Kind("mixer_step", chunk=16, sizes=Sizes(d_model=128))
    groups = [Group(kind, seconds, ()) for seconds in (400, 800, 1600)]
    peaks = [peak_in_child(BASELINE, group, threads=1)[0] for group in groups]
    # Twice the frames more, twice the memory more; a (T, T) tensor would make it four times.
    assert 1.8 < (peaks[2] - peaks[1]) / (peaks[1] - peaks[0]) < 2.2


def test_failures_in_the_child_are_told():
    assert issubclass(BrokenProcessPool, RuntimeError)  # which a row tells like any failure
    with pytest.raises(ValueError, match="Branchformer has no RoPEMHA"):
        peak_in_child("stock RoPEMHA", Group(Kind("mixer", "branchformer"), 1, ()), threads=1)
