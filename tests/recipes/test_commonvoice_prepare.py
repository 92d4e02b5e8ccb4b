"""Preparing CommonVoice: trees made here, whole, broken in every way, and changed afterwards."""

import csv
import os
from pathlib import Path

import pytest
import soundfile
from commonvoice_tree import (
    RELEASE_6,
    RELEASE_17,
    make_language,
    row,
    write_clip,
)
from recipe_modules import load_recipe

from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.data.manifests import annotated_counts

prepare_commonvoice = load_recipe("CommonVoice", "commonvoice_prepare").prepare_commonvoice


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def add_line(folder, line, split="train"):
    with open(folder / f"{split}.tsv", "a", encoding="utf-8", newline="") as file:
        file.write(line)


@pytest.fixture
def data(tmp_path):
    make_language(tmp_path / "cv", "nl")
    return tmp_path / "cv"


@pytest.fixture
def prepare(data, tmp_path, log):
    """Prepare `data`; gives the folder of the CSV files."""

    def run(data_folder=data, language="nl", splits=(["train"], ["dev"], ["test"]), **options):
        log.clear()
        prepare_commonvoice(data_folder, language, tmp_path / "save", *splits, **options)
        return tmp_path / "save"

    return run


@pytest.mark.parametrize("columns", [RELEASE_6, RELEASE_17], ids=["6.1", "17"])
def test_csv_of_each_release(columns, prepare, tmp_path):
    folder = make_language(tmp_path / "other", "nl", columns)
    save = prepare(tmp_path / "other")
    rows = read_csv(save / "train.csv")
    assert rows[1] == {
        "ID": "common_voice_nl_001",
        "duration": rows[1]["duration"],
        "wav": str(folder / "clips" / "common_voice_nl_001.mp3"),
        "spk_id": "train1",
        "wrd": "IS DIT TWEE",
    }
    assert [row["wrd"] for row in rows] == ["EEN TON NUMMER ÉÉN", "IS DIT TWEE", "FOTO'S VAN DRIE"]
    assert annotated_counts(save) == {"train": 3, "dev": 3, "test": 3}
    assert read_csv(save / "skipped.csv") == []


def test_durations_are_those_of_what_is_read(prepare, data):
    write_clip(data / "nl" / "clips" / "common_voice_nl_000.mp3", 1.3, 44100, channels=2)
    for item in read_csv(prepare() / "train.csv"):
        read = len(read_audio(item["wav"], 16000)) / 16000
        assert float(item["duration"]) == pytest.approx(read, abs=1e-4)


def test_folder_of_the_language_and_relative_folder(prepare, data, monkeypatch):
    rows = read_csv(prepare() / "test.csv")
    assert read_csv(prepare(data / "nl") / "test.csv") == rows
    monkeypatch.chdir(data)
    assert read_csv(prepare(".") / "test.csv") == rows
    assert all(Path(row["wav"]).is_file() and Path(row["wav"]).is_absolute() for row in rows)


def test_other_tables_are_splits_too(prepare, data):
    (data / "nl" / "other.tsv").write_bytes((data / "nl" / "test.tsv").read_bytes())
    (data / "nl" / "test.tsv").unlink()
    save = prepare(splits=(["train", "other"], ["dev"], []))
    assert len(read_csv(save / "train.csv")) == 6


# Sentences that a reader of CSV would spoil.


@pytest.mark.parametrize("columns", [RELEASE_6, RELEASE_17], ids=["6.1", "17"])
@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ('"Alleen het begin', "ALLEEN HET BEGIN"),
        ('Zij zei: ""nee"" en "ja"', "ZIJ ZEI NEE EN JA"),
        ("een\ttab en\tnog een", "EEN TAB EN NOG EEN"),
        ("twee\t\ttabs\t", "TWEE TABS"),
        ("regel\N{LINE SEPARATOR}scheiding \\n, komma", "REGEL SCHEIDING N KOMMA"),
    ],
)
def test_quotes_and_tabs_survive(sentence, words, columns, prepare, tmp_path):
    folder = make_language(tmp_path / "other", "nl", columns)
    for n, text in enumerate((sentence, "Gewoon.")):  # nothing of the row that follows is lost
        write_clip(folder / "clips" / f"odd{n}.mp3")
        cells = {"client_id": "s", "path": f"odd{n}.mp3", "locale": "nl", "age": "teens"}
        add_line(folder, row(columns, sentence=text, **cells))
    rows = read_csv(prepare(tmp_path / "other") / "train.csv")
    assert [(row["ID"], row["spk_id"], row["wrd"]) for row in rows[3:]] == [
        ("odd0", "s", words),
        ("odd1", "s", "GEWOON"),
    ]


def test_rows_that_other_programs_wrote(prepare, data):
    """A byte order mark, line ends of Windows, trailing tabs cut off, no suffix, blank lines."""
    table = data / "nl" / "train.tsv"
    text = table.read_text(encoding="utf-8").replace(".mp3", "")
    lines = [line.rstrip("\t") for line in text.splitlines()]
    table.write_bytes(("\ufeff" + "\r\n".join([*lines, "", ""])).encode())
    assert [row["ID"] for row in read_csv(prepare() / "train.csv")] == [
        f"common_voice_nl_00{i}" for i in range(3)
    ]


