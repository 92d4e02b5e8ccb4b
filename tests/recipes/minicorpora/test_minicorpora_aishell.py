"""The corpus on disk, in AISHELL-1's layout, and prepared by its recipe."""

import csv

import pytest
import soundfile
from recipe_modules import load_recipe

from recipes.minicorpora.aishell import main, make_aishell

SIZES = {"train": (6, 3), "dev": (3, 2), "test": (4, 4)}


def test_layout_and_preparation(tmp_path):
    statistics = make_aishell(tmp_path, SIZES, seed=3, workers=1, progress=False)
    folder = tmp_path / "AISHELL-1"
    lines = (folder / "transcript" / "aishell_transcript_v0.8.txt").read_text("utf-8").split("\n")
    texts = dict(line.split(" ", 1) for line in lines if line)
    files = sorted(folder.glob("wav/*/*/*.wav"))
    assert {file.stem for file in files} == texts.keys()
    for file in files:
        info = soundfile.info(file)
        assert (info.samplerate, info.channels, info.format) == (16000, 1, "WAV")
        assert file.parent.name in file.stem
    prepare = load_recipe("AISHELL-1", "aishell_prepare").prepare_aishell
    prepare(folder, tmp_path / "save", ["train"], ["dev"], ["test"])
    for split, (count, speakers) in SIZES.items():
        with open(tmp_path / "save" / f"{split}.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == count == statistics[split]["sentences"]
        assert len({row["spk_id"] for row in rows}) == speakers
        assert all(row["wrd"] == texts[row["ID"]].replace(" ", "") for row in rows)


def test_errors_on_the_command_line(tmp_path):
    with pytest.raises(SystemExit, match="error: train speakers must be between 1 and 31"):
        main([str(tmp_path), "--train-speakers=60"])
