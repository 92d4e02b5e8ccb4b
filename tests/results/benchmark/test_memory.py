"""Peak memory, each point in a process of its own."""

from concurrent.futures.process import BrokenProcessPool

import pytest

from results.benchmark.memory import peak_memory
from results.benchmark.models import BASELINE, Case


def test_memory_of_chunked_training_is_a_straight_line():
    cases = [Case("mixer", "training", s, chunk=16, d_model=128) for s in (400, 800, 1600)]
    peaks = [peak_memory(BASELINE, case, threads=1)[0] for case in cases]
    # Twice the frames more, twice the memory more; a (T, T) tensor would make it four times.
    assert 1.8 < (peaks[2] - peaks[1]) / (peaks[1] - peaks[0]) < 2.2


def test_failures_in_the_child_are_told():
    assert issubclass(BrokenProcessPool, RuntimeError)  # which a row tells like any failure
    case = Case("mixer", "inference", 1, encoder="branchformer")
    with pytest.raises(ValueError, match="Branchformer has no RoPEMHA"):
        peak_memory("SpeechBrain RoPEMHA", case, threads=1)
