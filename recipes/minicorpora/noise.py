"""Background noise under a clean recording."""

import numpy as np

NOISES = ("white", "pink")


def noise(kind, samples, rng):
    """Draw noise of unit power.

    Parameters
    ----------
    kind : str
        ``"white"``, or ``"pink"`` (power falling by 3 dB per octave).
    samples : int
        Its length.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    numpy.ndarray
        Shape (samples,), float64.

    Raises
    ------
    ValueError
        The kind is unknown.
    """
    if kind not in NOISES:
        raise ValueError(f"unknown noise {kind!r}; known: {', '.join(NOISES)}")
    wave = rng.standard_normal(samples)
    if kind == "pink":
        spectrum = np.fft.rfft(wave)
        spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
        spectrum[0] = 0
        wave = np.fft.irfft(spectrum, samples)
    return wave / np.sqrt(np.mean(wave**2))


def add_noise(wave, kind, snr, rng):
    """Add noise at a signal-to-noise ratio over the whole recording.

    Parameters
    ----------
    wave : numpy.ndarray
        Shape (samples,).
    kind : str
        See `noise`.
    snr : float
        Ratio of the powers, in dB.
    rng : numpy.random.Generator
        Source of the noise.

    Returns
    -------
    numpy.ndarray
        Shape (samples,), float64.

    Examples
    --------
    >>> wave = np.sin(np.arange(16000) / 5)
    >>> rest = add_noise(wave, "pink", 20.0, np.random.default_rng(0)) - wave
    >>> print(f"{10 * np.log10(np.mean(wave**2) / np.mean(rest**2)):.3f} dB")
    20.000 dB
    """
    power = np.mean(wave**2) * 10 ** (-snr / 10)
    return wave + np.sqrt(power) * noise(kind, len(wave), rng)
