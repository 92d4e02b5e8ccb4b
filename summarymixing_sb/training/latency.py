"""When streams write words, against when the words were spoken.

Letters: T frames, D model width, C frames of a chunk.
"""

from dataclasses import dataclass

import jiwer
import numpy as np
from speechbrain.utils.filter_analysis import stack_filter_properties


@dataclass(frozen=True)
class ChunkClock:
    """When chunks of a stream can be encoded; the time to compute is added to it.

    Parameters
    ----------
    chunk_size : int
        Frames C.
    stride, reach : int
        Samples from one frame to the next, and from the centre of a frame to the last one that it
        depends on.
    sample_rate : int
        Hz.

    Examples
    --------
    >>> clock = ChunkClock(chunk_size=4, stride=640, reach=680, sample_rate=16000)
    >>> clock.latency_ms, clock.seconds(1, 48000), clock.seconds(1, 4000)
    (162.5, 0.3225, 0.25)
    """

    chunk_size: int
    stride: int
    reach: int
    sample_rate: int

    @classmethod
    def of(cls, chunk_size, compute_features, subsampling, sample_rate):
        """Read stride and reach off a front end.

        Parameters
        ----------
        chunk_size : int
        compute_features, subsampling : torch.nn.Module
            See :class:`summarymixing_sb.models.front_end.FrontEnd`.
        sample_rate : int

        Returns
        -------
        ChunkClock
        """
        properties = stack_filter_properties([compute_features, subsampling])
        return cls(chunk_size, properties.stride, (properties.window_size + 1) // 2, sample_rate)

    @property
    def latency_ms(self):
        """float: from a sound until all samples are there that encode it, at most."""
        return 1000 * self.seconds(0, float("inf"))

    def seconds(self, chunk, samples):
        """Give the seconds from the start until a chunk can be encoded.

        Parameters
        ----------
        chunk : int
            From 0 on.
        samples : int
            Of the recording, whose end is not waited beyond.
        """
        needed = ((chunk + 1) * self.chunk_size - 1) * self.stride + self.reach
        return min(needed, samples) / self.sample_rate


def written_words(decode, encoded, chunk_size, detokenizer):
    """Decode an utterance chunk by chunk, as its stream is decoded.

    Parameters
    ----------
    decode : callable
        A new :class:`summarymixing_sb.decoding.streaming.StreamingCTC` or ``StreamingTransducer``.
    encoded : torch.Tensor
        (T, D).
    chunk_size : int
    detokenizer : summarymixing_sb.decoding.text.Detokenizer

    Returns
    -------
    list of (str, int)
        Words, and the chunks of their last pieces.
    """
    ids, chunks = [], []
    for index, chunk in enumerate(encoded.split(chunk_size)):
        found = detokenizer.writable(decode(chunk[None]))
        ids += found
        chunks += [index] * len(found)
    return [(word, chunks[last]) for word, _, last in detokenizer.word_spans(ids)]


class Delays:
    """Delays of the words of a test set.

    Parameters
    ----------
    clock : ChunkClock
    """

    def __init__(self, clock):
        self.clock = clock
        self.words, self.chunks, self.finals = [], [], []

    def add(self, spoken, written, samples):
        """Take in an utterance.

        Parameters
        ----------
        spoken : list of summarymixing_sb.decoding.alignment.Word
            The words of the reference, aligned.
        written : list of (str, int)
            From :func:`written_words`.
        samples : int
            Of the recording.
        """
        if not spoken or not written:
            return
        times = [self.clock.seconds(chunk, samples) for _, chunk in written]
        texts = [" ".join(word.word for word in spoken), " ".join(word for word, _ in written)]
        for part in jiwer.process_words(*texts).alignments[0]:
            if part.type == "equal":
                for i, j in zip(
                    range(part.ref_start_idx, part.ref_end_idx),
                    range(part.hyp_start_idx, part.hyp_end_idx),
                ):
                    self.words.append(times[j] - spoken[i].end)
                    self.chunks.append(written[j][1])
                if (part.ref_end_idx, part.hyp_end_idx) == (len(spoken), len(written)):
                    self.finals.append(times[-1] - spoken[-1].end)

    def info(self):
        """Give the figures for the JSON file of a test.

        Returns
        -------
        dict
            ``latency_ms``, algorithmic: chunk and look-ahead. ``word_delay_ms``: from the end of a
            word, as CTC aligns it in the whole utterance, until it is written, on average over
            words that are right. ``emission_chunk``: the number of the chunk that writes a word,
            from 0 on, on average over them. ``final_text_ms``: from the end of the last word until
            the text is whole, on average over utterances whose last word is right. None where
            there is none.
        """
        return {
            "latency_ms": self.clock.latency_ms,
            "word_delay_ms": _mean(self.words, 1000),
            "emission_chunk": _mean(self.chunks),
            "final_text_ms": _mean(self.finals, 1000),
        }


def _mean(values, scale=1):
    return scale * float(np.mean(values)) if values else None
