"""Streaming recogniser: text of a stream, chunk by chunk, and how long each chunk takes.

Letters: C encoder frames of a chunk, D model width.
"""

import time

import numpy as np
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.decoding.streaming import StreamingCTC, StreamingTransducer
from summarymixing_sb.decoding.text import StreamingDetokenizer
from summarymixing_sb.encoders.state import state_bytes
from summarymixing_sb.inference.streaming_features import StreamingFeatures


class StreamingRecogniser:
    """Recognise one stream, chunk by chunk, with a state that does not grow.

    The encoder's output is that of one pass over the whole recording in which every chunk sees
    itself and the chunks before. It is decoded greedily, with a transducer by its own output and
    with every other run by CTC.

    Parameters
    ----------
    run : TrainedRun
        From :func:`summarymixing_sb.inference.run.load_run`. Best trained on chunks
        (``conformer_transducer.yaml``); a model that was trained on whole utterances runs too, and
        makes more errors with shorter chunks.
    chunk_ms : int
        Length of a chunk in milliseconds, a multiple of the encoder's frame.
    left_context : int, optional
        How many chunks before its own a chunk sees; all if None.

    Attributes
    ----------
    latency_ms : float
        From a sound until the recogniser has all samples that it needs to encode it, at most; the
        time to compute is added to it. It is the chunk plus :attr:`lookahead_ms`.
    lookahead_ms : float
        Sound behind the chunk that its features need.

    Raises
    ------
    ValueError
        If the chunk is no multiple of a frame, or the model cannot stream (its mixer, its features
        or its front end; the message says which can).
    """

    def __init__(self, run, chunk_ms, left_context=None):
        if left_context is not None and left_context < 0:
            raise ValueError(f"left_context: give 0 or more chunks, not {left_context}")
        self.chunks = DynChunkTrainConfig(_frames(chunk_ms, 1000 * run.frame_seconds), left_context)
        self.device = run.device
        self.encoder = run.modules["Transformer"]
        self.features = StreamingFeatures(run.front_end)
        self.decoder = _decoder(run)
        self.detokenizer = StreamingDetokenizer(run.tokenizer)
        self.features_context = self.features.make_streaming_context()
        self.encoder_context = self.encoder.make_streaming_context(self.chunks)

        self.waiting = torch.empty(0)
        #: Samples still to come before the next chunk is encoded.
        self.missing = self.features.samples_for(self.chunks.chunk_size)
        self.latency_ms = 1000 * self.missing / run.sample_rate
        self.chunk_samples = self.chunks.chunk_size * self.features.properties.stride
        self.lookahead_ms = self.latency_ms - 1000 * self.chunk_samples / run.sample_rate

    @property
    def state_bytes(self):
        """int: bytes kept from one chunk to the next, of features, encoder and decoder.

        Besides them there are only the samples that wait for their chunk to be whole.
        """
        return state_bytes([self.features_context, self.encoder_context, self.decoder])

    def feed(self, samples):
        """Recognise the chunks that samples complete.

        Parameters
        ----------
        samples : torch.Tensor
            (N,) float32 in -1..1 at the run's sample rate, any number of them.

        Returns
        -------
        str or None
            The text since the last call, with its spaces; None if there is none.
        """
        return self._write(self.encode(samples)) or None

    def finish(self):
        """Recognise what is left, once the stream has ended; nothing can be fed after it.

        Returns
        -------
        str or None
            The last of the text.
        """
        return self._write(self.encode_rest()) + self.detokenizer.finish() or None

    def encode(self, samples):
        """Encode the chunks that samples complete: :meth:`feed` without the text.

        Parameters
        ----------
        samples : torch.Tensor
            (N,).

        Yields
        ------
        torch.Tensor
            (1, C, D).
        """
        while len(samples) >= self.missing:
            chunk = torch.cat([self.waiting, samples[: self.missing]])
            samples = samples[self.missing :]
            self.waiting, self.missing = torch.empty(0), self.chunk_samples
            yield from self._encode(chunk)
        self.waiting = torch.cat([self.waiting, samples])
        self.missing -= len(samples)

    def encode_rest(self):
        """Encode what is left: :meth:`finish` without the text.

        Yields
        ------
        torch.Tensor
            (1, C, D); the last may be shorter. Nothing if nothing was fed.
        """
        if len(self.waiting) or self.features_context.left_context is not None:
            yield from self._encode(self.waiting, last=True)

    @torch.no_grad()
    def encode_at_once(self, samples):
        """Encode a whole recording in one pass, which gives the frames of all chunks.

        Parameters
        ----------
        samples : torch.Tensor
            (N,).

        Returns
        -------
        torch.Tensor
            (1, T, D).
        """
        frames, _ = self.features.module(samples[None].to(self.device))
        return self.encoder.encode(frames, dynchunktrain_config=self.chunks)

    def _encode(self, samples, last=False):
        frames = self.features(samples[None].to(self.device), self.features_context, last)
        for chunk in frames.split(self.chunks.chunk_size, dim=1):
            if chunk.size(1):
                yield self.encoder.encode_streaming(chunk, self.encoder_context)

    def _write(self, chunks):
        return "".join(self.detokenizer(self.decoder(encoded)) for encoded in chunks)


