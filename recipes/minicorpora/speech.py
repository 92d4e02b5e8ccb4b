"""From a sentence to a waveform: espeak-ng, called through ctypes."""

import _ctypes
import ctypes
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

SAMPLE_RATE = 16000  # Hz, of what `speak` returns
ESPEAK_RATE = 22050  # Hz, of what espeak-ng makes
VOLUME = 50  # of 100: at 100 espeak-ng clips some voices

# Names and values from espeak-ng's speak_lib.h
SYNCHRONOUS = 2
DO_NOT_EXIT = 0x8000
POSITION_CHARACTER = 1
UTF8 = 1
RATE, VOLUME_PARAMETER, PITCH, RANGE = 1, 2, 3, 4

CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


def speak(text, voice="en-us", rate=175, pitch=50, pitch_range=50):
    """Speak one sentence.

    The result depends on the arguments only, see `fresh_espeakng`.

    Parameters
    ----------
    text : str
        The sentence.
    voice : str
        espeak-ng's voice name, ``<accent>`` or ``<accent>+<variant>``.
    rate : int
        Words per minute, 80 to 450.
    pitch, pitch_range : int
        0 to 99; 50 is the voice's own.

    Returns
    -------
    numpy.ndarray
        Shape (samples,), float32 in [-1, 1], at 16000 Hz.

    Raises
    ------
    ImportError
        The package espeakng-loader is not installed.
    ValueError
        espeak-ng does not know the voice, or makes no sound of the text.
    RuntimeError
        espeak-ng cannot start.
    """
    pieces = []

    @CALLBACK
    def collect(samples, count, _events):
        if samples and count > 0:
            pieces.append(np.frombuffer(ctypes.string_at(samples, 2 * count), np.int16))
        return 0  # go on

    spoken = text.encode() + b"\0"
    parameters = {RATE: rate, VOLUME_PARAMETER: VOLUME, PITCH: pitch, RANGE: pitch_range}
    with fresh_espeakng() as (library, data):
        library.espeak_SetSynthCallback(collect)
        variant = voice.partition("+")[2]
        # espeak-ng itself would quietly drop a variant that it does not have
        known = not variant or Path(data, "voices", "!v", variant).is_file()
        if not known or library.espeak_SetVoiceByName(voice.encode()):
            raise ValueError(f"espeak-ng has no voice {voice!r}; it has, for instance, 'en-us+m3'")
        for parameter, value in parameters.items():
            library.espeak_SetParameter(parameter, value, 0)
        size = ctypes.c_size_t(len(spoken))
        library.espeak_Synth(spoken, size, 0, POSITION_CHARACTER, 0, UTF8, None, None)
    if not any(piece.any() for piece in pieces):
        raise ValueError(f"espeak-ng makes no sound of {text!r} with the voice {voice!r}")
    # 16000 / 22050 = 320 / 441
    wave = resample_poly(np.concatenate(pieces) / 32768, 320, 441)
    return np.clip(wave, -1, 1).astype(np.float32)


def require_espeakng():
    """Import the package that ships espeak-ng's library and voices, or say how to install it."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise ImportError(
            "speaking a mini corpus needs the package espeakng-loader: "
            'pip install "summarymixing-sb[demo]"'
        ) from error
    return espeakng_loader


@contextmanager
def fresh_espeakng():
    """Load espeak-ng in its first state, and unload it at the end.

    espeak-ng carries vibrato and noise from one sentence to the next, and seeds itself by the
    clock. It gives the same sound every time only if it is loaded anew (4 ms) and seeded.

    Yields
    ------
    library : ctypes.CDLL
        The library, ready to speak.
    data : str
        Folder of its voices.

    Raises
    ------
    ImportError
        The package espeakng-loader is not installed.
    RuntimeError
        Something else in this process has the library loaded, or it cannot start.
    """
    loader = require_espeakng()
    path, data = loader.get_library_path(), loader.get_data_path()
    if _is_loaded(path):
        raise RuntimeError(
            f"{path} is loaded in this process already, so what it says would depend on what it "
            "has said before; make the corpus in a process of its own"
        )
    library = ctypes.CDLL(path)
    try:
        started = library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), DO_NOT_EXIT)
        if started != ESPEAK_RATE:
            raise RuntimeError(f"espeak-ng cannot start with its data in {data} (code {started})")
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        yield library, data
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)


def _is_loaded(path):
    """Tell whether this process has a shared library loaded."""
    try:
        library = ctypes.CDLL(path, mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    _ctypes.dlclose(library._handle)  # looking counts as loading once more
    return True
