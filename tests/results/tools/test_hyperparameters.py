"""Values of published rows, against what is known of them."""

import csv
from pathlib import Path

import pytest

from results.tools.hyperparameters import KEYS, SOURCES, training_tables

ROOT = Path(__file__).resolve().parents[3]
FACTS = ROOT / "results" / "hyperparameters.csv"


def write(file, *lines):
    with open(file, "w", newline="") as stream:
        csv.writer(stream).writerows([["yaml", "overrides", "key", "value", "source"], *lines])
    return file


def test_every_key_of_a_table_stands_in_one_column():
    """A value that differs from its source is refused, so the committed facts hold."""
    tables = training_tables(FACTS, ROOT)
    assert len(tables) == 9
    for rows in tables.values():
        for row in rows:
            assert sum(bool(value) for value in row.values()) == 2
    [lr] = [
        row for row in tables["`hparams/LibriSpeech/branchformer.yaml`"] if "`lr`" in row["key"]
    ]
    assert (lr["published"], lr["our choice"]) == ("0.0005", "")


def test_every_fact_is_shown():
    with open(FACTS, newline="") as stream:
        facts = list(csv.DictReader(stream))
    shown = training_tables(FACTS, ROOT)
    cells = sum(bool(row[source]) for rows in shown.values() for row in rows for source in SOURCES)
    assert cells == len(facts)


def test_another_value_than_the_source_is_refused(tmp_path):
    yaml = "hparams/LibriSpeech/conformer.yaml"
    facts = write(tmp_path / "facts.csv", [yaml, "--lr=0.1", "lr", "0.0008", "published"])
    with pytest.raises(ValueError, match=r"--lr=0.1: lr is 0.1; published: 0.0008"):
        training_tables(facts, ROOT)
    facts = write(tmp_path / "facts.csv", [yaml, "", "lr", "0.0008", "hearsay"])
    with pytest.raises(ValueError, match="unknown source or key"):
        training_tables(facts, ROOT)
    assert "lr" in KEYS
