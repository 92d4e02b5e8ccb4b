"""Transcribing while listening: sound from a file or a pipe, text as it is recognised.

From a microphone, ``RUN`` being the folder of a training:

``arecord -f S16_LE -r 16000 -t raw | python -m summarymixing_sb.inference.transcribe RUN - \
--streaming 320``
"""

import sys
import time

import numpy as np
import torch

from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.inference.live import LiveRecogniser
from summarymixing_sb.inference.recordings import STANDARD_INPUT


def transcribe_stream(run, source, chunk_ms, left_context=None, out=None):
    """Transcribe chunk by chunk and print what is recognised as soon as it is.

    Sound is taken in as fast as it comes: a file at once, a microphone at its own pace. A
    KeyboardInterrupt (Ctrl-C) ends the stream; what was heard until then is recognised. At the end
    a line on standard error says how fast it was.

    Parameters
    ----------
    run : TrainedRun
        From :func:`summarymixing_sb.inference.run.load_run`.
    source : str or Path
        An audio file of any rate, or ``-``: raw sound from standard input, at the run's rate, one
        channel of signed 16-bit little-endian integers.
    chunk_ms, left_context
        See :class:`summarymixing_sb.inference.live.LiveRecogniser`.
    out : text file, optional
        Where text goes; standard output if None.

    Returns
    -------
    dict
        ``text``; ``seconds`` of sound; ``real_time_factor`` (computing by sound); ``latency``, a
        dict of ``median_ms``, ``p95_ms`` and ``max_ms`` to compute a chunk, None where the sound
        was shorter than one, and ``algorithmic_ms``, which is the chunk and ``lookahead_ms``;
        ``state_bytes``; ``interrupted``, whether by Ctrl-C.

    Raises
    ------
    ValueError
        For a chunk that is no multiple of the encoder's frame, a model that cannot stream, or a
        file without samples.
    RuntimeError
        If a file cannot be opened or decoded; its name is in the message.
    """
    out = out or sys.stdout
    recogniser = LiveRecogniser(run, chunk_ms, left_context)
    meter = StreamMeter(recogniser, run.sample_rate)
    if str(source) == STANDARD_INPUT:
        pieces = _raw_pieces(sys.stdin.buffer, recogniser)
    else:
        pieces = _pieces(read_audio(source, run.sample_rate), recogniser)
    texts, interrupted = [], False
    try:
        for samples in pieces:
            _print(meter.feed(samples), texts, out)
    except KeyboardInterrupt:
        interrupted = True
    _print(meter.finish(), texts, out)
    print(file=out, flush=True)
    report = {"text": "".join(texts), **meter.report(), "interrupted": interrupted}
    print(summary(report), file=sys.stderr)
    return report


class StreamMeter:
    """A recogniser with a clock: how long each chunk takes.

    Parameters
    ----------
    recogniser : LiveRecogniser
    sample_rate : int
        Hz.
    """

    def __init__(self, recogniser, sample_rate):
        self.recogniser, self.sample_rate = recogniser, sample_rate
        self.samples, self.seconds, self.chunk_seconds = 0, 0.0, []

    def feed(self, samples):
        """Feed at most as many samples as the next chunk needs, see :meth:`LiveRecogniser.feed`."""
        whole_chunk = len(samples) == self.recogniser.missing
        text = self._timed(self.recogniser.feed, samples)
        self.samples += len(samples)
        if whole_chunk:
            self.chunk_seconds.append(self.last)
        return text

    def finish(self):
        """End the stream, see :meth:`LiveRecogniser.finish`."""
        return self._timed(self.recogniser.finish)

    def report(self):
        """Return what :func:`transcribe_stream` returns, without what was said."""
        audio = self.samples / self.sample_rate
        return {
            "seconds": audio,
            "real_time_factor": self.seconds / audio if audio else None,
            "latency": {
                **_percentiles(self.chunk_seconds),
                "algorithmic_ms": self.recogniser.latency_ms,
                "lookahead_ms": self.recogniser.lookahead_ms,
            },
            "state_bytes": self.recogniser.state_bytes,
        }

    def _timed(self, call, *arguments):
        start = time.perf_counter()
        result = call(*arguments)  # a list of pieces left the GPU: nothing is still being computed
        self.last = time.perf_counter() - start
        self.seconds += self.last
        return result


def summary(report):
    """Say in a line how fast a stream was.

    Parameters
    ----------
    report : dict
        From :func:`transcribe_stream`.

    Returns
    -------
    str

    Examples
    --------
    >>> latency = {"median_ms": 8.2, "p95_ms": 9.1, "max_ms": 12.0}
    >>> latency |= {"algorithmic_ms": 322.5, "lookahead_ms": 2.5}
    >>> line = summary({"seconds": 60.0, "real_time_factor": 0.0256, "latency": latency})
    >>> for part in line.split("; "):
    ...     print(part)
    60.0 s of sound, real-time factor 0.026
    latency 322.5 ms (2.5 of them lookahead)
    computing a chunk: median 8.2, 95 % within 9.1, at most 12.0 ms
    """
    latency, factor = report["latency"], report["real_time_factor"]
    line = f"{report['seconds']:.1f} s of sound"
    if factor is not None:
        line += f", real-time factor {factor:.3f}"
    line += (
        f"; latency {latency['algorithmic_ms']:.1f} ms ({latency['lookahead_ms']:.1f} of them "
        "lookahead)"
    )
    if latency["median_ms"] is None:
        return line
    return line + (
        f"; computing a chunk: median {latency['median_ms']:.1f}, 95 % within "
        f"{latency['p95_ms']:.1f}, at most {latency['max_ms']:.1f} ms"
    )


def _print(text, texts, out):
    if text is not None:
        texts.append(text)
        print(text, end="", file=out, flush=True)


def _pieces(samples, recogniser):
    """Cut a waveform into what the recogniser needs for a chunk each."""
    while len(samples):
        count = recogniser.missing  # before what is fed changes it
        yield samples[:count]
        samples = samples[count:]


def _raw_pieces(stream, recogniser):
    """Read 16-bit samples as they come, no more than the next chunk needs."""
    left_over = b""
    while data := stream.read1(2 * recogniser.missing - len(left_over)):
        data = left_over + data
        whole = len(data) // 2 * 2
        left_over = data[whole:]
        yield torch.from_numpy(np.frombuffer(data[:whole], "<i2").astype(np.float32) / 2**15)


def _percentiles(seconds):
    if not seconds:
        return dict.fromkeys(("median_ms", "p95_ms", "max_ms"))
    median, p95, most = 1000 * np.percentile(seconds, (50, 95, 100))
    return {"median_ms": float(median), "p95_ms": float(p95), "max_ms": float(most)}
