"""The files of a test set."""

import json
import random
import re
import sys

import pytest

from summarymixing_sb.evaluation import (
    write_label_results,
    write_test_results,
    write_utterances,
)
from summarymixing_sb.evaluation.normalizers import make_normalizer

INFO = {
    "hours_audio": 0.5,
    "parameters": 1234,
    "seconds": 90.0,
    "peak_memory_mb": 10.5,
    "seed": 3407,
    "command": "train.py conformer.yaml",
    "yaml": "conformer.yaml",
    "overrides": {"d_model": 64},
    "mixer": "SummaryMixing",
    "preset": "speechbrain1.0",
    "decoding": {
        "method": "joint_beam",
        "beam": 66,
        "ctc_weight": 0.4,
        "lm_source": None,
        "lm_weight": None,
    },
}
IDS = ["one", "two"]
REFERENCES = ["THE CAT", "A DOG"]
HYPOTHESES = [["THE", "CAT"], []]


def test_files(tmp_path):
    path = write_test_results(tmp_path / "new", "test-clean", IDS, REFERENCES, HYPOTHESES, INFO)
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "test-clean.hyp.txt",
        "test-clean.json",
        "test-clean.ref.txt",
        "test-clean.wer.txt",
    ]
    record = json.loads(path.read_text())
    assert {key: record[key] for key in INFO} == INFO
    assert (record["test_set"], record["wer"], record["deletions"]) == ("test-clean", 50.0, 2)
    assert record["real_time_factor"] == pytest.approx(0.05)
    assert {"versions", "commit", "machine", "date", "cer", "words"} <= record.keys()
    low, high = record["wer_interval"]
    assert low < record["wer"] < high
    assert (path.parent / "test-clean.hyp.txt").read_text() == "one\tTHE CAT\ntwo\t\n"
    assert (path.parent / "test-clean.ref.txt").read_text() == "one\tTHE CAT\ntwo\tA DOG\n"
    alignments = (path.parent / "test-clean.wer.txt").read_text()
    assert "%WER 50.00 [ 2 / 4, 0 ins, 2 del, 0 sub ]" in alignments
    assert "A ; DOG" in " ".join(alignments.split())


def test_more_scores(tmp_path):
    given = (tmp_path, "test", IDS, REFERENCES, HYPOTHESES, INFO, {"slu_f1": 50.0})
    record = json.loads(write_test_results(*given).read_text())
    assert (record["wer"], record["slu_f1"]) == (50.0, 50.0)


def test_labels(tmp_path):
    info = {name: value for name, value in INFO.items() if name != "decoding"}
    labels = ["alarm_set", "music_play"]
    scores = {"intent_accuracy": 50.0}
    path = write_label_results(tmp_path, "test", IDS, labels, labels[:1] * 2, scores, info)
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["test.hyp.txt", "test.json", "test.ref.txt"]
    assert (tmp_path / "test.hyp.txt").read_text() == "one\talarm_set\ntwo\talarm_set\n"
    record = json.loads(path.read_text())
    assert {key: record[key] for key in info} == info
    assert record["intent_accuracy"] == 50.0
    assert "wer" not in record
    with pytest.raises(ValueError, match="twice: one"):
        write_label_results(tmp_path, "test", ["one", "one"], labels, labels, scores, info)


def test_empty_texts_do_not_crash(tmp_path):
    path = write_test_results(tmp_path, "silence", ["one"], [""], [""], INFO)
    assert json.loads(path.read_text())["wer"] is None


@pytest.mark.parametrize("key", ["mixer", "decoding", "seconds"])
def test_missing_info_is_named_and_nothing_written(tmp_path, key):
    info = {name: value for name, value in INFO.items() if name != key}
    with pytest.raises(ValueError, match=f"lacks .*{key}"):
        write_test_results(tmp_path, "test", IDS, REFERENCES, HYPOTHESES, info)
    assert list(tmp_path.iterdir()) == []


