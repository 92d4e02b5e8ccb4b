"""FastConformer with CTC in dual mode, from FLAC to the text of a stream, on tones for words."""

import csv
import json

import pytest
from tones import make_librispeech, train

from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.decoding.alignment import align_words
from summarymixing_sb.decoding.text import Detokenizer
from summarymixing_sb.export.command import main as export
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.streaming import StreamingRecogniser
from summarymixing_sb.inference.transcribe import main as transcribe
from summarymixing_sb.training.latency import ChunkClock

SIZES = {"train-mini": 64, "dev-mini": 4, "test-mini": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run in dual mode, tested on whole utterances and on chunks, greedily."""
    corpus = make_librispeech(tmp_path_factory.mktemp("corpus"), SIZES)
    folder = tmp_path_factory.mktemp("run")
    train(
        "LibriSpeech",
        "fastconformer_ctc.yaml",
        corpus,
        folder,
        train_splits="[train-mini]",
        valid_splits="[dev-mini]",
        test_splits="[test-mini]",
        token_type="unigram",
        output_neurons=20,
        subsampling_channels=8,
        number_of_epochs=12,
        n_warmup_steps=20,
        lr=0.01,
        avg_checkpoints=1,
        speed_changes="[100]",
        chunkwise_prob=1,
        consistency_weight=0.3,
        test_chunks="[null, [4, 2]]",
    )
    return folder, corpus


def test_results_of_each_condition(folder):
    results = folder[0] / "results"
    records = [
        json.loads((results / f"test-mini.{name}.json").read_text())
        for name in ("offline", "chunk4_left2")
    ]
    assert [record["chunk_ms"] for record in records] == [None, 320]
    assert all(record["decoding"]["method"] == "ctc_greedy" for record in records)
    with open(results / "streaming.csv", newline="") as stream:
        assert [float(row["wer"]) for row in csv.DictReader(stream)] == [
            record["wer"] for record in records
        ]


def test_words_are_written_when_the_table_says(folder):
    """A stream that is fed 5 ms at a time writes each word at the time of its chunk."""
    path, corpus = folder
    record = json.loads((path / "results" / "test-mini.chunk4_left2.json").read_text())
    run = load_run(path)
    detokenizer = Detokenizer(run.tokenizer)
    blank = run.hparams["blank_index"]
    delays, clock = [], None
    for file in sorted((corpus / "test-mini").rglob("*.flac")):
        samples = read_audio(file, 16000)
        recogniser = StreamingRecogniser(run, 320, 2)
        clock = clock or ChunkClock.of(
            4, run.front_end.compute_features, run.front_end.subsampling, 16000
        )
        assert clock.latency_ms == pytest.approx(recogniser.latency_ms)
        times, text = [], ""
        for end in range(80, len(samples) + 80, 80):
            text += recogniser.feed(samples[end - 80 : end]) or ""
            times += [min(end, len(samples)) / 16000] * (len(text.split()) - len(times))
        text += recogniser.finish() or ""
        times += [len(samples) / 16000] * (len(text.split()) - len(times))
        whole = Recogniser(run, window=0).encode([samples])[0].log_probs
        ids = run.tokenizer.encode(text.strip())
        words = align_words(ids, whole, detokenizer, blank, run.frame_seconds)
        delays += [time - word.end for time, word in zip(times, words, strict=True)]
    assert record["word_delay_ms"] == pytest.approx(1000 * sum(delays) / len(delays), abs=5)
    assert record["latency_ms"] == pytest.approx(clock.latency_ms)
    assert 0 < record["final_text_ms"] < 1000


def test_streams_say_what_the_test_in_chunks_says(folder):
    path, corpus = folder
    run = load_run(path)
    lines = (path / "results" / "test-mini.chunk4_left2.hyp.txt").read_text().splitlines()
    assert any(line.partition("\t")[2] for line in lines)
    for line in lines:
        name, _, text = line.partition("\t")
        speaker, chapter, _ = name.split("-")
        file = corpus / "test-mini" / speaker / chapter / f"{name}.flac"
        recogniser = StreamingRecogniser(run, 320, 2)
        found = recogniser.feed(read_audio(file, 16000)) or ""
        assert (found + (recogniser.finish() or "")).strip() == text


def test_exported_graphs_say_the_same(folder, tmp_path, capsys):
    path, corpus = folder
    assert export([str(path), str(tmp_path), "--onnx", "--onnx_chunk", "320"]) == 0
    file = str(next((corpus / "test-mini").rglob("*.flac")))
    capsys.readouterr()
    for way in ([], ["--streaming", "320"]):
        texts = []
        for onnx in ([], ["--onnx", "float32"]):
            assert transcribe([str(tmp_path), file, *way, *onnx]) == 0
            texts.append(capsys.readouterr().out)
        assert texts[0].strip()
        assert texts[0] == texts[1]
