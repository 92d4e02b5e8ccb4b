"""The benchmark's command: what it writes, leaves out, refuses and does not do twice."""

import csv

import pytest
import torch
from torch import nn

from results.benchmark import speed
from results.benchmark.contestants import FLOOR, build_contestant
from results.benchmark.limits import GIB, estimated_bytes, reason_to_skip
from results.benchmark.measuring import Builder
from results.benchmark.points import Group, Kind, Sizes, default_sweep
from results.benchmark.rows import COLUMNS, read_rows

FULL = "SummaryMixing full"
TINY = ["--threads", "1", "--layers", "1", "--d_model", "16", "--d_ffn", "16", "--min_time", "0"]
# What is kept would be kept of all other tests, too.
TINY += ["--freed_memory", "system"]
TINY += ["--levels", "mixer", "--seconds", "2", "--who", FULL, "plain", "RoPESDPA"]


def run(path, *options, builder=None):
    speed.main([*TINY, "--device", "cpu", "--output", str(path), *options], builder)
    return read_rows(path)


def test_rows_of_a_group(tmp_path):
    rows = {row["contestant"]: row for row in run(tmp_path / "bench.csv")}
    assert list(rows) == [FULL, FLOOR + FULL, "plain", "RoPESDPA", FLOOR + "RoPESDPA"]
    for name, row in rows.items():
        assert row["status"] == "ok"
        assert int(row["rounds"]) >= 3
        assert float(row["q1_s"]) <= float(row["median_s"]) <= float(row["q3_s"])
        ratio = float(row["median_s"]) / float(rows[FULL]["median_s"])
        assert float(row["ratio"]) == pytest.approx(ratio, abs=1e-3)
        assert float(row["real_time_factor"]) == pytest.approx(float(row["median_s"]) / 2, rel=0.01)
        assert row["frames"] == "50"
        assert row["threads"] == "1"
        assert row["freed_memory"] == "system"
        assert "torch=" in row["versions"]
        assert bool(row["error"]) == (not name.startswith(FLOOR))
    to_floor = float(rows[FULL]["median_s"]) / float(rows[FLOOR + FULL]["median_s"])
    assert float(rows[FULL]["ratio_floor"]) == pytest.approx(to_floor, rel=0.01)
    assert rows["plain"]["ratio_floor"] == ""
    assert rows["plain"]["reference"] == FULL


class Doubled(nn.Module):
    """A contestant whose numbers are wrong."""

    def __init__(self, model):
        super().__init__()
        self.part = model.part
        self.model = [model]

    def forward(self, x, padding_mask):
        return 2 * self.model[0](x, padding_mask)


def test_wrong_outputs_print_no_time(tmp_path, capsys):
    def build(name, kind):
        model = build_contestant(name, kind)
        return Doubled(model) if name == "RoPESDPA" else model

    rows = {r["contestant"]: r for r in run(tmp_path / "bench.csv", builder=Builder(build))}
    assert rows["plain"]["status"] == "ok"
    wrong = rows["RoPESDPA"]
    assert wrong["status"] == "wrong"
    assert float(wrong["error"]) == pytest.approx(1)
    assert not any(wrong[column] for column in ("median_s", "ratio", "real_time_factor"))
    assert FLOOR + "RoPESDPA" not in rows
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "RoPESDPA" in line)
    assert line.endswith("wrong")


def test_what_cannot_run_says_why(tmp_path):
    """SpeechBrain's sinusoids end at 2500 frames."""
    options = ["--levels", "encoder", "--seconds", "101", "--who", "stock regularMHA", FULL]
    rows = {row["contestant"]: row for row in run(tmp_path / "bench.csv", *options)}
    assert rows[FULL]["status"] == "ok"
    assert rows["stock regularMHA"]["status"].startswith("failed: RuntimeError: ")


