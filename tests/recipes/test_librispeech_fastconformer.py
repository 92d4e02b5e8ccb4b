"""FastConformer with CTC in dual mode, from FLAC to the text of a stream, on tones for words."""

import csv
import json

import pytest
from tones import make_librispeech, train

from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.streaming import StreamingRecogniser

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
