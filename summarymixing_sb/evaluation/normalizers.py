"""Normalisers of texts before they are scored, those of the Open ASR Leaderboard."""

import importlib

NORMALIZERS = {
    "english": ("english", "EnglishTextNormalizer"),
    "basic": ("basic", "BasicTextNormalizer"),
}


def make_normalizer(name):
    """Make a normaliser.

    Parameters
    ----------
    name : str
        ``english``: numbers, abbreviations and spellings made alike, fillers left out. ``basic``:
        lower case without punctuation, for other languages.

    Returns
    -------
    callable
        From a text to a text.

    Raises
    ------
    ValueError
        If the package whisper-normalizer is not installed, or has no such normaliser.

    Examples
    --------
    >>> make_normalizer("english")("UH, MISTER BROWN SAID TWENTY FIVE COLOURS")
    'mister brown said 25 colors'
    """
    if name not in NORMALIZERS:
        raise ValueError(f"test_normalizer: give {' or '.join(NORMALIZERS)}, not {name!r}")
    module, kind = NORMALIZERS[name]
    try:
        found = importlib.import_module(f"whisper_normalizer.{module}")
    except ImportError as error:
        raise ValueError(
            "test_normalizer needs a package: pip install whisper-normalizer"
        ) from error
    return getattr(found, kind)()
