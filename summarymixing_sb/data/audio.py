"""Audio files: their waveforms, and checks that they can be decoded whole."""

import os
from functools import lru_cache
from typing import NamedTuple

import soundfile
import torch
from speechbrain.augment.time_domain import Resample
from speechbrain.dataio import audio_io

from summarymixing_sb.data.mp3 import why_cut

_BLOCK_SAMPLES = 2**18  # 16 s at 16 kHz: most utterances are one read, none fills the memory
_UNKNOWN_SAMPLES = 2**63 - 1  # libsndfile's length of a FLAC whose header states none
_SANE = 2.0**15  # floating point samples beyond it are no sound, whatever scale was meant
_CANCELLED = 1e-3  # energy of the channels' average against theirs, -30 dB; unrelated ones have 1/2
SILENCE = 1e-4  # peak below which nothing is heard, -80 dB of full scale
_FULL_SCALE = 1 - 2.0**-15
_MUCH_CLIPPED = 0.005  # share of the samples
_CLICK = 100.0  # peak against root mean square, 40 dB: speech has 10 to 25


class Probe(NamedTuple):
    """What :func:`probe_audio` finds in a file.

    Attributes
    ----------
    seconds : float
        Duration of the decoded audio; 0.0 if there is a problem.
    problem : str
        Kind of the problem, empty if there is none.
    detail : str
        More about the problem.
    remark : str
        What is odd about the sound, though it can be used: silent, clicks or clipped; else empty.
    """

    seconds: float
    problem: str = ""
    detail: str = ""
    remark: str = ""


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
    Probe
    """
    decoded = clipped = 0
    peak = energy = 0.0
    try:
        for block, rate in _blocks(path, sample_rate):
            decoded += len(block)
            seconds = decoded / rate
            size = abs(block)
            peak = max(peak, float(size.max()))
            energy += float((block**2).mean(axis=1).sum())
            clipped += int((size >= _FULL_SCALE).any(axis=1).sum())
    except _NotWhole as problem:
        return Probe(0.0, *problem.args)
    return Probe(seconds, remark=_remark(peak, (energy / decoded) ** 0.5, clipped / decoded))


def _remark(peak, level, clipped):
    """Say what is odd about a sound of so much peak, root mean square and share at full scale."""
    if peak < SILENCE:
        return "silent"
    if clipped > _MUCH_CLIPPED:
        return "clipped"
    return "clicks" if peak > _CLICK * level else ""


def read_audio(path, sample_rate):
    """Read a recording as one channel at the rate that a model wants.

    Samples are not checked: a training skips and names batches that are not finite. Several
    channels are averaged. Another sampling rate is converted by windowed sinc
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


def read_segment(path, sample_rate, start, end=None):
    """Read a part of a recording as :func:`read_audio` reads all of it.

    Parameters
    ----------
    path : str or Path
    sample_rate : int
        Hz, of the waveform that is wanted.
    start : float
        Seconds.
    end : float, optional
        Seconds; None for that of the recording.

    Returns
    -------
    torch.Tensor
        (samples,), float32.

    Raises
    ------
    RuntimeError
        If the file cannot be opened or decoded there.
    ValueError
        If no sample is in the segment.
    """
    with soundfile.SoundFile(name_for_soundfile(path)) as audio:
        rate = audio.samplerate
        audio.seek(round(start * rate))
        samples = -1 if end is None else round(end * rate) - round(start * rate)
        signal = torch.from_numpy(audio.read(samples, "float32", always_2d=True))
    if len(signal) == 0:
        raise ValueError(f"{path} holds no samples from {start} to {end} s")
    return _resampler(rate, sample_rate)(signal.mean(dim=1)[None])[0]


@lru_cache(maxsize=16)
def _resampler(rate, sample_rate):
    """Give the converter between two rates; making its kernel takes longer than a clip."""
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
        If the file is empty, truncated, damaged or unreadable, or holds samples that are not
        finite; its name and the kind of the problem are in the message, as :func:`probe_audio`
        names it.
    """
    try:
        blocks = [(torch.from_numpy(x).mean(dim=1), rate) for x, rate in _blocks(path)]
    except _NotWhole as problem:
        raise ValueError(f"{path}: {': '.join(problem.args)}") from problem
    signal = torch.cat([block for block, _ in blocks])
    return _resampler(blocks[0][1], sample_rate)(signal[None])[0]


class _NotWhole(Exception):
    """A file is not a whole recording; the arguments are the kind of the problem and a detail."""


def _blocks(path, only_rate=None):
    """Yield the samples (samples, channels) of a file block by block, each with its rate in Hz."""
    decoded = 0
    energy = average_energy = 0.0
    try:
        if os.path.getsize(path) == 0:
            raise _NotWhole("empty audio", "a file of 0 bytes")
        if _is_shortened(path):
            raise _NotWhole("compressed by shorten", "unpack it with sph2pipe -f rif")
        with _ForwardFile(name_for_soundfile(path)) as audio:
            rate, stated = audio.samplerate, audio.frames
            if stated == 0:
                raise _NotWhole("empty audio", "its header states no samples")
            if only_rate is not None and rate != only_rate:
                raise _NotWhole("wrong sample rate", f"{rate} Hz, not {only_rate} Hz")
            if only_rate is not None and audio.channels != 1:
                raise _NotWhole("more than one channel", f"{audio.channels} channels")
            unknown = stated == _UNKNOWN_SAMPLES
            counted = "an unknown number of" if unknown else stated
            try:
                while len(block := audio.read(_BLOCK_SAMPLES, "float32", always_2d=True)):
                    if not (abs(block) <= _SANE).all():  # false for NaN, too
                        detail = f"NaN, inf or beyond {_SANE:.0f} after sample {decoded}"
                        raise _NotWhole("samples that are no sound", detail)
                    decoded += len(block)
                    energy += float((block**2).mean(axis=1).sum())
                    average_energy += float((block.mean(axis=1) ** 2).sum())
                    yield block, rate
            except soundfile.SoundFileError as error:
                detail = f"of {counted} samples, decoding fails after {decoded}: {error}"
                raise _NotWhole("truncated or damaged audio", detail) from error
            if decoded == 0 and unknown:
                raise _NotWhole("empty audio", "no samples after its header")
            if audio.format == "MP3":
                stated = 0  # an estimate
                if problem := why_cut(path):
                    raise _NotWhole("truncated or damaged audio", problem)
            if decoded == 0 or (decoded < stated and not unknown):
                detail = f"only {decoded} of {counted} samples"
                raise _NotWhole("truncated or damaged audio", detail)
            if average_energy < _CANCELLED * energy:
                detail = f"of {audio.channels}, whose average is silent; give one of them"
                raise _NotWhole("channels that cancel each other", detail)
    except (OSError, soundfile.SoundFileError) as error:
        raise _NotWhole("unreadable audio", str(error)) from error


def name_for_soundfile(path):
    """Give a file name as soundfile takes it, also one whose bytes are not of the encoding."""
    return str(path) if os.name == "nt" else os.fsencode(path)


def _is_shortened(path):
    """Whether a SPHERE file is compressed by shorten, which libsndfile does not read."""
    with open(path, "rb") as file:
        header = file.read(1024)
    return header.startswith(b"NIST_1A") and b"embedded-shorten" in header


def _states_no_length(path):
    try:
        return soundfile.info(name_for_soundfile(path)).frames == _UNKNOWN_SAMPLES
    except (OSError, soundfile.SoundFileError):
        return False


class _ForwardFile(soundfile.SoundFile):
    """A file in which soundfile never seeks, which fails without a length in the header."""

    def seekable(self):
        return False
