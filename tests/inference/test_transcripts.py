"""Text, JSON and subtitles as other programs read them."""

import json
import re
from pathlib import PurePath

import pytest

from summarymixing_sb.inference.transcripts import (
    Transcript,
    Word,
    as_json,
    as_srt,
    as_txt,
    write_transcript,
)

TIMES = re.compile(r"(\d\d):(\d\d):(\d\d),(\d{3}) --> (\d\d):(\d\d):(\d\d),(\d{3})")


def transcript(*words):
    """Words given as (text, start, end)."""
    words = [Word(text, start, end, 0.75) for text, start, end in words]
    return Transcript("ünï/a.wav", 12.34567, words, "/runs/1", "ctc_greedy")


def read_srt(text):
    """Cues as (start, end, lines)."""
    cues = []
    for number, block in enumerate(text.strip().split("\n\n") if text else [], 1):
        head, times, *lines = block.split("\n")
        assert int(head) == number
        h, m, s, ms, *end = (int(part) for part in TIMES.fullmatch(times).groups())
        start = 3600 * h + 60 * m + s + ms / 1000
        end = 3600 * end[0] + 60 * end[1] + end[2] + end[3] / 1000
        cues.append((start, end, lines))
    return cues


def test_json():
    record = json.loads(as_json(transcript(("été", 0.08, 0.16), ("x", 0.24000000000000002, 1.0))))
    assert record == {
        "file": "ünï/a.wav",
        "seconds": 12.346,
        "text": "été x",
        "words": [
            {"word": "été", "start": 0.08, "end": 0.16, "score": 0.75},
            {"word": "x", "start": 0.24, "end": 1.0, "score": 0.75},
        ],
        "model": "/runs/1",
        "decoding": "ctc_greedy",
    }


def test_nothing_said():
    assert as_txt(transcript()) == "\n"
    assert json.loads(as_json(transcript()))["words"] == []
    assert as_srt(transcript()) == ""


def test_cues_end_at_silences():
    words = [("a", 0.0, 1.0), ("b", 1.5, 2.0), ("c", 2.61, 3.0)]
    assert read_srt(as_srt(transcript(*words))) == [(0.0, 2.0, ["a b"]), (2.61, 3.0, ["c"])]


def test_cues_are_short():
    words = [(f"word{number}", 0.5 * number, 0.5 * number + 0.4) for number in range(8000)]
    cues = read_srt(as_srt(transcript(*words)))
    assert " ".join(" ".join(lines) for _, _, lines in cues).split() == [word for word, *_ in words]
    assert cues[-1][1] == pytest.approx(8000 / 2 - 0.1)
    for (start, end, lines), following in zip(cues, [*cues[1:], (4000.0,)]):
        assert start < end <= following[0]
        assert end - start <= 7
        assert len(lines) <= 2
        assert max(map(len, lines)) <= 42
    # and no shorter than they must be: most take eight words of eight letters
    assert sum(end - start > 3.8 for start, end, _ in cues) > 0.8 * len(cues)


def test_a_word_that_fits_no_cue():
    cues = read_srt(as_srt(transcript(("a" * 100, 1.0, 9.0), ("b", 9.1, 9.2))))
    assert cues[0][:2] == (1.0, 8.0)
    assert "".join(cues[0][2]) == "a" * 100
    assert cues[1] == (9.1, 9.2, ["b"])


def test_files(tmp_path):
    one = transcript(("ja", 0.0, 0.5))
    write_transcript(one, tmp_path / "out", PurePath("x/a.b"), ["txt", "json", "srt"])
    folder = tmp_path / "out" / "x"
    assert sorted(path.name for path in folder.iterdir()) == ["a.b.json", "a.b.srt", "a.b.txt"]
    assert (folder / "a.b.txt").read_text(encoding="utf-8") == "ja\n"
    assert (folder / "a.b.srt").read_text(encoding="utf-8") == as_srt(one)
