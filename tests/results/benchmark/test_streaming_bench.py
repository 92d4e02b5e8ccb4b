"""The benchmark of streaming measures a stream, and its file says what was measured."""

import csv
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import soundfile
import torch

from results.benchmark import streaming
from summarymixing_sb.inference.run import TrainedRun
from summarymixing_sb.models.front_end import FrontEnd
from summarymixing_sb.models.parts import ModelParts
from summarymixing_sb.training.config import load_hparams

DEMO = Path(__file__).resolve().parents[3] / "hparams" / "LibriSpeech" / "demo.yaml"
TINY = {
    "output_neurons": 12,
    "d_model": 16,
    "nhead": 2,
    "num_encoder_layers": 1,
    "num_decoder_layers": 0,
    "d_ffn": 16,
    "local_hidden": [16],
    "local_out": 16,
    "summary_hidden": [16],
    "summary_out": 16,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A tiny model, not trained."""
    folder = tmp_path_factory.mktemp("run")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["A BAD CAB", "DAD FED A CAFE"] * 5),
        model_prefix=str(folder / "twelve"),
        vocab_size=12,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    overrides = {**TINY, "data_folder": ".", "output_folder": str(folder)}
    hparams = load_hparams(DEMO, overrides)
    modules = {name: module.eval() for name, module in hparams["modules"].items()}
    features_module = hparams["compute_features"]
    features = features_module(noise(3)[None])
    modules["normalize"].train()(features, torch.ones(1))
    modules["normalize"].eval()
    return TrainedRun(
        folder=folder,
        hparams=hparams,
        modules=modules,
        tokenizer=sentencepiece.SentencePieceProcessor(model_file=str(folder / "twelve.model")),
        sample_rate=16000,
        frame_seconds=0.08,
        device=torch.device("cpu"),
        front_end=FrontEnd(features_module, modules["normalize"], modules["CNN"], 160).eval(),
    )


def noise(seconds):
    return 0.1 * torch.randn(16000 * seconds)


def test_equal_to_one_pass_and_where_not(run):
    recording = torch.cat([1e-6 * noise(5), noise(5)])  # the quiet part is lifted by the loud one
    found = streaming.differences(run, recording, 320, 2)
    assert float(found["difference"]) < 1e-5 < float(found["difference_loudest_known"])
    assert 1 < float(found["largest_output"]) < 100
    found = streaming.differences(run, recording.flip(0), 320, 2)
    assert float(found["difference_loudest_known"]) < 1e-5


def test_a_minute_and_more(run):
    found = streaming.measure(run, noise(7), 90, chunk_ms=320, left_context=2)
    assert found["seconds"] == pytest.approx(90, abs=0.4)
    assert found["state_bytes_1_minute"] == found["state_bytes_end"] > 0
    assert 0 < found["median_ms"] <= found["p95_ms"] <= found["max_ms"]
    # nearly all of the computing is that of the chunks
    assert found["real_time_factor"] > 0.5 * found["median_ms"] / 320
    with pytest.raises(ValueError, match="after a minute: stream longer than 59 s"):
        streaming.measure(run, noise(7), 59, chunk_ms=320)


def test_file_of_figures(run, tmp_path, monkeypatch):
    folders = []
    monkeypatch.setattr(streaming, "load_run", lambda *where: folders.append(where) or run)
    measured = []
    monkeypatch.setattr(
        streaming,
        "measure",
        lambda run, recording, *rest: measured.append((len(recording), *rest)) or {"p95_ms": 7.0},
    )
    for name, seconds in (("a.wav", 1), ("b.flac", 2)):
        soundfile.write(tmp_path / name, np.zeros(16000 * seconds), 16000)
    audio, output = [str(tmp_path / name) for name in ("a.wav", "b.flac")], tmp_path / "out.csv"
    options = ["--chunk_ms", "80", "320", "--left_context", "4", "--hours", "0.5"]
    streaming.main(["a_run", *audio, *options, "--output", str(output)])
    assert folders == [("a_run", "cpu")]
    assert measured == [(48000, 1800.0, 80, 4), (48000, 1800.0, 320, 4)]
    with open(output, encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["chunk_ms"] for row in rows] == ["80", "320"]
    assert {row["left_context_chunks"] for row in rows} == {"4"}
    assert {row["p95_ms"] for row in rows} == {"7.0"}
    assert {(row["attention_type"], row["d_model"]) for row in rows} == {("SummaryMixing", "16")}
    weights = sum(weight.numel() for weight in ModelParts(run.modules).parameters())
    assert {row["parameters"] for row in rows} == {str(weights)}
    assert {"commit", "versions", "cpu", "threads", "device"} <= set(rows[0])
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
