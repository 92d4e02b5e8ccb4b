"""Two runs against each other, with differences worked out by hand."""

import json

import numpy as np
import pytest

from summarymixing_sb.evaluation import write_test_results
from summarymixing_sb.evaluation.compare import compare, load_run, main, report

INFO = {
    "hours_audio": 0.5,
    "parameters": 1234,
    "seconds": 90.0,
    "peak_memory_mb": 10.5,
    "seed": 3407,
    "command": "",
    "yaml": "conformer.yaml",
    "overrides": {},
    "mixer": "SummaryMixing",
    "preset": None,
    "decoding": dict.fromkeys(("method", "beam", "ctc_weight", "lm_source", "lm_weight")),
    "dataset": "LibriSpeech",
}


def write(folder, texts, test_set="test-clean", **info):
    """Results of a run from pairs of reference and hypothesis by id."""
    references, hypotheses = zip(*texts.values())
    return write_test_results(
        folder, test_set, list(texts), references, hypotheses, {**INFO, **info}
    )


@pytest.fixture
def runs(tmp_path):
    """B mends one word in each of 20 utterances of A, and spoils one that A had right."""
    a = {f"u{i}": ("A B C D", "A B C X") for i in range(20)}
    b = {f"u{i}": ("A B C D", "A B C D") for i in range(20)}
    a["long"], b["long"] = ("E F G", "E F G"), ("E F G", "")
    a["same"], b["same"] = ("H I", "H J"), ("H I", "H J")
    a["of a"], b["of b"], b["of b too"] = ("X Y", "X"), ("X Y", ""), ("Z", "Z")
    return load_run(write(tmp_path / "a", a)), load_run(write(tmp_path / "b", b))


def test_worked_out_by_hand(runs):
    result = compare(*runs)
    assert len(result.ids) == 22
    assert result.only == (1, 2)
    assert result.words.sum() == 20 * 4 + 3 + 2
    assert result.errors.sum(0).tolist() == [21, 4]
    assert result.wer == pytest.approx((100 * 21 / 85, 100 * 4 / 85))
    assert result.difference == pytest.approx(-100 * 17 / 85)
    for rate, (low, high) in zip(result.wer, result.intervals):
        assert low < rate < high
    low, high = result.difference_interval
    assert low < result.difference < high < 0
    assert result.probability > 0.99


def test_the_probability_turns_round_with_the_runs(runs):
    a, b = runs
    assert compare(b, a).probability == pytest.approx(1 - compare(a, b).probability, abs=0.01)
    assert compare(b, a).difference == -compare(a, b).difference
    alike = compare(a, a)
    assert (alike.difference, alike.probability) == (0, 0)
    assert alike.difference_interval == (0, 0)


def test_pairing_makes_the_difference_surer(tmp_path):
    """Hard utterances are hard for both; what differs is small and always to one side."""
    rng = np.random.default_rng(0)
    texts = [{}, {}]
    for i in range(200):
        wrong = rng.integers(0, 10)
        for index, texts_of_run in enumerate(texts):
            errors = max(0, wrong - (index if i % 3 == 0 else 0))
            words = "X" * errors + "W" * (10 - errors)
            texts_of_run[f"u{i}"] = (" ".join("W" * 10), " ".join(words))
    a, b = (load_run(write(tmp_path / name, t)) for name, t in zip("ab", texts))
    result = compare(a, b)
    low, high = result.difference_interval
    apart = [end - start for start, end in result.intervals]
    assert high - low < 0.4 * min(apart)
    assert result.intervals[0][0] < result.intervals[1][1]  # by themselves they overlap
    assert result.probability == 1
    assert low < result.difference < high < 0


def test_report(runs):
    lines = report(*runs, compare(*runs)).splitlines()
    assert lines[2] == "22 utterances of LibriSpeech test-clean, 85 words"
    assert lines[3].startswith("skipped: 1 utterances that only A (")
    assert lines[4].startswith("skipped: 2 utterances that only B (")
    assert lines[7].startswith("B less A    -20.00 %  [")
    headings = [line for line in lines if "word errors of A" in line]
    assert headings == [
        "long: 0 word errors of A, 3 of B",
        *(f"u{i}: 1 word errors of A, 0 of B" for i in range(9)),
    ]
    at = lines.index(headings[0])
    assert [line.strip() for line in lines[at + 1 : at + 4]] == [
        "reference  E F G",
        "A          E F G",
        "B",
    ]
    assert "differ most" not in report(runs[0], runs[0], compare(runs[0], runs[0]))


def test_command_line(runs, tmp_path, capsys):
    folders = [str(run.path.parent) for run in runs]
    main([*folders, "--output", str(tmp_path / "out")])
    text = (tmp_path / "out" / "comparison.txt").read_text()
    assert capsys.readouterr().out.startswith(text)
    assert "B is better in 100.0 % of the draws" in text or "B is better in 99." in text
    image = (tmp_path / "out" / "wer_by_length.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    write(runs[0].path.parent, {"v": ("A", "A")}, test_set="test-other")
    with pytest.raises(SystemExit):
        main(folders)
    assert "holds test-clean, test-other: add --test_set=..." in capsys.readouterr().err
    main([*folders, "--test_set", "test-clean"])
    assert text.splitlines()[2:] == capsys.readouterr().out.splitlines()[2:]


def test_refusals(runs, tmp_path):
    a, b = runs
    other = load_run(write(tmp_path / "c", {"u0": ("A B", "A B")}, test_set="test-other"))
    with pytest.raises(ValueError, match=r"LibriSpeech test-clean .* LibriSpeech test-other"):
        compare(a, other)
    mini = load_run(write(tmp_path / "d", {"u0": ("A B", "A B")}, dataset="CommonVoice"))
    with pytest.raises(ValueError, match="compare runs of one test set"):
        compare(a, mini)
    changed = load_run(write(tmp_path / "e", {"u0": ("a b c d", "a b c d")}))
    with pytest.raises(ValueError, match="different references of 1 utterances, such as u0"):
        compare(a, changed)
    apart = load_run(write(tmp_path / "f", {"w": ("A B", "A B")}))
    with pytest.raises(ValueError, match="no utterance with words in common"):
        compare(a, apart)
    with pytest.raises(FileNotFoundError, match=r"there is no result .*none\.json"):
        load_run(tmp_path / "none.json")
    with pytest.raises(ValueError, match="not of test set test-other"):
        load_run(a.path, "test-other")
    a.path.with_suffix(".hyp.txt").write_text("u0\tA B\n")
    with pytest.raises(ValueError, match="references and hypotheses do not pair: long"):
        load_run(a.path)
    b.path.with_suffix(".ref.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"no file .*test-clean\.ref\.txt.*: test again"):
        load_run(b.path)


def test_a_run_of_an_older_version_names_no_data_set(runs):
    a, b = runs
    record = json.loads(a.path.read_text())
    del record["dataset"]
    a.path.write_text(json.dumps(record))
    assert compare(load_run(a.path), b).difference == compare(a, b).difference
