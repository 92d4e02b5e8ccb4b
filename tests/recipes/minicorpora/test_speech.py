"""espeak-ng through ctypes."""

import sys

import numpy as np
import pytest

from recipes.minicorpora.speech import SAMPLE_RATE, fresh_espeakng, speak
from recipes.minicorpora.voices import VARIANTS

TEXT = "the young captain found a yellow lantern"


def test_waveform():
    wave = speak(TEXT, "en-gb-scotland+f2", rate=180, pitch=45, pitch_range=60)
    assert wave.dtype == np.float32
    assert wave.ndim == 1
    assert 1.2 < len(wave) / SAMPLE_RATE < 4
    assert 0.02 < np.abs(wave).max() < 1


def test_speed_and_pitch_change_the_voice():
    slow, fast = (speak(TEXT, "en-us+m3", rate=rate) for rate in (150, 210))
    assert len(slow) > 1.2 * len(fast)
    low, high = (speak(TEXT, "en-us+m3", pitch=pitch) for pitch in (20, 80))
    assert not np.array_equal(low[:8000], high[:8000])


@pytest.mark.parametrize("variant", [*VARIANTS["train"]["F"], *VARIANTS["test"]["M"]])
def test_what_was_said_before_does_not_matter(variant):
    first = speak(TEXT, f"en-us+{variant}")
    speak("nobody laughed", "en-029+f5", rate=200)
    assert np.array_equal(first, speak(TEXT, f"en-us+{variant}"))


@pytest.mark.parametrize("voice", ["en-us+nobody", "xx-nowhere"])
def test_unknown_voice(voice):
    with pytest.raises(ValueError, match=f"no voice '{voice.replace('+', '.')}'"):
        speak(TEXT, voice)


def test_text_without_sound():
    with pytest.raises(ValueError, match="no sound"):
        speak("")


def test_a_library_in_use_is_refused():
    with fresh_espeakng(), pytest.raises(RuntimeError, match="process of its own"):
        speak(TEXT)
    assert len(speak(TEXT))


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ImportError, match=r'pip install "summarymixing-sb\[demo\]"'):
        speak(TEXT)
