"""A stream is cut where there is silence behind words."""

import io

import numpy as np
import pytest
import soundfile
import torch

from summarymixing_sb.inference.endpoint import EndpointRule
from summarymixing_sb.inference.streaming import StreamingRecogniser
from summarymixing_sb.inference.transcribe import main, transcribe_stream

RULE = EndpointRule(seconds=1.0, threshold=0.5)
FIRST, SECOND = ["FOX", "ABLE", "DOG"], ["BAKER", "FOX"]
CHUNK = 640


@pytest.fixture
def samples(speak):
    """Silence, words, silence of two seconds, words, silence."""
    noise = np.random.default_rng(0).normal(0, 0.003, 32000)
    parts = [noise, speak(FIRST), noise, speak(SECOND), noise]
    return torch.tensor(np.concatenate(parts), dtype=torch.float32)


@pytest.mark.parametrize("stretch", [1000, 10240, 10**9])
def test_segments(run, samples, stretch):
    recogniser = StreamingRecogniser(run, CHUNK, endpoint=RULE)
    text = "".join(recogniser.feed(piece) or "" for piece in samples.split(stretch))
    text += recogniser.finish() or ""
    first, second, rest = text.split("\n")
    assert not rest  # silence ended the second, too, and none begins before words
    whole = StreamingRecogniser(run, CHUNK)
    plain = (whole.feed(samples) or "") + (whole.finish() or "")
    assert "\n" not in plain
    # the model is too small to find every boundary of words
    assert first.replace(" ", "") == "".join(FIRST)
    assert second.replace(" ", "") == "".join(SECOND)
    # encoder and decoder started anew
    positions = [one.encoder_context.encoder_context.position for one in (recogniser, whole)]
    assert positions[0] < positions[1]


def test_the_next_segment_knows_nothing_of_the_first(run, samples):
    """It is encoded as if its first chunk were the first of a stream."""
    recogniser = StreamingRecogniser(run, CHUNK, endpoint=RULE)
    frames, encoded, starts = [], [], []
    encode = recogniser.encoder.encode_streaming

    class Spy:
        make_streaming_context = staticmethod(recogniser.encoder.make_streaming_context)

        def encode_streaming(self, chunk, context):
            if context.encoder_context.position == 0:
                starts.append(len(frames))
            frames.append(chunk)
            encoded.append(encode(chunk, context))
            return encoded[-1]

    recogniser.encoder = Spy()
    recogniser.feed(samples)
    assert len(starts) >= 2
    context = run.modules["Transformer"].make_streaming_context(recogniser.chunks)
    again = [encode(chunk, context) for chunk in frames[starts[1] : starts[1] + 3]]
    for one, other in zip(again, encoded[starts[1] :]):
        assert torch.equal(one, other)


def test_command(trained_run, run, samples, tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", samples.numpy(), 16000)
    options = ["--streaming", str(CHUNK), "--endpoint", "1", "--endpoint_threshold", "0.5"]
    assert main([str(trained_run), str(tmp_path / "a.wav"), *options]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert [line.replace(" ", "") for line in lines] == ["".join(FIRST), "".join(SECOND), ""]
    out = io.StringIO()
    report = transcribe_stream(run, samples, CHUNK, out=out, endpoint=RULE)
    assert out.getvalue() == report["text"] == "\n".join(lines)


@pytest.mark.parametrize(
    ("rule", "message"),
    [((0,), "more than 0 seconds of silence, not 0"), ((1, 1.5), "above 0, up to 1, not 1.5")],
)
def test_rules_that_cannot_be(rule, message):
    with pytest.raises(ValueError, match=message):
        EndpointRule(*rule)


def test_endpoints_are_of_streams(trained_run, tmp_path, capsys):
    assert main([str(trained_run), str(tmp_path), "--endpoint", "1"]) == 2
    assert "--endpoint is for --streaming" in capsys.readouterr().err
