"""A small corpus that several tests look at."""

import pytest

from recipes.minicorpora.librispeech import make_librispeech
from recipes.minicorpora.voices import VARIANTS

# as many training speakers as it takes to hear every variant
SIZES = {"train": (62, 62), "dev": (6, 4), "test": (10, 8)}


@pytest.fixture(scope="session")
def small_sizes():
    """Sentences and speakers of each split of the small corpus."""
    assert SIZES["train"][1] >= 2 * max(map(len, VARIANTS["train"].values()))
    return SIZES


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory, small_sizes):
    """Output folder and statistics of a small corpus, spoken by two processes."""
    output = tmp_path_factory.mktemp("minicorpus")
    statistics = make_librispeech(output, small_sizes, seed=3, workers=2, progress=False)
    return output, statistics
