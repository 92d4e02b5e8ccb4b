"""A recogniser that writes while it listens.

Letters: C encoder frames of a chunk, D model width.
"""

import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.decoding.streaming import StreamingCTC, StreamingTransducer
from summarymixing_sb.decoding.text import StreamingDetokenizer
from summarymixing_sb.encoders.state import state_bytes
from summarymixing_sb.inference.live_features import LiveFeatures


class LiveRecogniser:
    """Recognise one stream, chunk by chunk, with a state that does not grow.

    What is encoded is what one pass over the whole recording gives, in which every chunk sees
    itself and the chunks before. It is decoded greedily, of a transducer by its own output and of
    every other run by CTC.

    Parameters
    ----------
    run : TrainedRun
        From :func:`summarymixing_sb.inference.run.load_run`. Best trained on chunks
        (``conformer_transducer.yaml``); a model that has always seen whole utterances runs too, and
        makes more errors the shorter the chunks.
    chunk_ms : int
        Length of a chunk in milliseconds, a multiple of the encoder's frame.
    left_context : int, optional
        How many chunks before its own a chunk sees; all if None.

    Attributes
    ----------
    latency_ms : float
        From a sound until the recogniser has all that it needs to encode it, at most; the time to
        compute comes on top. It is the chunk plus :attr:`lookahead_ms`.
    lookahead_ms : float
        What the features need from behind the chunk.

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
        self.features = LiveFeatures(
            run.hparams["compute_features"], run.modules["normalize"], run.modules["CNN"]
        )
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
        """Bytes kept from one chunk to the next: of features, encoder and decoder.

        Besides them there are only the samples that wait for their chunk to be whole.
        """
        return state_bytes([self.features_context, self.encoder_context, self.decoder])

    def feed(self, samples):
        """Take in sound.

        Parameters
        ----------
        samples : torch.Tensor
            (N,) float32 in -1..1 at the run's sample rate, any number of them.

        Returns
        -------
        str or None
            What was recognised since the last call; its spaces belong to the text. None if nothing.
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
        """Encode the chunks that samples make whole: :meth:`feed` without the text.

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
        """Encode a whole recording in one pass: what the chunks give, one after the other.

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
