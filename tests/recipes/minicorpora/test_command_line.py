"""The command line that the makers share."""

from pathlib import Path

import pytest

from recipes.minicorpora.command_line import parser_of, report, sizes_of

SIZES = {"train": (30, 3), "devel": (5, 2)}
ROW = {"hours": 1.25, "sentences": 30, "speakers": 3, "vocabulary": 90, "unknown": []}


def test_options_of_every_split():
    parser = parser_of("LibriSpeech", "Speak.", SIZES)
    assert parser.prog == "python -m recipes.minicorpora.librispeech"
    options = parser.parse_args(["out", "--devel=7", "--train-speakers=9", "--seed=4"])
    assert (options.output, options.seed, options.workers) == ("out", 4, None)
    assert sizes_of(options, SIZES) == {"train": (30, 9), "devel": (7, 2)}


def test_report_names_the_words_that_training_lacks(capsys):
    report(Path("out"), lambda: {"train": ROW, "devel": {**ROW, "unknown": ["owl", "yak"]}})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "out holds"
    assert lines[2].split() == ["train", "1.25", "30", "3", "90", "0"]
    assert lines[3].split() == ["devel", "1.25", "30", "3", "90", "2", "owl", "yak"]


def test_report_leaves_with_the_message_of_what_is_wrong():
    def fail():
        raise ValueError("seed must be 0 or more, not -1")

    with pytest.raises(SystemExit, match="error: seed must be 0 or more, not -1"):
        report(Path("out"), fail)
