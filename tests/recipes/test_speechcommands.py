"""The Speech Commands recipe: its layout, whole and broken, and from WAV to accuracy."""

import csv
import json

import numpy as np
import pytest
import soundfile
from recipe_modules import load_recipe
from tones import speak, train

from recipes.minicorpora.speechcommands import WORDS, make_speechcommands

recipe = load_recipe("SpeechCommands", "speechcommands_prepare")
SPEAKERS = {"train": ("a1", "b2", "c3"), "validation": ("d4",), "testing": ("e5",)}
SAID = (*recipe.COMMANDS, "bed", "cat", "tree")


@pytest.fixture
def data(tmp_path):
    """Thirteen words, each by each speaker; even ones are high tones, odd ones low."""
    folder = tmp_path / "speech_commands"
    lists = {split: [] for split in SPEAKERS}
    for number, word in enumerate(SAID):
        (folder / word).mkdir(parents=True)
        for split, speakers in SPEAKERS.items():
            for speaker in speakers:
                name = f"{word}/{speaker}_nohash_0.wav"
                soundfile.write(folder / name, speak([number % 5], 0.6), 16000)
                lists[split].append(name)
    for split, file in recipe.LISTS.items():
        (folder / file).write_text("".join(f"{name}\n" for name in lists[split]))
    (folder / recipe.NOISE).mkdir()
    samples = np.random.default_rng(0).normal(0, 0.1, 16000 * 20)
    soundfile.write(folder / recipe.NOISE / "hum.wav", samples, 16000)
    return folder


@pytest.fixture
def prepare(data, tmp_path):
    def run(classes, **options):
        splits = (["train"], ["validation"], ["testing"])
        recipe.prepare_speechcommands(data, tmp_path / "save", *splits, classes, **options)
        return {split: rows_of(tmp_path / "save" / f"{split}.csv") for split in SPEAKERS}

    return run


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_word_is_a_class(prepare):
    rows = prepare(13)
    assert {split: len(own) for split, own in rows.items()} == {
        "train": 39,
        "validation": 13,
        "testing": 13,
    }
    assert {row["class"] for row in rows["testing"]} == {*SAID}
    assert {row["spk_id"] for row in rows["train"]} == {*SPEAKERS["train"]}
    assert rows["testing"][0]["ID"] == "bed-e5_nohash_0"


def test_twelve_classes(prepare):
    rows = prepare(12)
    for split, own in rows.items():
        counts = {}
        for row in own:
            counts[row["class"]] = counts.get(row["class"], 0) + 1
        assert counts == dict.fromkeys(
            (*recipe.COMMANDS, "unknown", "silence"), len(SPEAKERS[split])
        )
        for row in own:
            first, last = recipe.SHARES[split]
            if row["class"] == "silence":
                assert 20 * first <= float(row["start"]) < float(row["end"]) <= 20 * last + 0.01
            elif row["class"] == "unknown":
                assert row["ID"].split("-")[0] in ("bed", "cat", "tree")
    assert prepare(12) == rows  # what is drawn is drawn again


def test_errors(prepare, data):
    with pytest.raises(ValueError, match="holds 13 words and classes is 35"):
        prepare(35)
    (data / "go" / "e5_nohash_0.wav").unlink()
    with pytest.raises(ValueError, match=r"go-e5_nohash_0 .*listed, and not there"):
        prepare(13)
    assert len(prepare(13, allow_incomplete_evaluation=True)["testing"]) == 12
    (data / "go" / "e5_nohash_1.wav").write_bytes(b"")  # on neither list: training
    with pytest.raises(ValueError, match="speaker e5 is in the splits testing and train"):
        prepare(13)
    (data / "validation_list.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no validation_list\.txt"):
        prepare(13)


def test_no_noise_no_silence(prepare, data):
    (data / recipe.NOISE / "hum.wav").unlink()
    with pytest.raises(FileNotFoundError, match="12 classes need"):
        prepare(12)


def test_from_wav_to_accuracy(data, tmp_path):
    settings = {"classes": 12, "number_of_epochs": 2, "max_batch_length_train": 4}
    brain = train("SpeechCommands", "demo.yaml", data, tmp_path / "run", **settings)
    assert brain.targets.names() == sorted([*recipe.COMMANDS, "unknown", "silence"])
    result = json.loads((tmp_path / "run" / "results" / "testing.json").read_text())
    hypotheses, references = (
        (tmp_path / "run" / "results" / f"testing.{kind}.txt").read_text().split("\n")
        for kind in ("hyp", "ref")
    )
    right = sum(a == b for a, b in zip(hypotheses, references) if a)
    assert result["accuracy"] == pytest.approx(100 * right / 12)
    assert len(result["accuracy_interval"]) == 2
    assert result["task"] == "classification"
    assert "valid error_rate" in (tmp_path / "run" / "train_log.txt").read_text()


def test_the_mini_corpus_has_the_layout(tmp_path):
    sizes = {"train": (70, 2), "dev": (35, 1), "test": (35, 1)}
    make_speechcommands(tmp_path, sizes, workers=1, progress=False)
    folder = tmp_path / "SpeechCommands"
    splits = (["train"], ["validation"], ["testing"])
    recipe.prepare_speechcommands(folder, tmp_path / "save", *splits)
    rows = {split: rows_of(tmp_path / "save" / f"{split}.csv") for split in SPEAKERS}
    assert {split: len(own) for split, own in rows.items()} == {
        "train": 70,
        "validation": 35,
        "testing": 35,
    }
    assert {row["class"] for row in rows["testing"]} == {*WORDS}
    assert len({row["spk_id"] for row in rows["train"]}) == 2
