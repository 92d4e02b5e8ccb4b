"""Streaming recogniser: text of a stream, chunk by chunk.

Letters: C encoder frames of a chunk, D model width.
"""

import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.decoding.streaming import StreamingCTC, StreamingTransducer
from summarymixing_sb.decoding.text import StreamingDetokenizer
from summarymixing_sb.encoders.state import state_bytes
from summarymixing_sb.inference.endpoint import Endpoint
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
    endpoint : EndpointRule, optional
        Ends a segment at silence behind words: a line break is written, and encoder and decoder
        start anew with the next chunk. None for one segment.

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

    def __init__(self, run, chunk_ms, left_context=None, endpoint=None):
        if left_context is not None and left_context < 0:
            raise ValueError(f"left_context: give 0 or more chunks, not {left_context}")
        self.chunks = DynChunkTrainConfig(_frames(chunk_ms, 1000 * run.frame_seconds), left_context)
        self.run, self.device, self.rule = run, run.device, endpoint
        self.encoder = run.modules["Transformer"]
        self.features = StreamingFeatures(run.front_end)
        self.features_context = self.features.make_streaming_context()
        self.start_segment()

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
            The text since the last call, with its spaces, and with a line break where a segment
            ends; None if there is none.
        """
        return self._write(self.encode(samples)) or None

    def start_segment(self):
        """Reset encoder and decoder; the features go on, so that no sample is lost."""
        self.encoder_context = self.encoder.make_streaming_context(self.chunks)
        self.decoder = _decoder(self.run)
        self.detokenizer = StreamingDetokenizer(self.run.tokenizer)
        self.endpoint = Endpoint(self.rule, self.run.frame_seconds) if self.rule else None

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
        text = ""
        for encoded in chunks:
            pieces = self.decoder(encoded)
            text += self.detokenizer(pieces)
            rule = self.endpoint
            if rule is not None and rule(self.decoder.blanks(encoded), bool(pieces)):
                text += self.detokenizer.finish() + "\n"
                self.start_segment()
        return text


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
