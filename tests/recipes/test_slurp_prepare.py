"""Preparing SLURP: trees made here, whole, broken in every way, and changed afterwards."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recipe_modules import load_recipe

from summarymixing_sb.data.manifests import annotated_counts
from summarymixing_sb.data.semantics import from_string

recipe = load_recipe("SLURP", "slurp_prepare")

# Sentence with entities, scenario, action; SLURP's own key `intent` lacks the scenario at times.
SENTENCES = (
    ("wake me at [time : 10:30 am] on [date : Friday]", "alarm", "set", "alarm_set"),
    ("lights off in [house_place : anna's room]", "iot", "hue_lightoff", "hue_lightoff"),
    ("tell me a joke", "general", "joke", "general_joke"),
)
COLUMNS = "ID,duration,wav,spk_id,wrd,intent,semantics,entities,slurp_id"


def write_flac(path, seconds=0.25, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).normal(0, 0.1, int(seconds * rate))
    soundfile.write(path, samples, rate)


def make_split(root, split, number):
    """A split in SLURP's layout: each sentence far and near, or once if it is synthetic."""
    synthetic = split == "train_synthetic"
    lines = []
    for i, (annotation, scenario, action, intent) in enumerate(SENTENCES):
        plain = annotation.replace("]", "")
        for kind in ("time", "date", "house_place"):
            plain = plain.replace(f"[{kind} : ", "")
        name = f"audio-{number}{i}"
        files = [f"{name}.flac"] if synthetic else [f"{name}-headset.flac", f"{name}.flac"]
        for file in files:
            write_flac(root / "audio" / ("slurp_synth" if synthetic else "slurp_real") / file)
        recordings = [
            {"file": file, "wer": 0.0, "ent_wer": 0.0, "status": "correct"} for file in files
        ]
        lines.append(
            {"slurp_id": 100 * number + i, "sentence": plain.lower(), "intent": intent,
             "sentence_annotation": annotation, "scenario": scenario, "action": action,
             "tokens": [], "recordings": recordings, "entities": []}
        )  # fmt: skip
    write_lines(root, split, lines)


def jsonl(root, split):
    return root / "dataset" / "slurp" / f"{split}.jsonl"


def write_lines(root, split, lines):
    jsonl(root, split).parent.mkdir(parents=True, exist_ok=True)
    jsonl(root, split).write_text("".join(json.dumps(line) + "\n" for line in lines))


def change_line(root, split, index, **changes):
    lines = [json.loads(line) for line in jsonl(root, split).read_text().splitlines()]
    lines[index] |= changes
    write_lines(root, split, lines)


