"""Background noise."""

import numpy as np
import pytest

from recipes.minicorpora.noise import NOISES, add_noise, noise


@pytest.mark.parametrize("kind", NOISES)
@pytest.mark.parametrize("samples", [63, 16000])
def test_unit_power(kind, samples):
    wave = noise(kind, samples, np.random.default_rng(0))
    assert wave.shape == (samples,)
    assert np.mean(wave**2) == pytest.approx(1)


def test_pink_noise_has_equal_power_per_octave():
    power = np.abs(np.fft.rfft(noise("pink", 2**16, np.random.default_rng(0)))) ** 2
    octaves = [power[2**k : 2 ** (k + 1)].sum() for k in range(8, 15)]
    assert max(octaves) < 1.3 * min(octaves)


@pytest.mark.parametrize("kind", NOISES)
def test_signal_to_noise_ratio(kind):
    wave = np.sin(np.arange(16000) / 7)
    added = add_noise(wave, kind, 30.0, np.random.default_rng(0)) - wave
    assert np.mean(wave**2) / np.mean(added**2) == pytest.approx(1000)


def test_unknown_noise():
    with pytest.raises(ValueError, match="known: white, pink"):
        noise("brown", 10, np.random.default_rng(0))