def test_characters_that_no_transcript_holds_are_counted(prepare, data, log):
    write_clip(data / "nl" / "clips" / "x.mp3")
    add_line(data / "nl", row(path="x.mp3", sentence="Ō, 5 € + 5 € = жук"), "dev")
    save = prepare()
    found = read_csv(save / "unknown_characters.csv")
    euro = {"character": "€", "name": "EURO SIGN", "count": "2", "becomes": " ", "split": "dev"}
    assert found[0] == euro
    assert [r["becomes"] for r in found if "MACRON" in r["name"]] == ["O"]
    (line,) = [message for message in log if "spelling of 'nl'" in message]
    assert "€ (EURO SIGN) 2 x" in line
    times = (save / "unknown_characters.csv").stat().st_mtime_ns
    prepare()
    assert (save / "unknown_characters.csv").stat().st_mtime_ns == times


# Each breaks the first row of a split and gives the reason that must be reported.


def no_clip(clip, table):
    clip.unlink()
    return "clip missing"


def empty_clip(clip, table):
    clip.write_bytes(b"")
    return "empty audio"


def no_audio(clip, table):
    clip.write_text("<html>404</html>" * 100)
    return "unreadable audio"


def damaged(clip, table):
    content = bytearray(clip.read_bytes())
    content[1000:] = bytes(len(content) - 1000)
    clip.write_bytes(content)
    return "truncated or damaged audio"


def no_words(clip, table):
    table.write_text(table.read_text().replace("Een ton, nummer één.", "…"))
    return "sentence without words"


def line_break(clip, table):
    table.write_text(table.read_text().replace("Een ton, nummer één.", "Een ton,\nnummer"))
    return "row that ends too early"


def votes_elsewhere(clip, table):
    table.write_text(table.read_text().replace("één.\t2\t0\t", "één.\t2\t0\ta\tb"))
    return "row with too many columns"


BREAKS = [no_clip, empty_clip, no_audio, damaged, no_words, line_break, votes_elsewhere]


def break_first(data, split, break_it):
    number = ("train", "dev", "test").index(split)
    clip = data / "nl" / "clips" / f"common_voice_nl_{number}00.mp3"
    return clip, break_it(clip, data / "nl" / f"{split}.tsv")


@pytest.mark.parametrize("break_it", BREAKS)
def test_broken_training_clips_are_named_counted_and_skipped(break_it, prepare, data, log):
    clip, reason = break_first(data, "train", break_it)
    save = prepare()
    assert [row["ID"] for row in read_csv(save / "train.csv")] == [
        "common_voice_nl_001",
        "common_voice_nl_002",
    ]
    report = read_csv(save / "skipped.csv")[0]
    assert (report["ID"], report["path"], report["split"]) == (clip.stem, str(clip), "train")
    assert report["reason"].startswith(reason)
    assert any(f"skipped, {reason}: {clip.stem}" in message for message in log)


@pytest.mark.parametrize("break_it", BREAKS)
@pytest.mark.parametrize("split", ["dev", "test"])
def test_broken_clips_to_evaluate_on_are_an_error_unless_allowed(split, break_it, prepare, data):
    clip, reason = break_first(data, split, break_it)
    with pytest.raises(ValueError, match=f"{clip.stem} .{split}, {reason}") as error:
        prepare()
    assert "allow_incomplete_evaluation" in str(error.value)
    save = prepare(allow_incomplete_evaluation=True)
    assert len(read_csv(save / f"{split}.csv")) == 2
    assert annotated_counts(save)[split] >= 3


def test_second_row_for_a_clip(prepare, data):
    add_line(data / "nl", row(path="common_voice_nl_000.mp3", sentence="Anders"))
    save = prepare()
    assert read_csv(save / "train.csv")[0]["wrd"] == "EEN TON NUMMER ÉÉN"
    assert read_csv(save / "skipped.csv")[0]["reason"] == "second row for the clip"


def test_row_without_clip(prepare, data):
    add_line(data / "nl", row(path="", sentence="Niemand"))
    add_line(data / "nl", row(path="../x.mp3", sentence="Elders"))
    report = read_csv(prepare() / "skipped.csv")
    assert [case["reason"] for case in report] == ["row without the name of a clip"] * 2
    assert report[0]["ID"] == f"{data / 'nl' / 'train.tsv'}, line 5"


def test_nothing_is_skipped_for_its_length(prepare, data):
    for split, number in (("train", 0), ("test", 2)):
        write_clip(data / "nl" / "clips" / f"common_voice_nl_{number}00.mp3", 31.0, 8000)
        table = data / "nl" / f"{split}.tsv"
        table.write_text(table.read_text(encoding="utf-8").replace("Een ton, nummer één.", "Ja."))
    save = prepare()
    for split in ("train", "test"):
        first = read_csv(save / f"{split}.csv")[0]
        assert first["wrd"] == "JA"
        assert float(first["duration"]) == pytest.approx(31, abs=0.2)


