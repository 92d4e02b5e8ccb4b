"""Audio files: their waveforms, and checks that they can be decoded whole."""

import os
from functools import lru_cache

import soundfile
import torch
from speechbrain.augment.time_domain import Resample
from speechbrain.dataio import audio_io

_BLOCK_SAMPLES = 2**18  # 16 s at 16 kHz: most utterances are one read, none fills the memory
_UNKNOWN_SAMPLES = 2**63 - 1  # libsndfile's length of a FLAC whose header states none


def probe_audio(path, sample_rate=None):
    """Decode one audio file whole and say how long it is or what is wrong with it.

    A header alone does not tell: a truncated FLAC still states its full length.

    Parameters
    ----------
    path : str
        The file; any format that soundfile reads.
    sample_rate : int, optional
        The only rate, in Hz, that is accepted, and then with one channel only; any rate and any
        number of channels if None.

    Returns
    -------
    seconds : float
        Duration of the decoded audio; 0.0 if there is a problem.
    problem : str
        Kind of the problem, empty if there is none.
    detail : str
        More about the problem.
    """
    decoded = 0
    try:
        if os.path.getsize(path) == 0:
            return 0.0, "empty audio", "a file of 0 bytes"
        with _ForwardFile(path) as audio:
            rate, stated = audio.samplerate, audio.frames
            if stated == 0:
                return 0.0, "empty audio", "its header states no samples"
            if sample_rate is not None and rate != sample_rate:
                return 0.0, "wrong sample rate", f"{rate} Hz, not {sample_rate} Hz"
            if sample_rate is not None and audio.channels != 1:
                return 0.0, "more than one channel", f"{audio.channels} channels"
            try:
                while block := len(audio.read(_BLOCK_SAMPLES, dtype="int16")):
                    decoded += block
            except soundfile.SoundFileError as error:
                detail = f"of {_counted(stated)} samples, decoding fails after {decoded}: {error}"
                return 0.0, "truncated or damaged audio", detail
            # The length that an MP3 states is an estimate.
            if decoded == 0 or (decoded < stated != _UNKNOWN_SAMPLES and audio.format != "MP3"):
                detail = f"only {decoded} of {_counted(stated)} samples"
                return 0.0, "truncated or damaged audio", detail
    except (OSError, soundfile.SoundFileError) as error:
        return 0.0, "unreadable audio", str(error)
    return decoded / rate, "", ""


def read_audio(path, sample_rate):
    """Read a recording as one channel at the rate that a model wants.

    Several channels are averaged. Another sampling rate is converted by windowed sinc
    interpolation, which also takes away what the new rate cannot hold.

    Parameters
    ----------
    path : str or Path
        The file; any format that soundfile reads.
    sample_rate : int
        Hz, of the waveform that is wanted.

    Returns
    -------
    torch.Tensor
        (samples,), float32.

    Raises
    ------
    RuntimeError
        If the file cannot be opened or decoded; its name is in the message.
    ValueError
        If no sample is in it.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = f"{tempfile.mkdtemp()}/stereo.wav"
    >>> audio_io.save(path, torch.zeros(2, 48000), 48000)
    >>> read_audio(path, 16000).shape
    torch.Size([16000])
    """
    try:
        signal, rate = audio_io.load(path, dtype=torch.float32)  # (channels, samples)
    except RuntimeError:
        if not _states_no_length(path):
            raise
        return decode_audio(path, sample_rate)
    if signal.numel() == 0:
        raise ValueError(f"{path} holds no samples")
    signal = signal.mean(dim=0, keepdim=True)
    return _resampler(rate, sample_rate)(signal)[0]


@lru_cache(maxsize=16)
def _resampler(rate, sample_rate):
    """The converter between two rates, kept since making its kernel takes longer than a clip."""
    return Resample(rate, sample_rate)


def decode_audio(path, sample_rate):
    """Read a recording as :func:`read_audio` does, and refuse one that is not whole.

    The file is decoded once, and its length need not be in its header.

    Parameters
    ----------
    path : str or Path
        The file; any format that soundfile reads.
    sample_rate : int
        Hz, of the waveform that is wanted.

    Returns
    -------
    torch.Tensor
        (samples,), float32.

    Raises
    ------
    ValueError
        If the file is empty, truncated, damaged or unreadable; its name and the kind of the problem
        are in the message, as :func:`probe_audio` names it.
    """
    blocks, decoded = [], 0
    try:
        if os.path.getsize(path) == 0:
            raise ValueError(f"{path}: empty audio: a file of 0 bytes")
        with _ForwardFile(str(path)) as audio:
            rate, stated = audio.samplerate, audio.frames
            if stated == 0:
                raise ValueError(f"{path}: empty audio: its header states no samples")
            damaged = f"{path}: truncated or damaged audio"
            try:
                while len(block := audio.read(_BLOCK_SAMPLES, dtype="float32", always_2d=True)):
                    blocks.append(torch.from_numpy(block).T.mean(dim=0))
                    decoded += len(block)
            except soundfile.SoundFileError as error:
                raise ValueError(
                    f"{damaged}: of {_counted(stated)} samples, decoding fails after {decoded}: "
                    f"{error}"
                ) from error
            # The length that an MP3 states is an estimate.
            if decoded == 0 or (decoded < stated != _UNKNOWN_SAMPLES and audio.format != "MP3"):
                raise ValueError(f"{damaged}: only {decoded} of {_counted(stated)} samples")
    except (OSError, soundfile.SoundFileError) as error:
        raise ValueError(f"{path}: unreadable audio: {error}") from error
    return _resampler(rate, sample_rate)(torch.cat(blocks)[None])[0]


def _counted(stated):
    return "an unknown number of" if stated == _UNKNOWN_SAMPLES else stated


def _states_no_length(path):
    try:
        return soundfile.info(str(path)).frames == _UNKNOWN_SAMPLES
    except (OSError, soundfile.SoundFileError):
        return False


class _ForwardFile(soundfile.SoundFile):
    """A file in which soundfile never seeks, which fails without a length in the header."""

    def seekable(self):
        return False
