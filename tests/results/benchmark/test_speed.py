"""The benchmark's command: what it writes, refuses and does not do twice."""

import pytest
from torch import nn

from results.benchmark import speed
from results.benchmark.models import BASELINE, Case, build_model
from results.benchmark.rows import read_rows

TINY = ["--threads", "1", "--layers", "1", "--d_model", "16", "--rounds", "3", "--device", "cpu"]
TINY += ["--parts", "mixer", "--seconds", "2", "--models", BASELINE, "RoPESDPA"]


def run(path, *options):
    speed.main([*TINY, "--output", str(path), *options])
    return read_rows(path)


def test_rows_of_a_case(tmp_path):
    rows = {row["model"]: row for row in run(tmp_path / "bench.csv")}
    assert list(rows) == [BASELINE, "RoPESDPA"]
    for row in rows.values():
        assert (row["status"], row["rounds"], row["threads"]) == ("ok", "3", "1")
        assert float(row["q1_s"]) <= float(row["median_s"]) <= float(row["q3_s"])
        ratio = float(row["median_s"]) / float(rows[BASELINE]["median_s"])
        assert float(row["ratio"]) == pytest.approx(ratio, abs=1e-3)
        assert float(row["real_time_factor"]) == pytest.approx(float(row["median_s"]) / 2, rel=0.01)
        assert float(row["error"]) < 1e-4
        assert "torch=" in row["versions"]
    assert rows[BASELINE]["reference"] == "equations"


def test_wrong_outputs_have_no_time():
    class Doubled(nn.Module):
        def __init__(self, model):
            super().__init__()
            self.part, self.position, self.speechbrain = model.part, model.position, False
            self.model = [model]

        def forward(self, x, padding_mask):
            return 2 * self.model[0](x, padding_mask)

    def build(name, case):
        model = build_model(name, case)
        return Doubled(model) if name == "SummaryMixing-lite" else model

    case = Case("mixer", "inference", 2, d_model=16)
    rows = speed.time_models(case, [BASELINE, "SummaryMixing-lite"], 3, build)
    assert rows[BASELINE]["status"] == "ok"
    wrong = rows["SummaryMixing-lite"]
    assert (wrong["status"], wrong["error"]) == ("wrong", "1.0e+00")
    assert "median_s" not in wrong


def test_what_cannot_run_says_why(tmp_path, capsys):
    """SpeechBrain's sinusoids end at 2500 frames."""
    options = ["--parts", "encoder", "--seconds", "101", "--models"]
    options += [BASELINE, "SpeechBrain regularMHA", "nobody"]
    rows = {row["model"]: row for row in run(tmp_path / "bench.csv", *options)}
    assert rows[BASELINE]["status"] == "ok"
    assert rows["SpeechBrain regularMHA"]["status"].startswith("failed: RuntimeError: ")
    assert rows["nobody"]["status"].startswith("failed: ValueError: Unknown mixer 'nobody'")
    assert "Unknown mixer" in capsys.readouterr().out


def test_a_second_run_measures_what_is_missing(tmp_path, monkeypatch):
    path = tmp_path / "bench.csv"
    run(path)
    before = path.read_text(encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setattr(speed, "time_models", None)
        run(path)
    assert path.read_text(encoding="utf-8") == before
    rows = run(path, "--seconds", "2", "4")
    assert path.read_text(encoding="utf-8").startswith(before)
    assert [row["seconds"] for row in rows] == ["2", "2", "4", "4"]


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "bench.csv"
    path.write_text("mixer,frames\n", encoding="utf-8")
    with pytest.raises(ValueError, match="has not the columns"):
        run(path)


def test_memory_comes_from_a_process_of_its_own(tmp_path):
    rows = run(tmp_path / "bench.csv", "--memory", "--modes", "training", "--models", BASELINE)
    (row,) = rows
    assert (row["measured"], row["mode"], row["status"]) == ("memory", "training", "ok")
    assert 0 <= float(row["growth_mib"]) < float(row["peak_mib"])
    assert row["median_s"] == ""


def test_what_is_on_the_results_page():
    for memory in ([], ["--memory"]):
        listed = speed.cases(speed.parse(memory))
        assert len({case for case, _ in listed}) == len(listed)
        assert all(names[0] == BASELINE for _, names in listed)  # what ratios are to


def test_all_combinations_of_what_is_chosen():
    chosen = ["--modes", "inference", "training", "--chunks", "0", "8", "--seconds", "9", "3"]
    listed = [case for case, _ in speed.cases(speed.parse(chosen))]
    assert [(case.mode, case.chunk, case.seconds) for case in listed] == [
        (mode, chunk, seconds)
        for mode in ("inference", "training")
        for chunk in (0, 8)
        for seconds in (3, 9)
    ]
