"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
import torch
from tiny_asr import brain, items, targets, tokenizer, tokenizer_file  # noqa: F401  fixtures
from tone_words import train_recogniser

# The models are so small that threads would only wait for each other.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _deterministic():
    """Seed torch before every test, so that a failure can be run again."""
    torch.manual_seed(0)


@pytest.fixture
def real_data():
    """Folder of real recordings; skips a test where SUMMARYMIXING_TEST_DATA names none."""
    folder = os.environ.get("SUMMARYMIXING_TEST_DATA")
    if not folder:
        pytest.skip("SUMMARYMIXING_TEST_DATA names no folder of real recordings")
    return Path(folder)


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory):
    """Folder of a run that knows words of tones; 80 ms frames, SummaryMixing, a Conformer."""
    return train_recogniser(tmp_path_factory.mktemp("trained"))
