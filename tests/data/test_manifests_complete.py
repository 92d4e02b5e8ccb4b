"""Splits to evaluate on: nothing may be missing from them, and how many there should be is kept."""

import csv
import logging

import numpy as np
import pytest
import soundfile

from summarymixing_sb.data.manifests import (
    Recording,
    Skipped,
    annotated_counts,
    read_manifest,
    write_manifests,
)

SPLITS = ("train", "dev", "test")


@pytest.fixture
def prepare(tmp_path):
    """Prepare three splits of four recordings in `audio`; gives the folder of the CSV files."""
    audio = tmp_path / "audio"
    audio.mkdir()
    for split in SPLITS:
        for i in range(4):
            soundfile.write(audio / f"{split}{i}.flac", np.full(1600, 0.1), 16000)

    def read_split(split):
        recordings = [
            Recording(f"{split}{i}", str(audio / f"{split}{i}.flac"), {"spk_id": "s", "wrd": "A"})
            for i in range(4)
        ]
        return recordings, []

    def run(complete=(), read=read_split):
        sources = {split: sorted(map(str, audio.glob(f"{split}*"))) for split in SPLITS}
        manifests = {split: [split] for split in SPLITS}
        write_manifests(tmp_path / "save", manifests, sources, read, {}, None, complete)
        return tmp_path / "save"

    run.audio = audio
    run.read_split = read_split
    return run


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_whole_splits_pass(prepare):
    save = prepare(complete=["dev", "test"])
    assert len(rows(save / "test.csv")) == 4
    assert annotated_counts(save) == {"train": 4, "dev": 4, "test": 4}


def test_all_that_is_missing_is_named_and_nothing_written(prepare):
    (prepare.audio / "dev1.flac").write_bytes(b"")
    (prepare.audio / "test0.flac").unlink()
    (prepare.audio / "test3.flac").write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=r"1 of dev, 2 of test\.") as error:
        prepare(complete=["dev", "test"])
    text = str(error.value)
    assert "allow_incomplete_evaluation=True" in text
    for name, problem in (("dev1", "empty"), ("test0", "unreadable"), ("test3", "unreadable")):
        split = name.rstrip("0123456789")
        assert f"{name} ({split}, {problem} audio: {prepare.audio / name}.flac)" in text
    assert not list((prepare.audio.parent / "save").iterdir())


def test_train_may_always_be_incomplete(prepare):
    (prepare.audio / "train2.flac").write_bytes(b"")
    save = prepare(complete=["dev", "test"])
    assert len(rows(save / "train.csv")) == 3
    assert [row["ID"] for row in rows(save / "skipped.csv")] == ["train2"]


def test_incomplete_splits_pass_when_allowed_and_the_number_of_the_whole_stays(prepare):
    (prepare.audio / "test0.flac").write_bytes(b"")
    save = prepare()
    assert len(rows(save / "test.csv")) == 3
    assert annotated_counts(save)["test"] == 4


def test_what_was_allowed_once_is_not_allowed_for_ever(prepare):
    (prepare.audio / "test0.flac").write_bytes(b"")
    save = prepare()
    before = {path.name: path.read_bytes() for path in save.iterdir()}
    with pytest.raises(ValueError, match="1 of test"):
        prepare(complete=["test"])
    assert {path.name: path.read_bytes() for path in save.iterdir()} == before


def test_what_annotations_alone_rule_out_counts_as_missing(prepare):
    def read_split(split):
        recordings, _ = prepare.read_split(split)
        return recordings[1:], [Skipped(f"{split}0", "x.tsv", "sentence without words")]

    with pytest.raises(ValueError, match=r"test0 \(test, sentence without words: x\.tsv\)"):
        prepare(complete=["test"], read=read_split)
    assert annotated_counts(prepare(read=read_split))["test"] == 4


def test_a_recording_named_twice_counts_once(prepare):
    def read_split(split):
        recordings, _ = prepare.read_split(split)
        return recordings, [Skipped(f"{split}0", "x.tsv", "second transcript")]

    assert annotated_counts(prepare(read=read_split))["test"] == 4


def test_many_are_counted_and_ten_named(prepare):
    def read_split(split):
        recordings, _ = prepare.read_split(split)
        return recordings, [Skipped(f"lost{i:02}", "x.tsv", "clip missing") for i in range(15)]

    with pytest.raises(ValueError, match=r"lost09 .*; and 5 more\.") as error:
        prepare(complete=["test"], read=read_split)
    assert "lost10" not in str(error.value)


def test_counts_outlive_a_preparation_that_had_nothing_to_do(prepare):
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("summarymixing_sb.data.manifests")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        prepare()
        save = prepare()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    assert any("is up to date" in message for message in messages)
    assert annotated_counts(save)["dev"] == 4


def test_counts_of_a_folder_where_nothing_was_prepared(tmp_path):
    with pytest.raises(FileNotFoundError, match="no data were prepared"):
        annotated_counts(tmp_path)


def test_file_names_of_any_kind(prepare):
    """Breaks in a name do not break lines of results; bytes that are no text are named."""
    names = ["tab\ta", "line\nb", "separator\u2028c", "dollar $d", "latin\udce9"]
    template = (prepare.audio / "train0.flac").read_bytes()
    found = []
    for name in names:
        path = f"{prepare.audio}/{name}.flac"
        with open(path, "wb") as file:
            file.write(template)
        found.append(Recording(name, path, {"spk_id": "s", "wrd": "$A"}))

    def read(split):
        return (found, []) if split == "train" else prepare.read_split(split)

    save = prepare(read=read)
    train = read_manifest(save / "train.csv")
    assert [row["ID"] for row in train] == ["tab%09a", "line%0Ab", "separator%2028c", "dollar $d"]
    assert [row["wav"] for row in train] == [recording.path for recording in found[:4]]
    assert {row["wrd"] for row in train} == {"$A"}
    [skipped] = rows(save / "skipped.csv")
    assert skipped["ID"] == "latin\\udce9"
    assert skipped["reason"] == "file name that is not UTF-8"


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"options": {}, "written": 3}', "{}"])
def test_a_damaged_record(prepare, content):
    """Another preparation mends it; before that, no count is made of it."""
    save = prepare()
    before = annotated_counts(save)
    (save / "preparation.json").write_text(content)
    with pytest.raises(ValueError, match=r"preparation\.json is damaged: remove it"):
        annotated_counts(save)
    assert annotated_counts(prepare()) == before
