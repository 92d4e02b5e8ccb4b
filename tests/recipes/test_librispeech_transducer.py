"""The transducer recipe from FLAC to the table over chunk sizes, on tones that stand for words."""

import csv
import json

import pytest
import torch
from speechbrain.inference.ASR import EncoderDecoderASR, StreamingASR
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from tones import make_librispeech, train
from torch.nn.utils.rnn import pad_sequence

from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.export.command import export
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.streaming import StreamingRecogniser
from summarymixing_sb.inference.transcribe import main

SIZES = {"train-mini": 24, "dev-mini": 4, "test-mini": 6}
TINY = {
    "train_splits": "[train-mini]",
    "valid_splits": "[dev-mini]",
    "test_splits": "[test-mini, dev-mini]",
    "token_type": "char",
    "output_neurons": 16,  # 12 letters, the word boundary, unknown, begin, end
    "predictor_size": 24,
    "joint_size": 24,
    "max_batch_length_train": 6,
    "n_warmup_steps": 10,
    "avg_checkpoints": 1,
    "test_beam_size": 2,
    "test_chunks": "[null, [8, null], [4, 2]]",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_librispeech(tmp_path_factory.mktemp("corpus") / "LibriSpeech", SIZES)


def run(corpus, folder, *flags, **overrides):
    options = {**TINY, **overrides}
    return train("LibriSpeech", "conformer_transducer.yaml", corpus, folder, *flags, **options)


def weights(brain):
    return {name: value.clone() for name, value in brain.model.state_dict().items()}


def test_tests_over_chunk_sizes(corpus, tmp_path, capsys):
    """Files and JSON of each test, the table; then another way of decoding, without training."""
    run(corpus, tmp_path, number_of_epochs=1)
    results = tmp_path / "results"
    names = ("offline", "chunk8", "chunk4_left2")
    records = [
        json.loads((results / f"{split}.{name}.json").read_text())
        for split in ("test-mini", "dev-mini")
        for name in names
    ]
    chunks = [
        (record["chunk_size"], record["chunk_ms"], record["left_context_chunks"])
        for record in records
    ]
    assert chunks == 2 * [(None, None, None), (8, 320, None), (4, 160, 2)]
    assert records[0]["test_set"] == "test-mini.offline"
    assert records[0]["decoding"]["method"] == "transducer_beam"
    assert records[0]["decoding"]["beam"] == 2
    assert len((results / "test-mini.chunk8.hyp.txt").read_text().splitlines()) == 6
    with open(results / "streaming.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["wer"]) for row in rows] == [record["wer"] for record in records]
    printed = capsys.readouterr().out
    assert "test-mini.chunk4_left2: WER" in printed
    assert "160 ms  2 chunks" in printed
    assert "test: dev-mini.chunk8" in (tmp_path / "train_log.txt").read_text()

    greedy = {"test_decoding": "ctc_greedy", "results_folder": tmp_path / "greedy"}
    run(corpus, tmp_path, "--test_only", **greedy, test_chunks="[[4, 1]]")
    record = json.loads((tmp_path / "greedy" / "dev-mini.chunk4_left1.json").read_text())
    assert record["decoding"]["method"] == "ctc_greedy"
    assert record["decoding"]["beam"] is None

    # the chapter of each test set in one pass, whole and in chunks
    long_form = {"test_long_form": True, "results_folder": tmp_path / "long"}
    run(corpus, tmp_path, "--test_only", **long_form, test_chunks="[null, [4, 1]]")
    for name in ("offline", "chunk4_left1"):
        record = json.loads((tmp_path / "long" / f"test-mini.long_form.{name}.json").read_text())
        assert (record["utterances"], record["words"]) == (1, records[0]["words"])

    # recordings, with a boost beyond all measure
    file = next((corpus / "test-mini").rglob("*.flac"))
    (tmp_path / "words.txt").write_text("ABLE\n")
    beam = ["--decoding", "transducer_beam", "--hotwords", str(tmp_path / "words.txt")]
    capsys.readouterr()
    found = []
    for boost in ("0", "1000"):
        assert main([str(tmp_path), str(file), *beam, "--hotword_boost", boost]) == 0
        found.append(capsys.readouterr().out.splitlines()[-1])
    assert found[0] != found[1]
    assert main([str(tmp_path), str(file), "--format", "json"]) == 0
    assert '"decoding": "transducer_greedy"' in capsys.readouterr().out


def test_resumes_as_if_never_stopped(corpus, tmp_path):
    """The chunks of every batch are drawn as they would have been."""
    options = {"test_splits": "[dev-mini]", "test_chunks": "[null]"}
    straight = run(corpus, tmp_path / "a", number_of_epochs=2, **options)
    run(corpus, tmp_path / "b", number_of_epochs=1, **options)
    resumed = weights(run(corpus, tmp_path / "b", number_of_epochs=2, **options))
    for name, value in weights(straight).items():
        assert torch.equal(value, resumed[name]), name


def test_learns_in_mixed_precision(corpus, tmp_path):
    """The loss falls over epochs of which each draws chunks; the test has the average's."""
    brain = run(
        corpus,
        tmp_path,
        "--precision=bf16",
        number_of_epochs=8,
        n_warmup_steps=20,
        lr=0.01,
        dropout=0,
        valid_search_interval=8,
        test_decoding="transducer_greedy",
        test_splits="[test-mini]",
        test_chunks="[null]",
    )
    losses = [
        float(line.split("valid loss: ")[1].split(",")[0])
        for line in (tmp_path / "train_log.txt").read_text().splitlines()
        if "valid loss" in line
    ]
    assert losses[-1] < 0.5 * losses[0]
    assert brain.test_stats["loss"] < 0.5 * losses[0]


def test_export(corpus, tmp_path):
    """SpeechBrain's interfaces decode the exported model as this package does the run."""
    run(corpus, tmp_path / "run", number_of_epochs=1, test_decoding="transducer_greedy")
    export(tmp_path / "run", tmp_path / "out", "tones")
    asr = EncoderDecoderASR.from_hparams(tmp_path / "out", savedir=tmp_path / "a")
    names = ["1-1-0000", "1-1-0001", "1-1-0002"]
    files = [str(corpus / "train-mini" / "1" / "1" / f"{name}.flac") for name in names]
    signals = [read_audio(file, 16000) for file in files]
    alone = [asr.transcribe_batch(signal[None], torch.ones(1))[1][0] for signal in signals]
    lengths = torch.tensor([len(signal) for signal in signals]) / max(map(len, signals))
    together = asr.transcribe_batch(pad_sequence(signals, batch_first=True), lengths)[1]
    assert together == alone
    assert any(alone)

    streaming = StreamingASR.from_hparams(tmp_path / "out", savedir=tmp_path / "b")
    config = DynChunkTrainConfig(4, 2)
    context = streaming.make_streaming_context(config)
    size = streaming.get_chunk_size_frames(config)
    sound = torch.nn.functional.pad(signals[0], (0, size + -len(signals[0]) % size))
    found = "".join(streaming.transcribe_chunk(context, x[None])[0] for x in sound.split(size))
    ours = StreamingRecogniser(load_run(tmp_path / "out"), chunk_ms=160, left_context=2)
    assert found == (ours.feed(sound) or "")
    assert found