def test_missing_decoding_key_is_named(tmp_path):
    info = {**INFO, "decoding": {"method": "ctc_greedy"}}
    with pytest.raises(ValueError, match=r"decoding\.beam"):
        write_test_results(tmp_path, "test", IDS, REFERENCES, HYPOTHESES, info)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["one"]}, "1 ids for 2 references"),
        ({"ids": ["one", "one"]}, "twice: one"),
        ({"hypotheses": ["A"]}, "1 predictions for 2"),
        ({"info": {**INFO, "wer": 0.0}}, "must not give wer"),
        ({"info": {**INFO, "hours_audio": 0}}, "hours_audio"),
        ({"info": {**INFO, "seconds": float("nan")}}, "not JSON compliant"),
    ],
)
def test_refusals(tmp_path, change, message):
    given = {"ids": IDS, "references": REFERENCES, "hypotheses": HYPOTHESES, "info": INFO, **change}
    with pytest.raises(ValueError, match=message):
        write_test_results(tmp_path, "test", **given)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_test_results(tmp_path, "test", IDS, REFERENCES, HYPOTHESES, INFO)
    before = {file.name: file.read_text() for file in tmp_path.iterdir()}

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_test_results(tmp_path, "test", IDS, REFERENCES, REFERENCES, INFO)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == before


def test_counts_are_the_same_in_both_files(tmp_path):
    """Many alignments have as few errors; only one of them is counted and written."""
    draw = random.Random(0)
    pairs = [[" ".join(draw.choices("ABC", k=draw.randrange(9))) for _ in "rh"] for _ in range(60)]
    references, hypotheses = zip(*pairs, ("", "A B"), ("A B", ""))
    ids = [str(number) for number in range(len(references))]
    file = write_test_results(tmp_path, "random", ids, references, hypotheses, INFO)
    counts = json.loads(file.read_text())
    text = (tmp_path / "random.wer.txt").read_text()
    found = re.search(r"%WER (\S+) \[ (\d+) / (\d+), (\d+) ins, (\d+) del, (\d+) sub \]", text)
    wer, errors, words, *split = found.groups()
    assert float(wer) == pytest.approx(counts["wer"], abs=0.006)
    assert [int(n) for n in split] == [
        counts[name] for name in ("insertions", "deletions", "substitutions")
    ]
    assert (int(errors), int(words)) == (sum(map(int, split)), counts["words"])
    # the alignments are those of the counts
    utterances = text[text.index("\n0, %WER") :]
    symbols = re.findall(r"^ *[=SDI](?: *; *[=SDI])* *$", utterances, re.MULTILINE)
    for symbol, count in zip("IDS", split):
        assert sum(line.count(symbol) for line in symbols) == int(count)


def test_normalised_scores_stand_beside_the_raw_ones(tmp_path):
    references = ["MISTER BROWN PAID TWENTY FIVE", "UH"]
    hypotheses = ["Mr. Brown paid 25", "the"]
    given = (tmp_path, "test", IDS, references, hypotheses, INFO)
    record = json.loads(write_test_results(*given, normalizer="english").read_text())
    assert record["wer"] == 100
    assert record["normalizer"] == "english"
    assert record["wer_normalized"] == 0  # and a filler alone is no utterance
    assert record["rtfx"] == pytest.approx(1 / record["real_time_factor"])
    record = json.loads(write_test_results(*given, normalizer="basic").read_text())
    assert record["wer_normalized"] > 0
    nothing = (tmp_path, "test", ["a"], ["UH"], ["THE"], INFO)
    record = json.loads(write_test_results(*nothing, normalizer="english").read_text())
    assert record["wer_normalized"] is None


def test_a_normaliser_that_is_not_there(monkeypatch):
    with pytest.raises(ValueError, match="give english or basic, not 'german'"):
        make_normalizer("german")
    monkeypatch.setitem(sys.modules, "whisper_normalizer", None)
    monkeypatch.delitem(sys.modules, "whisper_normalizer.english", raising=False)
    with pytest.raises(ValueError, match="pip install whisper-normalizer"):
        make_normalizer("english")


def test_utterances_as_json_lines(tmp_path):
    row = {"audio_filepath": "/a/ü.flac", "duration": 1.5, "time": 0.1}
    row |= {"text": "Ü", "pred_text": ""}
    write_utterances(tmp_path, "test", [row, row])
    lines = (tmp_path / "test.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [row, row]
    assert "ü" in lines[0]