def read_csv(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "SLURP"
    for number, split in enumerate(("train", "train_synthetic", "devel", "test"), 1):
        make_split(root, split, number)
    return root


@pytest.fixture
def prepare(data, tmp_path, log):
    """Prepare `data`; gives the folder of the CSV files."""

    def run(train=("train",), valid=("devel",), test=("test",), data_folder=data, **options):
        save = tmp_path / "save"
        log.clear()
        recipe.prepare_slurp(data_folder, save, list(train), list(valid), list(test), **options)
        return save

    return run


def test_csv_columns_and_content(prepare, data):
    save = prepare()
    assert (save / "train.csv").read_text().splitlines()[0] == COLUMNS
    rows = read_csv(save / "train.csv")
    assert [row["ID"] for row in rows] == [
        f"audio-1{i}{kind}" for i in range(3) for kind in ("-headset", "")
    ]
    assert rows[0] == {
        "ID": "audio-10-headset",
        "duration": "0.25",
        "wav": str(data / "audio" / "slurp_real" / "audio-10-headset.flac"),
        "spk_id": "unknown",
        "wrd": "wake me at 10:30 am on friday",
        "intent": "alarm_set",
        "semantics": "alarm_set | wake me at [time : 10:30 am] on [date : friday]",
        "entities": "null",
        "slurp_id": "100",
    }
    assert rows[2]["intent"] == "iot_hue_lightoff"
    for row in rows:
        semantics = from_string(row["semantics"])
        assert (semantics.intent, semantics.sentence) == (row["intent"], row["wrd"])
    assert len(read_csv(save / "devel.csv")) == len(read_csv(save / "test.csv")) == 6
    assert read_csv(save / "skipped.csv") == []
    assert annotated_counts(save) == {"train": 6, "devel": 6, "test": 6}


@pytest.mark.parametrize(("recordings", "kinds"), [("headset", {True}), ("far", {False})])
def test_one_microphone(recordings, kinds, prepare):
    save = prepare(train=["train", "train_synthetic"], recordings=recordings)
    for split in ("devel", "test"):
        names = [row["ID"] for row in read_csv(save / f"{split}.csv")]
        assert len(names) == 3
        assert {"-headset" in name for name in names} == kinds
    paths = [Path(row["wav"]) for row in read_csv(save / "train.csv")]
    assert [path.parent.name for path in paths] == ["slurp_real"] * 3 + ["slurp_synth"] * 3
    assert annotated_counts(save)["test"] == 3


def test_speakers_are_read_where_they_are(prepare, data):
    named = [{"file": "audio-20.flac", "usrid": "FE-145"}]
    change_line(data, "train_synthetic", 0, recordings=named)
    rows = read_csv(prepare(train=["train_synthetic"]) / "train.csv")
    assert [row["spk_id"] for row in rows] == ["FE-145", "unknown", "unknown"]


# Each breaks the first recording of a split and gives the reason that must be reported.
def no_audio(data, split, flac):
    flac.unlink()
    return "missing audio"


def empty_audio(data, split, flac):
    flac.write_bytes(b"")
    return "empty audio"


def truncated_audio(data, split, flac):
    flac.write_bytes(flac.read_bytes()[:-100])
    return "truncated or damaged audio"


def wrong_rate(data, split, flac):
    write_flac(flac, rate=48000)
    return "wrong sample rate"


def broken_annotation(data, split, flac):
    recordings = [{"file": flac.name}]
    change_line(data, split, 0, sentence_annotation="at [time : nine", recordings=recordings)
    return "unreadable annotation: cannot read 'at [time : nine'"


def broken_intent(data, split, flac):
    change_line(data, split, 0, scenario="alarm clock", recordings=[{"file": flac.name}])
    return "unreadable annotation: scenario 'alarm clock'"


def repeated(data, split, flac):
    name = flac.name.replace("-headset", "")
    recordings = [{"file": flac.name}, {"file": name}, {"file": name}]
    change_line(data, split, 0, recordings=recordings)
    return "named twice"


BREAKS = [
    no_audio,
    empty_audio,
    truncated_audio,
    wrong_rate,
    broken_annotation,
    broken_intent,
    repeated,
]


@pytest.mark.parametrize("break_it", BREAKS)
def test_broken_training_recording_is_named_counted_and_skipped(break_it, prepare, data, log):
    flac = data / "audio" / "slurp_real" / "audio-10-headset.flac"
    reason = break_it(data, "train", flac)
    save = prepare()
    (report,) = read_csv(save / "skipped.csv")
    assert report["split"] == "train"
    assert report["ID"] in ("audio-10", "audio-10-headset")
    assert report["reason"].startswith(reason)
    assert Path(report["path"]) in (flac, jsonl(data, "train"))
    assert any(f"1 skipped, {reason.split(':')[0]}: {report['ID']}" in line for line in log)
    left = len(read_csv(save / "train.csv"))
    assert left == annotated_counts(save)["train"] - (break_it is not repeated)


@pytest.mark.parametrize("split", ["devel", "test"])
@pytest.mark.parametrize("break_it", BREAKS)
def test_broken_recording_to_evaluate_on_is_refused(break_it, split, prepare, data, tmp_path):
    number = {"devel": 3, "test": 4}[split]
    flac = data / "audio" / "slurp_real" / f"audio-{number}0-headset.flac"
    reason = break_it(data, split, flac)
    message = rf"1 of {split}\. .*audio-{number}0.*{reason.split(':')[0]}.*allow_incomplete_eval"
    with pytest.raises(ValueError, match=message):
        prepare()
    assert not list((tmp_path / "save").iterdir())
    save = prepare(allow_incomplete_evaluation=True)
    (report,) = read_csv(save / "skipped.csv")
    assert report["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"slurp_id": 1', "line 3 is not JSON"),
        ("\xff", "line 3 is not JSON"),
        ("[1]", "line 3 is not a sentence of SLURP"),
        ('{"slurp_id": 1, "sentence": "hi", "recordings": []}', "'sentence_annotation'"),
        ('{"recordings": [{"name": "audio-1.flac"}]}', "'file'"),
        ('{"recordings": null}', "not a sentence of SLURP"),
    ],
)
def test_line_that_cannot_be_read(line, message, prepare, data):
    lines = jsonl(data, "train").read_text().splitlines()
    text = "\n".join([*lines[:1], "", line, *lines[1:]])
    jsonl(data, "train").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=rf"train\.jsonl, .*{message}"):
        prepare()


def test_split_without_recordings_is_refused(prepare, data):
    for i in range(3):
        change_line(data, "train", i, recordings=[])
    with pytest.raises(ValueError, match="'train': 3 x sentence without recordings"):
        prepare()


