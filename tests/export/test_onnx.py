"""ONNX graphs of exported models: equal to the model at any batch and length; what is refused."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from tone_words import RATE, speak

from summarymixing_sb.export.command import main
from summarymixing_sb.export.onnx_stream import export_onnx_stream
from summarymixing_sb.inference.onnx import OnnxModel, OnnxRecogniser
from summarymixing_sb.inference.onnx_stream import OnnxStreamingRecogniser
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.streaming import StreamingRecogniser
from summarymixing_sb.inference.transcribe import main as transcribe

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "tones"
    assert main([str(trained_run), str(folder), "--int8", "--onnx_chunk", "320"]) == 0
    return folder


def test_log_probabilities_are_the_models(exported):
    """Of batches and lengths other than those that were traced, alone and in a batch."""
    run = load_run(exported)
    words = (["ABLE"], ["DOG", "FOX", "ABLE", "BAKER", "FOX"], ["FOX", "DOG"])
    signals = [torch.from_numpy(speak(said)).float() for said in words]
    expected = [encoding.log_probs for encoding in Recogniser(run).encode(signals)]
    for precision, tolerance in (("float32", 1e-3), ("int8", 1.0)):
        recogniser = OnnxRecogniser(run, precision)
        together = [encoding.log_probs for encoding in recogniser.encode(signals)]
        for signal, wanted, found in zip(signals, expected, together):
            [alone] = recogniser.encode([signal])
            assert wanted.shape == found.shape == alone.log_probs.shape
            assert (wanted - found).abs().max() < tolerance
            if precision == "float32":
                assert (wanted - alone.log_probs).abs().max() < tolerance
        assert [[word.word for word in found] for found in recogniser.transcribe(signals)] == [
            *map(list, words)
        ]


def test_the_command(exported, trained_run, tmp_path, capsys):
    file = tmp_path / "words.wav"
    soundfile.write(file, speak(["ABLE", "FOX"]), RATE)
    for options in ([], ["--decoding", "ctc_prefix_beam"], ["--window", "5", "--overlap", "1"]):
        assert transcribe([str(exported), str(file), "--onnx", "int8", *options]) == 0
        assert capsys.readouterr().out == "ABLE FOX\n"
    for arguments, message in (
        ([exported, file, "--onnx", "int8", "--decoding", "joint_beam"], "in no ONNX graph"),
        ([trained_run, file, "--onnx", "float32"], "export the run with summarymixing-export"),
        ([exported, file, "--onnx", "int8", "--streaming", "400"], "graphs are of chunk_ms 320"),
        ([trained_run, file, "--onnx", "int8", "--streaming", "320"], "--onnx_chunk"),
    ):
        assert transcribe([*map(str, arguments)]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("left_context", [None, 2])
def test_streams(left_context, exported, trained_run, tmp_path):
    """However the samples come, to the shorter last chunk; the state does not grow."""
    folder, run = exported, load_run(exported)
    if left_context is not None:
        folder = tmp_path
        export_onnx_stream(load_run(trained_run), folder, 320, left_context)
    signal = torch.from_numpy(speak(["DOG", "FOX", "ABLE"])).float()
    expected = StreamingRecogniser(run, 320, left_context)
    encoded = torch.cat([*expected.encode(signal), *expected.encode_rest()], dim=1)
    for size in (700, len(signal)):
        stream = OnnxStreamingRecogniser(run, 320, left_context, folder=folder)
        before = stream.state_bytes
        parts = [part for samples in signal.split(size) for part in stream.encode(samples)]
        assert stream.state_bytes >= before
        found = torch.cat([*parts, *stream.encode_rest()], dim=1)
        assert found.shape == encoded.shape
        assert (found - encoded).abs().max() < 1e-3
    # a recording too short for the graph of the features
    ends = []
    for stream in (
        OnnxStreamingRecogniser(run, 320, left_context, folder=folder),
        StreamingRecogniser(run, 320, left_context),
    ):
        assert not list(stream.encode(signal[:500]))
        ends += stream.encode_rest()
    assert (ends[0] - ends[1]).abs().max() < 1e-3


def test_streams_by_the_command(exported, tmp_path, capsys):
    file = tmp_path / "words.wav"
    soundfile.write(file, speak(["ABLE", "FOX"]), RATE)
    texts = []
    endpoint = ["--endpoint", "0.08", "--endpoint_threshold", "0.5"]
    for options in (
        *([], ["--onnx", "float32"], ["--onnx", "int8"]),
        *(endpoint, [*endpoint, "--onnx", "float32"]),
    ):
        assert transcribe([str(exported), str(file), "--streaming", "320", *options]) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert texts[2].strip()
    assert texts[3] == texts[4]
    assert texts[3].strip().count("\n") > 0


def test_the_card_runs_it_without_torch(exported, tmp_path):
    soundfile.write(tmp_path / "speech.wav", speak(["ABLE", "FOX"]).astype("float32"), RATE)
    card = (exported / "README.md").read_text(encoding="utf-8")
    [code] = [part for part in card.split("```python\n") if part.startswith("import numpy")]
    code = "import sys; sys.modules['torch'] = None\n" + code.split("```")[0]
    command = [sys.executable, "-c", code.replace('"tones/', f'"{exported}/')]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.stdout == "ABLE FOX\n", done.stderr


def test_bad_input(exported, trained_run, tmp_path, monkeypatch, capsys):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"no graph")
    with pytest.raises(ValueError, match=r"damaged\.onnx cannot be run"):
        OnnxModel(damaged)
    model = OnnxModel(exported / "model.onnx", threads=1)
    log_probs, frames = model(np.zeros((1, 16000), np.float32), np.array([16000]))
    assert log_probs.shape[1] == frames[0]
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main([str(trained_run), str(tmp_path / "new"), "--onnx"]) == 2
    assert "pip install onnxscript" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match="needs the package onnxruntime"):
        OnnxModel(exported / "model.onnx")
