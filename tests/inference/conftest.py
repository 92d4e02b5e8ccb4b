"""Recordings and runs for the tests of transcription."""

import pytest
from tone_words import speak

from summarymixing_sb.inference.run import load_run


@pytest.fixture(scope="session")
def run(trained_run):
    """The run that knows words of tones, loaded."""
    return load_run(trained_run)


@pytest.fixture(name="speak", scope="session")
def _speak():
    """Says words as the run knows them, see `speak`."""
    return speak