@pytest.mark.parametrize(
    "changes",
    [
        {"recordings": [{"file": "../../../secret.flac"}]},
        {"recordings": [{"file": "/etc/passwd"}]},
        {"recordings": [{"file": "a\0.flac"}]},
        {"recordings": [{"file": 5}]},
        {"recordings": [{"file": ""}]},
        {"recordings": None},
        {"recordings": 5},
        {"recordings": ["a.flac"]},
        {"sentence": "half a \ud800"},
        {"sentence": 3},
        {"scenario": None},
    ],
    ids=repr,
)
def test_a_line_that_cannot_be(prepare, data, changes):
    change_line(data, "train", 1, **changes)
    with pytest.raises(ValueError, match=r"train\.jsonl, line 2 is not"):
        prepare()


@pytest.mark.parametrize("line", ["null", "7", '"text"', "[]", "[" * 100000, "\ufeff{", "{}"])
def test_a_line_of_another_kind(prepare, data, line):
    lines = jsonl(data, "train").read_text().splitlines()
    jsonl(data, "train").write_text("\n".join([lines[0], line, *lines[1:]]))
    with pytest.raises(ValueError, match=r"train\.jsonl, line 2 is not"):
        prepare()


def test_a_byte_order_mark(prepare, data):
    before = read_csv(prepare() / "train.csv")
    jsonl(data, "train").write_bytes(b"\xef\xbb\xbf" + jsonl(data, "train").read_bytes())
    assert read_csv(prepare() / "train.csv") == before


@pytest.mark.parametrize("changes", [{"recordings": []}, {"sentence_annotation": ""}])
def test_what_is_missing_of_a_test_set_is_named(prepare, data, changes):
    change_line(data, "test", 1, **changes)
    with pytest.raises(ValueError, match=r"missing or cannot be used: . of test"):
        prepare()
    save = prepare(allow_incomplete_evaluation=True)
    skipped = read_csv(save / "skipped.csv")
    assert {row["split"] for row in skipped} == {"test"}


# What the data folder may be instead of the right one.


def test_missing_split_is_named_with_those_there(prepare, data):
    jsonl(data, "test").unlink()
    (data / "dataset" / "slurp" / "._test.jsonl").write_bytes(b"\0")
    with pytest.raises(FileNotFoundError, match=r"for test\. There are devel, train, train_syn"):
        prepare()


@pytest.mark.parametrize("wrong", ["..", "dataset", "dataset/slurp"])
def test_folder_some_levels_off_gets_a_hint(wrong, prepare, data):
    folder = Path(os.path.normpath(data / wrong))
    with pytest.raises(FileNotFoundError) as error:
        prepare(data_folder=folder)
    assert f"SLURP is not in data_folder {folder}: no {folder}/dataset/slurp" in str(error.value)
    assert str(error.value).endswith(f"Did you mean --data_folder={data} ?")


def test_folder_without_slurp(prepare, tmp_path):
    folder = tmp_path / "other" / "folder" / "deep"
    folder.mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="SLURP is not in data_folder") as error:
        prepare(data_folder=folder)
    assert "Did you mean" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        prepare(data_folder=tmp_path / "nowhere")


def test_audio_that_was_not_downloaded(prepare, data):
    (data / "audio" / "slurp_synth").rename(data / "audio" / "elsewhere")
    prepare()
    with pytest.raises(FileNotFoundError, match=r"slurp_synth, where the recordings of train_syn"):
        prepare(train=["train", "train_synthetic"])


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train", ["devel"], []), r"train_splits must be a list of splits: \[train\]"),
        ((["train"], None, []), "valid_splits must be a list"),
        ((["train", "train"], [], []), "train_splits names a split twice"),
        (([], [], []), "all empty"),
        ((["train_synthetic"], ["train"], []), "train on it alone"),
    ],
)
def test_splits_that_cannot_be_meant(splits, message, data, tmp_path):
    with pytest.raises(ValueError, match=message):
        recipe.prepare_slurp(data, tmp_path / "save", *splits)


def test_unknown_microphone(prepare):
    with pytest.raises(ValueError, match="recordings: choose both, headset, far, not 'near'"):
        prepare(recordings="near")


def test_evaluating_on_training_data_is_said(prepare, log):
    save = prepare(test=["train"])
    assert any(message.startswith("train is trained on and evaluated") for message in log)
    assert len(read_csv(save / "train.csv")) == 6


# When it prepares again.


def test_prepares_again_only_when_something_changed(prepare, data, log):
    save = prepare()
    assert any(message.startswith("Preparing the data") for message in log)
    prepare()
    assert not any(message.startswith("Preparing the data") for message in log)
    prepare(recordings="far")
    assert any("changed since: recordings" in message for message in log)
    change_line(data, "train", 2, sentence_annotation="tell me a [joke_type : good] joke")
    prepare(recordings="far")
    assert any("files of the data set changed" in message for message in log)
    assert read_csv(save / "train.csv")[2]["semantics"].endswith("a [joke_type : good] joke")
    (data / "audio" / "slurp_real" / "audio-10.flac").unlink()
    prepare(recordings="far")
    assert len(read_csv(save / "train.csv")) == 2