def test_a_second_run_measures_what_is_missing(tmp_path):
    path = tmp_path / "bench.csv"
    run(path)
    before = path.read_text(encoding="utf-8")

    def build(name, kind):
        raise AssertionError("measured again")

    run(path, builder=Builder(build))
    assert path.read_text(encoding="utf-8") == before
    rows = run(path, "--seconds", "2", "4", builder=None)
    assert path.read_text(encoding="utf-8").startswith(before)
    assert {row["seconds"] for row in rows} == {"2", "4"}
    run(path, "--again")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 3 * 5  # two lengths and one again, of five rows each
    assert len(read_rows(path)) == 2 * 5  # of two rows of one key, the last counts


def test_rows_of_another_commit_are_measured_again(tmp_path):
    path = tmp_path / "bench.csv"
    rows = run(path)
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"commit": "0" * 40, "median_s": "77"} for row in rows)
    assert all(row["median_s"] != "77" for row in run(path))


def test_no_group_starts_after_the_last_minute(tmp_path, capsys):
    assert run(tmp_path / "bench.csv", "--minutes", "0") == []
    assert "run again to go on" in capsys.readouterr().out


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "bench.csv"
    path.write_text("mixer,frames\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has not the columns"):
        run(path)


def test_memory_comes_from_a_process_of_its_own(tmp_path):
    rows = run(tmp_path / "bench.csv", "--memory", "--levels", "mixer_step", "--who", FULL)
    (row,) = rows
    assert (row["measured"], row["status"]) == ("memory", "ok")
    assert row["freed_memory"] == "returned"
    assert 0 <= float(row["growth_mib"]) < float(row["peak_mib"])
    assert row["median_s"] == ""


def test_slow_contestants_are_skipped():
    def reason(name, chunk=0, batch="one"):
        group = Group(Kind("encoder", chunk=chunk), 40, (), batch)
        return reason_to_skip(name, group, {10: 1.0, 20: 3.0, 80: 99.0}, 10, 100 * GIB)

    assert reason("RoPESDPA") == "it would take about 12 s, more than --limit 10"
    assert reason(FULL) is None  # linear: 6 s
    assert reason("plain") is None
    assert "12 s" in reason("plain", chunk=4)
    assert reason("RoPESDPA", batch="constant") is None  # of as many frames as the shorter
    at_first = Group(Kind("encoder"), 5, ())
    assert reason_to_skip("RoPESDPA", at_first, {10: 1e9}, 10, 100 * GIB) is None


def test_what_does_not_fit_is_skipped():
    group = Group(Kind("encoder"), 600, ())
    reason = reason_to_skip("stock RelPosMHAXL", group, {}, 10, 22 * GIB)
    assert reason.startswith("it would need about ")
    assert reason.endswith("GiB, of 22 GiB available")
    assert reason_to_skip(FULL, group, {}, 10, 22 * GIB) is None


def test_estimates_grow_as_memory_does():
    def grows(name, level, chunk=0):
        kind = Kind(level, chunk=chunk)
        return estimated_bytes(name, Group(kind, 4000, ())) / estimated_bytes(
            name, Group(kind, 2000, ())
        )

    assert grows(FULL, "step", 16) == 2
    assert grows("plain", "encoder") == 2
    assert grows("plain", "mixer_step", 16) > 3.5
    assert grows("stock RelPosMHAXL", "encoder") > 3.9


@pytest.mark.parametrize("memory", [False, True])
def test_the_default_sweep(memory):
    groups = default_sweep(memory, Sizes(), "cpu")
    shapes = [(group.kind, group.seconds, group.batch) for group in groups]
    assert len(set(shapes)) == len(shapes)
    assert all(len(set(group.who)) == len(group.who) for group in groups)
    # Without the baseline there are no ratios.
    assert all(FULL in group.who for group in groups)
    # Attention has its own lengths; an hour is for SummaryMixing alone.
    assert {group.who for group in groups if group.seconds == 3600} == {(FULL,)}


def test_all_combinations_of_what_is_chosen():
    options = speed.parse(
        ["--levels", "mixer", "step", "--chunks", "0", "8", "--seconds", "9", "3"]
    )
    groups = speed.make_groups(options)
    found = [(group.kind.level, group.kind.chunk, group.seconds) for group in groups]
    assert found == [(k, c, s) for k in ("mixer", "step") for c in (0, 8) for s in (3, 9)]
    assert torch.tensor([len(group.who) for group in groups]).eq(5).all()
