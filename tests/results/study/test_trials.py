"""Trials by the real recipe: rows, resuming, equal sizes, costs, and the page of a study."""

import csv
from pathlib import Path

import numpy as np
import pytest
from tones import TINY, make_librispeech

from results.study import page, trials
from results.study.cost import measure_costs
from results.study.trials import (
    System,
    append_rows,
    count_parameters,
    errors_of,
    read_rows,
    run_trials,
    with_equal_parameters,
)

ROOT = Path(__file__).resolve().parents[3]
YAML = ROOT / "hparams" / "LibriSpeech" / "demo.yaml"
BEST_RQ = YAML.with_name("demo_best_rq.yaml")
SMALL = {
    **{key: value for key, value in TINY.items() if not key.endswith("_hidden")},
    "num_decoder_layers": 0,
    "local_hidden": [16],
    "summary_hidden": [16],
}
del SMALL["device"], SMALL["fea_augment"]


@pytest.fixture(scope="module")
def overrides(tmp_path_factory):
    """Overrides of a training of a second, on recordings of tones."""
    folder = tmp_path_factory.mktemp("study")
    make_librispeech(folder / "data", {"train-mini": 8, "dev-mini": 2, "test-mini": 6})
    return {
        **SMALL,
        "data_folder": str(folder / "data"),
        "number_of_epochs": 1,
        "output_neurons": 20,
        "valid_decoding": "ctc_greedy",
        "test_decoding": "ctc_greedy",
    }


def test_a_study_resumes_and_has_a_page(overrides, tmp_path, monkeypatch):
    other = {"attention_type": "RoPESDPA"}
    untranscribed = {key: overrides[key] for key in ("data_folder", "number_of_epochs")}
    sizes = {key: value for key, value in SMALL.items() if key != "num_decoder_layers"}
    start = System("before", {**sizes, **untranscribed, **other}, yaml=BEST_RQ)
    systems = [
        System("ours", overrides),
        System("theirs, for one", {**overrides, **other}, start=start),
    ]
    table = tmp_path / "runs.csv"
    run_trials(table, YAML, systems[1:], [1], tmp_path / "runs")
    [row] = read_rows(table)
    assert row["system"] == "theirs, for one"
    assert not list((tmp_path / "runs").rglob("*.ckpt"))
    assert len(row["errors"].split()) == 6
    assert "attention_type" in row["overrides"]
    append_rows(table, [{**row, "system": "ours"}])
    assert str(tmp_path) not in table.read_text(encoding="utf-8")

    run = []
    monkeypatch.setattr(trials, "run_trial", lambda *a: run.append(a[1:3]) or [])
    run_trials(table, YAML, systems, [1, 2], tmp_path / "runs", jobs=2)
    assert run == [(system, 2) for system in systems]

    # two more seeds, made up
    rows = read_rows(table)
    for seed in (2, 3):
        append_rows(table, [{**row, "seed": seed, "errors": "1/4 " * 6} for row in rows])
    rows = sorted(read_rows(table), key=lambda row: row["system"])
    for row in rows:
        row["errors"] = " ".join(f"{number % 3}/4" for number in range(6))
    errors, words = errors_of(rows)
    assert errors["ours"].shape == (3, 6)
    assert words.tolist() == [4] * 6
    comparisons = page.compare_systems(rows, ["ours"])
    [comparison] = comparisons.values()
    text = page.comparison_table(comparison, rows, ["ours"], more={"ours": {"ms": "5"}})
    assert "| ours | " in text
    assert "| +0.00 [+0.00, +0.00], p = 1.000 |" in text
    assert page.findings(comparisons) == "- No difference is significant."
    (tmp_path / "template.md").write_text("Table:\n$table")
    page.write_study(tmp_path, table=text)
    assert (tmp_path / "README.md").read_text().startswith("Table:\n| system |")
    rates = comparison.rates
    page.plot_against_cost(tmp_path / "plot.png", rates, dict.fromkeys(rates, 1.0), "ms")
    assert (tmp_path / "plot.png").stat().st_size > 1000
    rows[0]["errors"] = "0/3 " * 6
    with pytest.raises(ValueError, match="ours, seed 3: tested on other utterances"):
        errors_of([rows[0], rows[2]])


def test_significance_is_said():
    rng = np.random.default_rng(0)

    def rows(name, rate, test="t"):
        for seed in range(4):
            errors = " ".join(f"{n}/9" for n in rng.binomial(9, rate, 200))
            yield {"system": name, "seed": seed, "test": test, "parameters": "5", "errors": errors}

    table = [*rows("good", 0.1), *rows("bad", 0.2), *rows("alike", 0.1)]
    comparisons = page.compare_systems(table, ["good", "bad"])
    lines = page.findings(comparisons).splitlines()
    assert len(lines) == 2
    assert any(line.startswith("- bad makes more errors than good: **+") for line in lines)
    assert any(line.startswith("- alike makes fewer errors than bad: **-") for line in lines)
    # good against bad is tested once
    pairs = {("bad", "good"), ("alike", "good"), ("alike", "bad")}
    assert {*comparisons["t"].differences} == pairs

    # one more test is one more chance to be wrong
    more = [*table, *rows("good", 0.1, "u"), *rows("bad", 0.1, "u"), *rows("alike", 0.1, "u")]
    both = page.compare_systems(more, ["good", "bad"])
    assert {*both["u"].differences} == pairs
    for pair, difference in comparisons["t"].differences.items():
        assert both["t"].differences[pair].p >= difference.p
    assert page.findings(both).startswith("- t: bad makes more")


def test_a_trial_that_fails_says_where(overrides, tmp_path):
    broken = System("broken", {**overrides, "lr": -1})
    with pytest.raises(RuntimeError, match=r"broken, seed 1: failed, see .*stdout\.txt"):
        run_trials(tmp_path / "runs.csv", YAML, [broken], [1], tmp_path)
    log = (tmp_path / "broken" / "1" / "stdout.txt").read_text(encoding="utf-8")
    assert "lr: give a number above 0" in log


def test_sizes_are_made_equal():
    target = count_parameters(YAML, SMALL)
    system = with_equal_parameters(
        YAML, System("none", {**SMALL, "attention_type": "none"}), target
    )
    assert system.overrides["d_ffn"] > SMALL["d_ffn"]
    assert abs(count_parameters(YAML, system.overrides) / target - 1) < 0.02
    huge = System("huge", {**SMALL, "d_model": 128})
    with pytest.raises(ValueError, match=r"huge: with d_ffn .* parameters, not"):
        with_equal_parameters(YAML, huge, target)


def test_costs(tmp_path, monkeypatch):
    monkeypatch.setattr("results.study.cost.SECONDS", (1, 2))
    systems = [System("a", SMALL), System("b", {**SMALL, "attention_type": "none"})]
    measure_costs(tmp_path / "cost.csv", YAML, systems, 80)
    with open(tmp_path / "cost.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["system"], row["seconds"]) for row in rows] == [
        (name, seconds) for seconds in ("1", "2") for name in "ab"
    ]
    assert float(rows[2]["gflop"]) > 1.5 * float(rows[0]["gflop"]) > 0
    assert all(float(row["ms"]) > 0 for row in rows)
