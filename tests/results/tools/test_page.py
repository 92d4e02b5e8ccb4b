"""The page of results: in step with its files, and our runs where they belong."""

import csv
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from results.tools.markdown import markdown_table
from results.tools.page import main, make_pages
from results.tools.runs import COLUMNS

ROOT = Path(__file__).resolve().parents[3]
LITE = {"yaml": "hparams/LibriSpeech/branchformer.yaml", "mixer": "SummaryMixing"}
LITE |= {"overrides": '{"data_folder": "/mine", "mixer_form": "lite"}', "parameters": "100400000"}


def results_page(root):
    return make_pages(root)["README.md"]


def test_the_committed_pages_are_up_to_date():
    """Make them again with ``python -m results.tools.page``."""
    for name, text in make_pages(ROOT).items():
        assert text == (ROOT / "results" / name).read_text(encoding="utf-8")


@pytest.fixture
def root(tmp_path):
    """A repository with the rows of SummaryMixing-lite and of ESPnet, and no run."""
    results = tmp_path / "results"
    results.mkdir()
    (tmp_path / "hparams").symlink_to(ROOT / "hparams")
    shutil.copy(ROOT / "results" / "template.md", results)
    shutil.copy(ROOT / "results" / "hyperparameters.csv", results)
    for name in ("published", "commands"):
        head, *lines = (ROOT / "results" / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        ids = ("librispeech-branchformer-summarymixing-lite", "slurp-espnet-branchformer")
        kept = [line for line in lines if line.startswith(ids)]
        (results / f"{name}.csv").write_text("\n".join([head, *kept, ""]), encoding="utf-8")
    return tmp_path


def add_runs(root, *runs):
    """Write runs.csv; cells that are not given are empty."""
    with open(root / "results" / "runs.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for run in runs:
            writer.writerow({"dataset": "LibriSpeech", **LITE, **run})


def row(text, number):
    """Cells of a row of a published table, by the name of the column."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(f"| {number} |"))
    head = max(i for i in range(at) if lines[i].startswith("| row |"))
    names, cells = ([cell.strip() for cell in lines[i].strip("|").split("|")] for i in (head, at))
    return dict(zip(names, cells))


def test_not_run(root):
    text = results_page(root)
    lite = row(text, 1)
    assert lite["dev-clean"] == "3.0"
    assert (lite["M"], lite["M, counted"]) == ("100.4", "100.4")
    espnet = row(text, 2)
    assert espnet["SLU-F1"] == "77.63"
    assert "M, counted" not in espnet  # no command gives that model
    assert "None yet." in text.split("## Our runs")[1]
    assert "ours [" not in text


def test_the_command_of_a_row_and_its_test_without_language_model(root):
    assert "```" not in results_page(root)
    text = make_pages(root)["commands.md"]
    [block] = [part.split("```")[0] for part in text.split("```sh\n")[1:]]
    lines = [line.split() for line in block.replace("\\\n", " ").splitlines()]
    assert [line[0] for line in lines[:3]] == [
        "D=--data_folder=/data/LibriSpeech",
        "T=--tokenizer_file=speechbrain/asr-transformer-transformerlm-librispeech/tokenizer.ckpt",
        "L=--lm_source=speechbrain/asr-transformer-transformerlm-librispeech",
    ]
    train = ["python", "recipes/LibriSpeech/train.py", "hparams/LibriSpeech/branchformer.yaml"]
    folder = "--output_folder=runs/librispeech-branchformer-summarymixing-lite"
    assert lines[4] == [*train, "$D", "$T", "$L", "--mixer_form=lite", folder]
    assert lines[5][:7] == [*train, "$D", "$T", "--mixer_form=lite", folder]
    assert lines[5][7:9] == ["--test_only", '"--test_splits=[dev-clean]"']
    assert max(map(len, block.splitlines())) <= 100


def test_our_runs_stand_beside_the_row_they_reproduce(root):
    with_lm = {"lm": "some/lm", "utterances": "2939", "test_set": "test-other"}
    add_runs(
        root,
        {"test_set": "dev-clean", "utterances": "2703", "wer": "3.1", "json": "a.json"},
        {**with_lm, "wer": "5.25", "wer_low": "5", "wer_high": "5.5", "json": "b.json"},
        {**with_lm, "wer": "5.35", "json": "c.json", "seed": "7"},
        # of the same command, but not comparable: no language model, half of the test set
        {**with_lm, "lm": "", "wer": "6.1", "json": "d.json"},
        {"test_set": "dev-clean", "utterances": "100", "wer": "1.1", "json": "e.json"},
    )
    text = results_page(root)
    lite = row(text, 1)
    assert lite["dev-clean"] == "3.0<br>ours [3.10](a.json)"
    assert "ours" not in lite["test-clean"]
    ours = "ours [5.25](b.json) [5.00, 5.50]<br>ours [5.35](c.json)"
    assert lite["test-other"].partition("<br>")[2] == ours
    others = text.split("## Our runs")[1].split("## LibriSpeech, ")[0]
    assert "test-other](d.json)" in others
    assert "dev-clean](e.json)" in others
    for shown in "abc":
        assert f"({shown}.json)" not in others
    assert "/mine" not in text


def test_other_runs(root):
    run = {"dataset": "SLURP", "yaml": "hparams/SLURP/demo_slu.yaml", "test_set": "test"}
    run |= {"slu_f1": "90.125", "slu_f1_low": "89", "slu_f1_high": "91", "wer": "4"}
    run |= {"utterances": "240", "annotated_utterances": "250", "training_seconds": "90"}
    options = {"data_folder": "runs/mini/SLURP", "freq_drops": [1, 2], "mixer_options": {"a": {}}}
    add_runs(root, {**run, "json": "slu/test.json", "overrides": json.dumps(options)})
    lines = results_page(root).split("### SLURP\n\n")[1].splitlines()[:3]
    names, _, cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    assert dict(zip(names, cells)) == {
        "run": "[1, test](slu/test.json)",
        "mixer": "SummaryMixing",
        "M": "100.40",
        "WER, %": "4.00",
        "SLU-F1, %": "90.12 [89.00, 91.00]",
        "utterances": "240 of 250",
        "training, min": "1.5",
    }
    assert (
        '- 1: `hparams/SLURP/demo_slu.yaml` `--freq_drops=[1,2]` `--mixer_options={"a": {}}`; '
        "data `runs/mini/SLURP`; seed "
    ) in results_page(root)


def test_command_line(root, capsys):
    main(["--root", str(root)])
    page = root / "results" / "README.md"
    names = ("README.md", "commands.md", "hyperparameters.md")
    written = "".join(f"wrote {page.with_name(name)}\n" for name in names)
    assert capsys.readouterr().out == written
    assert page.read_text(encoding="utf-8") == results_page(root)
    before = os.stat(page).st_mtime_ns
    (root / "results" / "runs.csv").write_text("a\n")
    with pytest.raises(SystemExit):
        main(["--root", str(root)])
    assert "runs.csv: its columns must be" in capsys.readouterr().err
    assert os.stat(page).st_mtime_ns == before


def test_links_and_names_on_the_page_lead_somewhere():
    for name in ("README.md", "commands.md", "hyperparameters.md"):
        text = (ROOT / "results" / name).read_text(encoding="utf-8")
        links = [part.split(")")[0] for part in text.split("](")[1:]]
        assert links
        for link in links:
            assert (ROOT / "results" / link).is_file(), link


def test_tables_leave_out_empty_columns():
    rows = [{"a": "1", "b": "", "c": "2"}, {"a": "3", "b": "", "d": "4"}]
    assert markdown_table(rows).splitlines() == [
        "| a | c | d |",
        "|---|---|---|",
        "| 1 | 2 |  |",
        "| 3 |  | 4 |",
    ]


def test_losses_of_variants_are_those_of_their_logs():
    text = (ROOT / "results" / "template.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| \[.*\]\((variants/.*)\) \| .* \| (.*) \| (.*) \|$", text, re.MULTILINE)
    assert len(lines) == len(list((ROOT / "results" / "variants").iterdir()))
    for file, train, valid in lines:
        log = (ROOT / "results" / file).read_text(encoding="utf-8")
        assert train.split(", ") == re.findall(r"train loss: ([\d.]+)", log)
        assert valid.split(", ") == re.findall(r"valid loss: ([\d.]+)", log)
