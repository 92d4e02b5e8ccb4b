"""A joined chapter is recognised in three ways, and every word is counted once."""

import csv

import numpy as np
import pytest
import soundfile
from tone_words import RATE, choose_words, speak

from results.benchmark import long_recordings


@pytest.fixture
def chapter(tmp_path):
    """A chapter of eight utterances in LibriSpeech's layout."""
    folder = tmp_path / "dev-clean" / "12" / "345"
    folder.mkdir(parents=True)
    draw, lines = np.random.default_rng(1), []
    for number in range(8):
        words = choose_words(draw)
        soundfile.write(folder / f"12-345-{number:04}.flac", speak(words), RATE)
        lines.append(f"12-345-{number:04} {' '.join(words)}\n")
    # out of order: the names say which comes first
    (folder / "12-345.trans.txt").write_text("".join(reversed(lines)), encoding="utf-8")
    return folder


def test_the_utterances_are_joined_in_order(chapter):
    signals, texts = long_recordings.read_chapter(chapter, RATE)
    assert len(signals) == len(texts) == 8
    first = (chapter / "12-345.trans.txt").read_text(encoding="utf-8").splitlines()[-1]
    assert first == f"12-345-0000 {texts[0]}"
    with pytest.raises(FileNotFoundError, match=r"no \.trans\.txt"):
        long_recordings.read_chapter(chapter.parent, RATE)


def test_three_ways(chapter, trained_run, tmp_path):
    output = tmp_path / "long.csv"
    options = ["--window", "6", "--overlap", "2", "--output", str(output)]
    long_recordings.main([str(trained_run), str(chapter), *options])
    with open(output, encoding="utf-8", newline="") as stream:
        rows = {row["how"]: row for row in csv.DictReader(stream)}
    assert list(rows) == ["utterances", "one pass", "windows"]
    for row in rows.values():
        assert row["chapter"] == "dev-clean/12/345"
        assert float(row["wer_low"]) <= float(row["wer"]) <= float(row["wer_high"])
        assert float(row["wer"]) < 50
    assert float(rows["utterances"]["wer"]) == 0
    assert float(rows["one pass"]["wer_to_one_pass"]) == 0


def test_one_window_is_one_pass(chapter, trained_run):
    signals, texts = long_recordings.read_chapter(chapter, RATE)
    run = long_recordings.load_run(trained_run)
    _, one_pass, windows = long_recordings.compare(run, signals, texts, window=100, overlap=2)
    assert one_pass["text"] == windows["text"]
    assert one_pass["wer"] == windows["wer"]


def test_words_are_shared_out_without_new_errors():
    references = [["A", "B", "C"], ["D"], ["E", "F"]]
    hypothesis = ["X", "A", "C", "D", "D", "E", "G", "F", "H"]
    parts = long_recordings.split_by_reference(references, hypothesis)
    assert [word for part in parts for word in part] == hypothesis
    whole = long_recordings.score([["A", "B", "C", "D", "E", "F"]], [hypothesis])
    apart = long_recordings.score(references, parts)
    assert apart["wer"] == whole["wer"]
