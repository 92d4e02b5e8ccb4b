"""Pages of the studies are those of their committed rows."""

import re
import shutil
from pathlib import Path

import pytest

from results.study import mixers, pretraining, real_speech, streams
from results.study.trials import read_rows

FOLDER = Path(__file__).resolve().parents[3] / "results" / "study"


STUDIES = (mixers, streams, real_speech, pretraining)


@pytest.mark.parametrize("study", STUDIES, ids=lambda m: m.__name__)
def test_page_and_rows_agree(study, tmp_path, monkeypatch):
    if not (study.FOLDER / "runs.csv").is_file():
        pytest.skip("nothing has been run yet")
    folder = shutil.copytree(study.FOLDER, tmp_path / "study")
    monkeypatch.setattr(study, "FOLDER", folder)
    study.main(["--page"])
    assert (folder / "README.md").read_text() == (study_folder(study) / "README.md").read_text()


def study_folder(study):
    return FOLDER / study.__name__.rsplit(".", 1)[1]


def test_the_first_page_claims_what_is_significant_and_nothing_else():
    page = (mixers.FOLDER / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^- (.* makes .* errors than .*):", page, re.MULTILINE)
    readme = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^- (.* makes .* errors than .*)$", readme, re.MULTILINE) == found


def test_what_is_compared_is_equal_in_size():
    for study in STUDIES:
        rows = read_rows(study.FOLDER / "runs.csv")
        for test in {row["test"] for row in rows}:
            counts = {int(row["parameters"]) for row in rows if row["test"] == test}
            assert max(counts) / min(counts) < 1.02


def made_up(name, seed, fold, test, errors="1/4 0/4 2/4"):
    return {
        "system": name,
        "seed": str(seed),
        "fold": fold,
        "test": test,
        "parameters": "1000",
        "training_seconds": "10",
        "errors": errors,
    }


def test_pages_of_made_up_rows(tmp_path, monkeypatch):
    for study in (streams, real_speech, pretraining):
        folder = tmp_path / study.__name__
        folder.mkdir()
        shutil.copy(study.FOLDER / "template.md", folder)
        monkeypatch.setattr(study, "FOLDER", folder)
    names = [system.name for system in streams.SYSTEMS]
    rows = [made_up(name, s, "", t) for name in names for s in (1, 2, 3) for t in streams.TESTS]
    streams.write_page(rows)
    text = (streams.FOLDER / "README.md").read_text(encoding="utf-8")
    assert text.count("| dual mode |") == len(streams.TESTS)
    assert "## Chunks of 320 ms" in text

    speakers = ("a", "b")
    rows = [
        made_up(name, s, fold, fold, f"{number}/4 0/4")
        for name in real_speech.FINALISTS
        for s in (1, 2, 3)
        for number, fold in enumerate(speakers)
    ]
    joined = real_speech.join_folds([*rows, made_up("PoM", 4, "a", "a")])
    assert len(joined) == 3 * len(real_speech.FINALISTS)  # the fourth seed of PoM is not whole
    assert joined[0]["errors"] == "0/4 0/4 1/4 0/4"
    real_speech.write_page(rows)
    text = (real_speech.FOLDER / "README.md").read_text(encoding="utf-8")
    assert "## Strings of digits" in text
    assert "LibriSpeech, 1.6 hours" not in text

    names = (*pretraining.BASELINES, pretraining.PRETRAINED)
    pretraining.write_page([made_up(name, s, "", "test-mini") for name in names for s in (1, 2)])
    text = (pretraining.FOLDER / "README.md").read_text(encoding="utf-8")
    assert "| pre-trained by BEST-RQ |" in text

    pretraining.write_page([made_up(name, 1, "", "test-mini") for name in names])
    text = (pretraining.FOLDER / "README.md").read_text(encoding="utf-8")
    assert "Nothing is compared yet" in text