class StreamMeter:
    """Times of a streaming recogniser: in all, and for each chunk.

    Parameters
    ----------
    recogniser : StreamingRecogniser
    sample_rate : int
        Hz.
    """

    def __init__(self, recogniser, sample_rate):
        self.recogniser, self.sample_rate = recogniser, sample_rate
        self.samples, self.seconds, self.chunk_seconds = 0, 0.0, []

    def feed(self, samples):
        """Feed samples, see :meth:`StreamingRecogniser.feed`.

        Parameters
        ----------
        samples : torch.Tensor
            (N,), at most as many as the next chunk needs.

        Returns
        -------
        str or None
        """
        whole_chunk = len(samples) == self.recogniser.missing
        text = self._timed(self.recogniser.feed, samples)
        self.samples += len(samples)
        if whole_chunk:
            self.chunk_seconds.append(self.last)
        return text

    def finish(self):
        """End the stream, see :meth:`StreamingRecogniser.finish`.

        Returns
        -------
        str or None
        """
        return self._timed(self.recogniser.finish)

    def report(self):
        """Report the times.

        Returns
        -------
        dict
            ``seconds`` of sound; ``real_time_factor`` (computing by sound); ``latency``, a dict of
            ``median_ms``, ``p95_ms`` and ``max_ms`` to compute a chunk, None where the sound was
            shorter than one, and ``algorithmic_ms``, which is the chunk and ``lookahead_ms``;
            ``state_bytes``.
        """
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
        From :meth:`StreamMeter.report`.

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


def _decoder(run):
    if "predictor" in run.modules:
        return StreamingTransducer(run.modules, run.hparams["blank_index"])
    return StreamingCTC(run.modules["ctc_lin"], run.hparams["blank_index"])


def _frames(chunk_ms, frame_ms):
    """Count the frames of a chunk."""
    frames = round(chunk_ms / frame_ms)
    if frames < 1 or abs(frames * frame_ms - chunk_ms) > 1e-6:
        below = int(chunk_ms // frame_ms)
        nearest = [f"{count * frame_ms:g}" for count in (below, below + 1) if count > 0]
        raise ValueError(
            f"a chunk of {chunk_ms:g} ms is no multiple of the encoder's frame of {frame_ms:g} ms; "
            f"nearest: {' or '.join(nearest)} ms"
        )
    return frames


def _percentiles(seconds):
    if not seconds:
        return dict.fromkeys(("median_ms", "p95_ms", "max_ms"))
    median, p95, most = 1000 * np.percentile(seconds, (50, 95, 100))
    return {"median_ms": float(median), "p95_ms": float(p95), "max_ms": float(most)}