def test_converted_clips_are_taken_where_there_is_no_mp3(prepare, data):
    clip = data / "nl" / "clips" / "common_voice_nl_000.mp3"
    write_clip(clip.with_suffix(".flac"), rate=16000)
    assert read_csv(prepare() / "train.csv")[0]["wav"] == str(clip)
    clip.unlink()
    assert read_csv(prepare() / "train.csv")[0]["wav"] == str(clip.with_suffix(".flac"))


# What the data folder may be instead of the right one.


def test_folders_some_levels_off_get_a_hint(prepare, data):
    with pytest.raises(FileNotFoundError, match=rf"no {data.parent}/nl/clips.*={data} \?"):
        prepare(data.parent)
    with pytest.raises(FileNotFoundError, match=rf"={data / 'nl'} \?"):
        prepare(data / "nl" / "clips")
    with pytest.raises(FileNotFoundError, match=r"language 'it' is not in .*there: nl\."):
        prepare(language="it")
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        prepare(data / "nowhere")


def test_folder_of_another_language(prepare, data):
    with pytest.raises(ValueError, match=r"train\.tsv is in language 'nl' .* not in 'it'"):
        prepare(data / "nl", language="it")


def test_missing_split_is_named_with_those_there(prepare):
    with pytest.raises(FileNotFoundError, match=r"validated\.tsv\. .*there: dev, test, train"):
        prepare(splits=(["validated"], ["dev"], []))


def test_tables_that_are_none(prepare, data):
    table = data / "nl" / "train.tsv"
    table.write_text("client_id\tpath\ttext\nspk\tx.mp3\tJa\n")
    with pytest.raises(ValueError, match=r"no column sentence; its columns are: client_id, path"):
        prepare()
    table.write_bytes(b"")
    with pytest.raises(ValueError, match="no column client_id, path, sentence"):
        prepare()
    table.write_bytes("\t".join(RELEASE_6).encode() + b"\nspk\tx.mp3\t\xff\xfe\n")
    with pytest.raises(ValueError, match=r"train\.tsv is not UTF-8"):
        prepare()


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train", ["dev"], []), r"train_splits must be a list of splits: \[train\]"),
        ((["train", "train"], [], []), "train_splits names a split twice"),
        ((["train"], ["../nl/dev"], []), "is not the name of a split"),
        (([], [], []), "all empty"),
        ((["train", "other"], ["train"], []), "train on it alone"),
    ],
)
def test_splits_that_cannot_be_meant(splits, message, prepare):
    with pytest.raises(ValueError, match=message):
        prepare(splits=splits)


@pytest.mark.parametrize("language", [None, "", ["nl"], False])
def test_language_that_is_none(language, prepare):
    """YAML 1.1 reads ``no``, Norwegian, as False."""
    with pytest.raises(ValueError, match="language must be"):
        prepare(language=language)


# When it prepares again.


def test_nothing_changed_nothing_done(prepare, data, log):
    save = prepare()
    assert any(message.startswith("Preparing the data") for message in log)
    times = {path.name: path.stat().st_mtime_ns for path in save.iterdir()}
    prepare()
    assert not any(message.startswith("Preparing the data") for message in log)
    assert {path.name: path.stat().st_mtime_ns for path in save.iterdir()} == times


def test_changed_table_changed_clip_and_another_language(prepare, data, log):
    prepare()
    table = data / "nl" / "train.tsv"
    table.write_text(table.read_text(encoding="utf-8").replace("ton", "kan"), encoding="utf-8")
    os.utime(table, ns=(0, table.stat().st_mtime_ns + 1))  # however coarse the clock
    assert read_csv(prepare() / "train.csv")[0]["wrd"] == "EEN KAN NUMMER ÉÉN"
    (data / "nl" / "clips" / "common_voice_nl_001.mp3").unlink()
    assert len(read_csv(prepare() / "train.csv")) == 2
    make_language(data, "fr")
    assert read_csv(prepare(language="fr") / "train.csv")[2]["wrd"] == "FOTO S VAN DRIE"
    assert any("(changed since: language, spelling)" in message for message in log)


def test_real_recordings(real_data, tmp_path):
    folder = real_data / "CommonVoice"
    if not (folder / "fr").is_dir():
        pytest.skip(f"no French in {folder}")
    prepare_commonvoice(folder, "fr", tmp_path, ["train"], ["dev"], ["test"])
    assert [len(read_csv(tmp_path / f"{split}.csv")) for split in ("train", "dev", "test")] == [
        80,
        10,
        10,
    ]
    assert read_csv(tmp_path / "skipped.csv") == []
    rates = {soundfile.info(row["wav"]).samplerate for row in read_csv(tmp_path / "train.csv")}
    assert 48000 in rates
