"""The table of our runs: rows from JSON files, added once, written whole."""

import csv
import json
from pathlib import Path

import pytest

from results.tools.runs import (
    COLUMNS,
    append_runs,
    main,
    read_runs,
    run_row,
    yaml_name,
)
from summarymixing_sb.evaluation import write_test_results

ROOT = Path(__file__).resolve().parents[3]
INFO = {
    "hours_audio": 0.5,
    "parameters": 1234,
    "seconds": 90.0,
    "peak_memory_mb": 10.5,
    "seed": 3407,
    "command": "train.py conformer.yaml",
    "yaml": "/home/someone/summarymixing_sb/hparams/LibriSpeech/conformer.yaml",
    "overrides": {"data_folder": "/data", "nhead": 1, "note": "a,b"},
    "mixer": "SummaryMixing",
    "preset": "speechbrain1.0",
    "decoding": {
        "method": "joint_beam",
        "beam": 66,
        "ctc_weight": 0.4,
        "lm_source": "some/lm",
        "lm_weight": 0.6,
    },
    "task": "asr",
    "training_seconds": 61.5,
    "annotated_utterances": 5,
}


@pytest.fixture
def result(tmp_path):
    """The JSON file of a test, as a run writes it."""
    references, hypotheses = ["A B", "C D", "E"], ["A B", "C X", "E"]
    folder = tmp_path / "results" / "first"
    return write_test_results(folder, "test-clean", ["1", "2", "3"], references, hypotheses, INFO)


@pytest.fixture
def table(tmp_path):
    return tmp_path / "results" / "runs.csv"


def change(path, **keys):
    """Rewrite a JSON file with other values."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def test_the_row_of_a_run(result, table):
    row = run_row(result, table.parent)
    assert list(row) == list(COLUMNS)
    assert (row["dataset"], row["test_set"], row["task"]) == ("LibriSpeech", "test-clean", "asr")
    assert row["yaml"] == "hparams/LibriSpeech/conformer.yaml"
    assert json.loads(row["overrides"]) == INFO["overrides"]
    assert (row["decoding"], row["beam"], row["lm"]) == ("joint_beam", "66", "some/lm")
    assert (row["wer"], row["parameters"], row["seed"]) == ("20.0", "1234", "3407")
    assert float(row["wer_low"]) < 20 < float(row["wer_high"])
    assert float(row["cer_low"]) < float(row["cer"]) < float(row["cer_high"])
    assert (row["utterances"], row["annotated_utterances"]) == ("3", "5")
    assert (row["training_seconds"], row["real_time_factor"]) == ("61.5", "0.05")
    assert "speechbrain " in row["versions"]
    assert row["json"] == "first/test-clean.json"
    assert row["slu_f1"] == row["intent_accuracy_low"] == ""


def test_understanding_scores_and_a_gpu(result, table):
    change(
        result,
        slu_f1=71.23456,
        slu_f1_interval=[70.1, 72.2],
        dataset="SLURP",
        machine={"cpu": "C", "cores": 2, "gpu": "G"},
    )
    row = run_row(result, table.parent)
    assert [row[f"slu_f1{end}"] for end in ("", "_low", "_high")] == ["71.2346", "70.1", "72.2"]
    assert (row["dataset"], row["machine"]) == ("SLURP", "G; C, 2 cores")


def test_files_of_the_first_version():
    """They have no intervals, no task and no training time."""
    folder = ROOT / "results"
    row = run_row(folder / "LibriSpeech_1.6h" / "ctc" / "dev-clean.json", folder)
    assert (row["dataset"], row["test_set"], row["mixer"]) == (
        *("LibriSpeech", "dev-clean"),
        "SummaryMixing",
    )
    assert {row[key] for key in ("wer_low", "task", "training_seconds")} == {""}


def test_added_once(result, table):
    assert append_runs([result], table) == (1, 0)
    assert append_runs([result], table) == (0, 1)
    copy = result.with_name("copy.json")
    copy.write_text(result.read_text())
    assert append_runs([copy], table) == (0, 1)
    assert [row["json"] for row in read_runs(table)] == ["first/copy.json"]
    change(result, date="2030-01-01T00:00:00+00:00")  # trained again
    assert append_runs([result, copy], table) == (1, 1)
    change(result, wer=12.0)
    assert append_runs([result], table) == (0, 1)
    assert [(row["json"], row["wer"]) for row in read_runs(table)] == [
        ("first/copy.json", "20.0"),
        ("first/test-clean.json", "12.0"),
    ]


def test_a_moved_file_takes_the_place_of_both_rows(result, table):
    other = result.with_name("other.json")
    other.write_text(result.read_text())
    change(other, seed=1)
    append_runs([result, other], table)
    other.write_text(result.read_text())
    assert append_runs([other], table) == (0, 1)
    assert [row["json"] for row in read_runs(table)] == ["first/other.json"]


def test_all_or_nothing(result, table, monkeypatch):
    append_runs([result], table)
    before = table.read_text()
    broken = result.with_name("broken.json")
    broken.write_text("{}")
    with pytest.raises(ValueError, match=r"broken.json is no result of a run: it lacks test_set"):
        append_runs([result, broken], table)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    change(result, wer=1.0)
    with pytest.raises(OSError, match="disk full"):
        append_runs([result], table)
    assert table.read_text() == before
    assert sorted(file.name for file in table.parent.iterdir()) == ["first", "runs.csv"]


def test_refusals(result, table, tmp_path):
    with pytest.raises(ValueError, match=r"is not in .*elsewhere: copy it there first"):
        append_runs([result], tmp_path / "elsewhere" / "runs.csv")
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        run_row(table.parent / "none.json", table.parent)
    result.write_text("no JSON")
    with pytest.raises(ValueError, match=r"test-clean.json is no JSON file"):
        run_row(result, table.parent)
    table.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"runs.csv: its columns must be dataset"):
        read_runs(table)


def test_names_of_yaml_files():
    assert yaml_name("hparams/SLURP/a.yaml") == ("hparams/SLURP/a.yaml", "SLURP")
    assert yaml_name("/hparams/x/hparams/A/a.yaml") == ("hparams/A/a.yaml", "A")
    assert yaml_name("my/a.yaml") == ("my/a.yaml", None)


def test_command_line(result, table, capsys):
    main([str(result), "--table", str(table)])
    assert capsys.readouterr().out == f"{table}: 1 added, 0 replaced\n"
    with open(table, newline="") as file:
        [row] = csv.DictReader(file)
    assert row == run_row(result, table.parent)
    with pytest.raises(SystemExit):
        main([str(result) + "x", "--table", str(table)])
    assert "No such file" in capsys.readouterr().err


def test_the_committed_table_is_that_of_the_committed_files():
    folder = ROOT / "results"
    rows = read_runs(folder / "runs.csv")
    assert rows
    for row in rows:
        assert row == run_row(folder / row["json"], folder)
