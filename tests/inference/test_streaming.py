"""The streaming recogniser gives what one masked pass gives, and keeps little."""

from dataclasses import replace

import pytest
import torch
from speechbrain.decoders import ctc_greedy_decode

from summarymixing_sb import TransformerASR
from summarymixing_sb.inference.streaming import StreamingRecogniser

FRAME = 80  # milliseconds
WORDS = ["FOX", "ABLE", "DOG", "BAKER", "FOX", "DOG", "ABLE"]


def sound(speak, words=WORDS, end=None):
    return torch.tensor(speak(words)[:end], dtype=torch.float32)


def listen(recogniser, samples, stretch):
    """All of the text of samples that come in stretches of so many."""
    texts = [recogniser.feed(piece) for piece in samples.split(stretch)]
    texts.append(recogniser.finish())
    assert "" not in texts
    return "".join(text for text in texts if text is not None)


@pytest.mark.parametrize("left_context", [None, 0, 3])
@pytest.mark.parametrize("frames", [1, 4, 16])
def test_chunks_from_the_waveform_equal_one_masked_pass(run, speak, frames, left_context):
    for size in (12801, 50000, 66_560):
        samples = sound(speak, end=size)
        recogniser = StreamingRecogniser(run, frames * FRAME, left_context)
        expected = recogniser.encode_at_once(samples)
        found = [*recogniser.encode(samples), *recogniser.encode_rest()]
        assert {chunk.size(1) for chunk in found[:-1]} <= {frames}
        torch.testing.assert_close(torch.cat(found, dim=1), expected, rtol=0, atol=1e-5)


def test_one_pass_is_that_of_tests_when_the_loudest_is_known(run, speak):
    samples = sound(speak)
    samples[:2000] += torch.randn(2000)  # the loudest first
    recogniser = StreamingRecogniser(run, 4 * FRAME)
    features = run.modules["normalize"](run.hparams["compute_features"](samples[None]))
    expected = run.modules["Transformer"].encode(
        run.modules["CNN"](features), dynchunktrain_config=recogniser.chunks
    )
    found = [*recogniser.encode(samples), *recogniser.encode_rest()]
    torch.testing.assert_close(torch.cat(found, dim=1), expected, rtol=0, atol=1e-5)


def test_text_does_not_depend_on_how_the_sound_comes(run, speak):
    samples = sound(speak)
    for chunk_ms, left_context in ((320, None), (640, 2), (80, 0)):
        encoded = StreamingRecogniser(run, chunk_ms, left_context).encode_at_once(samples)
        scores = run.modules["ctc_lin"](encoded)
        pieces = ctc_greedy_decode(scores, torch.ones(1), blank_id=0)[0]
        expected = " ".join(run.tokenizer.decode(pieces).split())
        assert len(expected) > 10
        for stretch in (100, 5120, len(samples)):
            recogniser = StreamingRecogniser(run, chunk_ms, left_context)
            assert listen(recogniser, samples, stretch) == expected


def test_no_word_is_lost_at_the_end(run, speak):
    """Long chunks are like the utterances of training; the last chunk is not whole."""
    samples = sound(speak, ["DOG", "ABLE", "FOX"])
    for end in (len(samples), len(samples) - 3000):  # with and without most of the last pause
        found = listen(StreamingRecogniser(run, 50 * FRAME), samples[:end], 1000)
        assert found == "DOG ABLE FOX"


def test_text_comes_while_sound_does(run, speak):
    recogniser, texts = StreamingRecogniser(run, 320), []
    for piece in sound(speak).split(5120):
        texts.append(recogniser.feed(piece))
    assert sum(text is not None for text in texts) > 3
    assert None in texts


def test_latency_is_when_a_chunk_is_encoded(run):
    recogniser = StreamingRecogniser(run, 320)
    needed = recogniser.missing
    assert recogniser.latency_ms == 1000 * needed / 16000
    assert 0 < recogniser.lookahead_ms < 3  # a feature window sticks out of the last frame
    assert recogniser.latency_ms == 320 + recogniser.lookahead_ms
    noise = 0.1 * torch.randn(needed + 5120)
    assert list(recogniser.encode(noise[: needed - 1])) == []
    assert recogniser.missing == 1
    assert len(list(recogniser.encode(noise[needed - 1 : needed]))) == 1
    assert recogniser.missing == 5120
    assert len(list(recogniser.encode(noise[needed:]))) == 1


@pytest.mark.parametrize("left_context", [None, 2])
def test_state_does_not_grow(run, left_context):
    recogniser, sizes = StreamingRecogniser(run, 320, left_context), []
    for second in range(40):
        recogniser.feed(0.1 * torch.randn(16000))
        if second in (3, 39):
            sizes.append(recogniser.state_bytes)
    assert sizes[0] == sizes[1] > 4 * 2 * 1280  # the samples that the features look back to
    assert sizes[0] < 40_000


def test_nothing_and_next_to_nothing(run):
    assert StreamingRecogniser(run, 320).finish() is None
    recogniser = StreamingRecogniser(run, 320)
    recogniser.feed(torch.zeros(3))
    assert len(list(recogniser.encode_rest())) == 1


def test_chunks_that_cannot_be_are_refused(run):
    for chunk_ms, nearest in ((300, "240 or 320"), (50, "80"), (325, "320 or 400"), (0, "80")):
        with pytest.raises(ValueError, match=f"frame of 80 ms; nearest: {nearest} ms"):
            StreamingRecogniser(run, chunk_ms)
    with pytest.raises(ValueError, match="left_context: give 0 or more chunks, not -1"):
        StreamingRecogniser(run, 320, -1)


def test_mixer_that_cannot_stream_is_refused(run):
    model = TransformerASR(
        tgt_vocab=15,
        input_size=160,
        d_model=16,
        nhead=2,
        num_encoder_layers=1,
        num_decoder_layers=0,
        d_ffn=16,
        encoder_module="conformer",
        attention_type="RoPEMHA",
    )
    another = replace(run, modules={**run.modules, "Transformer": model})
    with pytest.raises(ValueError, match=r"RoPEMHA cannot work .* that can: .*SummaryMixing"):
        StreamingRecogniser(another, 320)
