"""When words are written, against when they were spoken."""

import pytest
import torch
from speechbrain.lobes.features import Fbank

from summarymixing_sb import ConvolutionFrontEnd, DepthwiseSeparableFrontEnd
from summarymixing_sb.decoding.alignment import Word
from summarymixing_sb.training.latency import ChunkClock, Delays, written_words

CLOCK = ChunkClock(chunk_size=4, stride=1280, reach=1400, sample_rate=16000)


def test_the_clock_of_a_front_end():
    """The last sample that a frame depends on: a window of 25 ms, and the frames it subsamples."""
    subsampling = DepthwiseSeparableFrontEnd(channels=4)
    clock = ChunkClock.of(2, Fbank(), subsampling, 16000)
    assert clock.stride == 1280
    # three layers that reach 1, 2 and 4 feature frames ahead, and half a window
    assert clock.reach == pytest.approx(7 * 160 + 200, abs=1)
    assert clock.seconds(2, 10**6) == (5 * 1280 + clock.reach) / 16000
    assert clock.latency_ms == pytest.approx((1280 + clock.reach) / 16)
    mirrored = ConvolutionFrontEnd(
        (None, None, 80), num_blocks=2, num_layers_per_block=1, out_channels=(4, 4),
        kernel_sizes=(3, 3), strides=(2, 2), dilations=(1, 1), residuals=(False, False),
    )  # fmt: skip
    assert ChunkClock.of(2, Fbank(), mirrored, 16000).stride == 640


def test_words_of_chunks():
    class Pieces:
        """A word for each id below 5; 9 is no text."""

        def writable(self, ids):
            return [i for i in ids if i < 5]

        def word_spans(self, ids):
            return [(f"w{i}", place, place) for place, i in enumerate(ids)]

    decoded = iter([[1], [], [9, 2, 3]])
    found = written_words(lambda chunk: next(decoded), torch.zeros(10, 2), 4, Pieces())
    assert found == [("w1", 0), ("w2", 2), ("w3", 2)]


def test_delays():
    delays = Delays(CLOCK)
    spoken = [Word("a", 0.1, 0.2, 1.0), Word("b", 0.3, 0.5, 1.0), Word("c", 0.5, 0.6, 1.0)]
    written = [("a", 0), ("x", 1), ("c", 2)]
    delays.add(spoken, written, samples=14000)
    first = (3 * 1280 + 1400) / 16000
    last = 14000 / 16000  # the recording ends before the chunk does
    delays.add(spoken, [("x", 0)], 14000)  # no end to be compared
    delays.add([], [("x", 0)], 14000)
    delays.add(spoken, [], 14000)
    assert delays.info() == {
        "latency_ms": pytest.approx(1000 * first),
        "word_delay_ms": pytest.approx(1000 * (first - 0.2 + last - 0.6) / 2),
        "emission_chunk": 1.0,
        "final_text_ms": pytest.approx(1000 * (last - 0.6)),
    }
    nothing = Delays(CLOCK).info()
    assert nothing.pop("latency_ms") > 0
    assert {*nothing.values()} == {None}
