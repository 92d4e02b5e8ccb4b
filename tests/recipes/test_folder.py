"""Data of one's own: texts beside recordings, tables, splits by speaker, and what is wrong."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from interruptions import OPTIONS
from recipe_modules import load_recipe
from tones import speak, train

from summarymixing_sb.data.batches import ReadWhole

prepare_folder = load_recipe("Folder", "folder_prepare").prepare_folder
WORDS = ("ABLE", "BAKER", "CHARLIE", "DOG", "DOG")
SPLITS = ["train"], ["dev"], ["test"]


def say(file, draw, rate=16000):
    """Write a recording; return its text."""
    numbers = draw.integers(0, 4, draw.integers(3, 6))
    file.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(file, speak(numbers, 0.4, rate), rate)
    return " ".join(WORDS[number] for number in numbers)


@pytest.fixture
def folder(tmp_path):
    """Recordings in several formats and of several rates, by speaker, texts beside them."""
    draw = np.random.default_rng(0)
    root = tmp_path / "mine"
    for speaker in range(8):
        for number in range(4):
            suffix, rate = ((".wav", 8000), (".flac", 16000), (".mp3", 44100))[number % 3]
            file = root / f"speaker {speaker}" / f"{number}{suffix}"
            text = say(file, draw, rate)
            file.with_suffix(".txt").write_text(f"{text}\n", encoding="utf-8")
    return root


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_texts_beside_recordings(folder, tmp_path):
    """Nothing names a split, so speakers are divided, the same way each time."""
    prepare_folder(folder, tmp_path / "a", *SPLITS)
    rows = {split: read(tmp_path / "a" / f"{split}.csv") for split in ("train", "dev", "test")}
    assert {split: len(found) for split, found in rows.items()} == {
        "train": 24,
        "dev": 4,
        "test": 4,
    }
    speakers = {split: {row["spk_id"] for row in found} for split, found in rows.items()}
    assert len(set.union(*speakers.values())) == 8
    row = rows["dev"][0]
    text = folder / f"{row['ID']}.txt"
    assert row["wrd"] == text.read_text().strip()
    prepare_folder(folder, tmp_path / "b", *SPLITS)
    assert read(tmp_path / "b" / "dev.csv") == rows["dev"]


def test_folders_that_are_splits(folder, tmp_path):
    for number, split in enumerate(("train", "dev", "test")):
        (folder / split).mkdir()
        (folder / f"speaker {number}").rename(folder / split / "someone")
    prepare_folder(folder, tmp_path / "save", ["train"], ["dev"], ["test"])
    assert len(read(tmp_path / "save" / "test.csv")) == 4
    with pytest.raises(ValueError, match=r"no recording is of the split\(s\) eval; there are"):
        prepare_folder(folder, tmp_path / "save", ["train"], ["dev"], ["eval"])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_tables(folder, tmp_path, suffix):
    rows = [
        {
            "file": file.relative_to(folder).as_posix(),
            "said": 'a "quoted", text',
            "split": ("train", "train", "dev", "test")[number % 4],
        }
        for number, file in enumerate(sorted(folder.rglob("*.wav")))
    ]
    table = tmp_path / f"table{suffix}"
    with open(table, "w", encoding="utf-8-sig", newline="") as stream:
        if suffix == ".jsonl":
            stream.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(stream, rows[0], delimiter="," if suffix == ".csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    prepare_folder(folder, tmp_path / "save", *SPLITS, table, "file", "said")
    found = read(tmp_path / "save" / "train.csv")
    assert len(found) == sum(row["split"] == "train" for row in rows)
    assert {row["wrd"] for row in found} == {'a "quoted", text'}
    with pytest.raises(ValueError, match=rf"table\{suffix}, line \d has no audio, text; it has"):
        prepare_folder(folder, tmp_path / "save", *SPLITS, table)


def test_what_does_not_pair(folder, tmp_path):
    (folder / "speaker 0" / "0.txt").unlink()
    (folder / "speaker 0" / "1.flac").unlink()
    (folder / "speaker 0" / "2.txt").write_text(" \n")
    prepare_folder(folder, tmp_path / "save", *SPLITS, allow_incomplete_evaluation=True)
    skipped = {row["ID"]: row["reason"] for row in read(tmp_path / "save" / "skipped.csv")}
    assert skipped == {
        "speaker 0/0": "recording without text",
        "speaker 0/1": "text without recording",
        "speaker 0/2": "text without words",
    }


def test_what_cannot_be(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="data_folder: there is no folder"):
        prepare_folder(tmp_path / "nowhere", tmp_path / "save", *SPLITS)
    with pytest.raises(FileNotFoundError, match="table: there is no file"):
        prepare_folder(folder, tmp_path / "save", *SPLITS, tmp_path / "no.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no recording is in"):
        prepare_folder(tmp_path / "empty", tmp_path / "save", *SPLITS)
    (tmp_path / "bad.jsonl").write_text('{"audio": "a.wav", "text": "A"}\n[1]\n{')
    with pytest.raises(ValueError, match=r"bad\.jsonl, line 2 is no object"):
        prepare_folder(folder, tmp_path / "save", *SPLITS, tmp_path / "bad.jsonl")
    with pytest.raises(ValueError, match="name one each"):
        prepare_folder(folder, tmp_path / "save", ["train"], ["dev"], ["test", "eval"])
    for speaker in range(2, 8):
        for file in (folder / f"speaker {speaker}").iterdir():
            file.unlink()
    with pytest.raises(ValueError, match=r"2 speaker\(s\) cannot be divided into test, dev, train"):
        prepare_folder(folder, tmp_path / "save", *SPLITS)


def test_trains_and_tests(folder, tmp_path, capsys):
    options = {**OPTIONS, "train_splits": "[train]", "valid_splits": "[dev]"}
    options |= {"test_splits": "[test]", "number_of_epochs": 1}
    train("Folder", "conformer_ctc.yaml", folder, tmp_path / "run", **options)
    assert "test: WER" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / "results" / "test.json").read_text())["utterances"] == 4


def test_segments_of_long_recordings(tmp_path):
    """Trained on and tested to results; each is read where it stands, whatever the format."""
    draw = np.random.default_rng(1)
    folder, lines = tmp_path / "mine", ["audio,start,end,text,split,speaker"]
    folder.mkdir()
    sounds = {}
    for place, (split, suffix) in enumerate(
        (("train", ".wav"), ("train", ".mp3"), ("dev", ".flac"), ("test", ".wav"))
    ):
        samples, time = [], 0.0
        for number in range(12):
            numbers = draw.integers(0, 4, draw.integers(3, 6))
            sound = speak(numbers, 0.4)
            end = "" if number == 11 else f"{time + len(sound) / 16000:.4f}"
            text = " ".join(WORDS[n] for n in numbers)
            lines.append(f"{place}{suffix},{time:.4f},{end},{text},{split},s{place}")
            samples.append(sound)
            time += len(sound) / 16000
        sounds[f"{place}{suffix}"] = np.concatenate(samples)
        soundfile.write(folder / f"{place}{suffix}", sounds[f"{place}{suffix}"], 16000)
    table = folder / "all.csv"
    table.write_text("\n".join(lines) + "\n")
    options = {**OPTIONS, "train_splits": "[train]", "valid_splits": "[dev]"}
    options |= {"test_splits": "[test]", "table": table, "number_of_epochs": 1}
    train("Folder", "conformer_ctc.yaml", folder, tmp_path / "run", **options)
    result = json.loads((tmp_path / "run" / "results" / "test.json").read_text())
    assert result["utterances"] == 12
    rows = read(tmp_path / "run" / "save" / "manifests" / "train.csv")
    assert len(rows) == 24
    reader = ReadWhole({"sample_rate": 16000})
    for row in rows:
        signal = reader(row["wav"], row["start"], row["end"])
        assert len(signal) == pytest.approx(16000 * float(row["duration"]), abs=1)
        if row["wav"].endswith(".wav"):
            first = round(16000 * float(row["start"]))
            expected = sounds[Path(row["wav"]).name][first : first + len(signal)]
            assert np.abs(signal.numpy() - expected).max() < 1e-4


def test_bad_segments(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    soundfile.write(folder / "a.wav", speak([0, 1], 0.5), 16000)

    def prepare(*segments, **options):
        lines = ["audio\tstart\tend\ttext\tsplit"]
        lines += [f"a.wav\t{start}\t{end}\tA\t{split}" for start, end, split in segments]
        (folder / "t.tsv").write_text("\n".join(lines) + "\n")
        prepare_folder(folder, tmp_path / "save", *SPLITS, folder / "t.tsv", **options)

    good = [("0", "0.3", "train"), ("0.3", "0.6", "dev"), ("0.6", "1", "test")]
    prepare(*good)
    with pytest.raises(ValueError, match=r"t\.tsv, line 2: start must be a number of seconds, not"):
        prepare(("soon", "0.3", "train"), *good[1:])
    with pytest.raises(ValueError, match="train_splits hold recordings that are evaluated: 1 of"):
        prepare(("0", "0.4", "train"), *good[1:])
    prepare(*good, ("1.2", "3", "train"), ("0.2", "0.1", "train"))
    skipped = read(tmp_path / "save" / "skipped.csv")
    assert [row["ID"] for row in skipped] == ["a-1200-3000", "a-200-100"]
    assert all(row["reason"].startswith("segment outside of its recording") for row in skipped)
