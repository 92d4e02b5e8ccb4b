"""Published rows, their commands, and which runs count for them."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from results.tools.published import Command, read_commands, read_published

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "results"
CONFORMER = "hparams/LibriSpeech/conformer.yaml"
ONE_HEAD = Command("row", "", CONFORMER, "--nhead=1", 100, "", ROOT)


def run(**cells):
    """A row of our runs that `ONE_HEAD` gave."""
    overrides = {"data_folder": "/mine", "nhead": 1, "output_folder": "/there", "seed": 7}
    overrides |= cells.pop("overrides", {})
    run = {"yaml": CONFORMER, "utterances": "100", "annotated_utterances": ""}
    return {**run, "overrides": json.dumps(overrides), **cells}


@pytest.fixture(scope="module")
def tables():
    return read_published(RESULTS / "published.csv")


def test_models_and_figures(tables):
    rows = tables["LibriSpeech, 2307.07421"]
    assert [row.number for row in rows] == list(range(1, 12))
    figures = [(f.test_set, f.theirs, f.score, f.lm) for f in rows[7].figures]
    assert figures == [
        ("dev-clean", "2.8", "wer", False),
        ("test-clean", "2.1", "wer", True),
        ("test-other", "5.1", "wer", True),
    ]
    ours = {(row.cells["source"], row.cells["model"]): row for row in tables["SLURP"]}
    espnet = ours["ESPnet README", "Branchformer 95.6M"]
    assert [(f.name, f.theirs, f.score) for f in espnet.figures] == [
        ("intent accuracy", "86.53", "intent_accuracy"),
        ("SLU-F1", "77.63", "slu_f1"),
    ]
    figures = [figure for rows in tables.values() for row in rows for figure in row.figures]
    assert len(figures) == 3 * 26 + 30 + 9


def test_cells_are_those_of_the_sources(real_data):
    """Nothing was guessed, rounded or dropped on the way."""
    with open(RESULTS / "published.csv", newline="") as file:
        ours = list(csv.DictReader(file))
    folder = real_data.parent / "published"
    if not folder.is_dir():
        pytest.skip(f"no published figures in {folder}")
    theirs = []
    for name in ("librispeech", "other_tasks"):
        with open(folder / f"{name}.csv", newline="") as file:
            theirs += csv.DictReader(file)
    unread = [row for row in ours if row["metric"] and not row["value"]]
    assert {(row["source"], row["note"]) for row in unread} == {
        ("2307.07421", "the paper's figure could not be read")
    }
    ours = [row for row in ours if row not in unread]
    assert len(ours) == len(theirs)
    for mine, source in zip(ours, theirs):
        assert {key: mine[key] for key in source} == source
        added = mine.keys() - source.keys() - {"id", "table"}
        assert not any(mine[key] for key in added)


def test_a_run_of_the_command():
    assert ONE_HEAD.gave(run())
    assert ONE_HEAD.gave(run(overrides={"lr": 0.0008, "test_splits": ["test-clean"]}))  # as before
    assert not ONE_HEAD.gave(run(overrides={"nhead": 8}))
    assert not ONE_HEAD.gave(run(overrides={"train_splits": ["train-clean-100"]}))
    assert not ONE_HEAD.gave(run(overrides={"lr": 0.001}))
    assert not ONE_HEAD.gave(run(yaml="hparams/LibriSpeech/branchformer.yaml"))
    assert not ONE_HEAD.gave(run(utterances="99"))  # a corpus that only looks like this one
    assert not ONE_HEAD.gave(run(utterances=""))
    assert ONE_HEAD.gave(run(annotated_utterances="100"))
    assert not ONE_HEAD.gave(run(annotated_utterances="101"))  # a recording was missing
    default = replace(ONE_HEAD, overrides="")
    assert default.gave(run(overrides={"nhead": 8}))
    assert not default.gave(run())


def test_parameters_are_counted():
    assert round(ONE_HEAD.count_parameters() / 1e6, 1) == 112.3
    assert ONE_HEAD.dataset == "LibriSpeech"


def test_every_command_has_its_row():
    commands = read_commands(RESULTS / "commands.csv", ROOT)
    assert len({(command.id, command.variant) for command in commands}) == len(commands)
    tables = read_published(RESULTS / "published.csv", commands)
    assert all(row.commands for row in tables["LibriSpeech, 2307.07421"])
    for rows in tables.values():
        for row in rows:
            assert not row.commands or not row.commands[0].variant


def test_refusals(tmp_path):
    text = (RESULTS / "published.csv").read_text(encoding="utf-8")
    file = tmp_path / "published.csv"

    def refused(changed, message, commands=()):
        file.write_text(changed, encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            read_published(file, commands)

    refused(text.replace("bestrq-pom", "bestrq-mamba"), "given twice bestrq-mamba")
    refused(text.replace("test CER", "test TER"), "unknown metric test TER")
    refused(text, "no row for the command of row", [ONE_HEAD])
    file.write_text("id,variant,yaml,overrides,utterances,note\nx,,hparams/no.yaml,,1,\n")
    with pytest.raises(FileNotFoundError, match=r"row x: there is no file hparams/no\.yaml"):
        read_commands(file, ROOT)
