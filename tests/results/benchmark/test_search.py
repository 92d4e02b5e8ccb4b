"""The joint beam search beside SpeechBrain's: the measurement, and the table that quotes it."""

import csv
import re
from pathlib import Path

from results.benchmark import search

ROOT = Path(__file__).resolve().parents[3]


def test_the_table_quotes_the_file():
    text = (ROOT / "recipes" / "LibriSpeech" / "README.md").read_text()
    with open(ROOT / "results" / "search.csv", newline="") as stream:
        rows = {(r["way"], r["beam"], r["language_model"]): r for r in csv.DictReader(stream)}
    table = re.findall(r"^\| (\d+) \| (yes|no) \| (.+) \|$", text, re.MULTILINE)
    assert len(table) == 4
    for beam, lm, cells in table:
        ours = rows[search.OURS, beam, str(lm == "yes")]
        theirs = rows[search.THEIRS, beam, str(lm == "yes")]
        expected = [ours["seconds"], theirs["seconds"], theirs["times_ours"]]
        expected += [ours["growth_mib"], theirs["growth_mib"]]
        assert cells.split(" | ") == expected
        assert theirs["same_hypothesis"] == "True"
        assert float(theirs["score_difference"]) < 1e-5
        assert float(theirs["times_ours"]) >= 10  # a record, not a measurement of now


def test_both_searches_find_the_same(monkeypatch):
    for name, value in {"VOCABULARY": 30, "WIDTH": 16, "FRAMES": 20, "TOKENS": 6}.items():
        monkeypatch.setattr(search, name, value)
    ours, theirs = (search.measure(way, 3, True) for way in (search.OURS, search.THEIRS))
    assert ours["tokens"] == theirs["tokens"]
    assert abs(ours["score"] - theirs["score"]) < 1e-5
    assert len(ours["tokens"]) == search.TOKENS - 1  # cut off, as no hypothesis ended
