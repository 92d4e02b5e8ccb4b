"""Sizes at which every contestant is built in no time."""

import pytest

from results.benchmark.points import Sizes


@pytest.fixture
def tiny():
    """Widths and layers of tiny models."""
    return Sizes(
        layers=2,
        d_model=16,
        d_ffn=24,
        nhead=2,
        kernel_size=5,
        csgu_linear_units=12,
        vocabulary=9,
    )
