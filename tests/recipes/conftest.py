"""Fixtures of the recipes' tests."""

import logging
import sys

import pytest

LOGGERS = (
    "summarymixing_sb.data.manifests",
    "summarymixing_sb.data.splits",
    "aishell_prepare",
    "commonvoice_prepare",
    "librispeech_prepare",
    "slurp_prepare",
    "tedlium_prepare",
)


@pytest.fixture(autouse=True)
def _own_hooks(monkeypatch):
    """SpeechBrain sets a hook for uncaught errors; give back the one before."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)


@pytest.fixture
def log():
    """Messages of the preparation's loggers, whatever other tests did to logging."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    loggers = [logging.getLogger(name) for name in LOGGERS]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield messages
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
