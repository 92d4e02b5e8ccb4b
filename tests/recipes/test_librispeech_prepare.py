"""Preparing LibriSpeech: trees made here, whole, broken in every way, and changed afterwards."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recipe_modules import load_recipe

from summarymixing_sb.data.manifests import probe_audio

prepare_librispeech = load_recipe("LibriSpeech", "librispeech_prepare").prepare_librispeech


def write_flac(path, seconds=0.5, rate=16000, channels=1):
    samples = np.random.default_rng(0).normal(0, 0.1, (int(seconds * rate), channels))
    soundfile.write(path, samples, rate)


def make_split(root, split, speakers=2, utterances=3):
    """A split in LibriSpeech's layout; utterance number i lasts (i + 1) / 4 s."""
    for speaker in range(10, 10 + speakers):
        chapter = root / split / str(speaker) / "7"
        chapter.mkdir(parents=True)
        lines = []
        for i in range(utterances):
            name = f"{speaker}-7-{i:04d}"
            write_flac(chapter / f"{name}.flac", (i + 1) / 4)
            lines.append(f"{name} A TONE NUMBER {'ABC'[i % 3]}\n")
        (chapter / f"{speaker}-7.trans.txt").write_text("".join(lines))


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "LibriSpeech"
    make_split(root, "train-a")
    make_split(root, "dev-a", speakers=1)
    return root


@pytest.fixture
def prepare(data, tmp_path, log):
    """Prepare `data`; gives the folder of the CSV files."""

    def run(train=("train-a",), dev=("dev-a",), test=(), data_folder=data):
        save = tmp_path / "save"
        log.clear()
        prepare_librispeech(data_folder, save, list(train), list(dev), list(test))
        return save

    return run


def test_csv_columns_and_content(prepare, data):
    save = prepare()
    with open(save / "train.csv") as file:
        assert file.readline().strip() == "ID,duration,wav,spk_id,recording,wrd"
    rows = read_csv(save / "train.csv")
    assert [row["ID"] for row in rows] == [f"{s}-7-{i:04d}" for s in (10, 11) for i in range(3)]
    assert rows[4] == {
        "ID": "11-7-0001",
        "duration": "0.5",
        "wav": str(data / "train-a" / "11" / "7" / "11-7-0001.flac"),
        "spk_id": "11",
        "recording": "11-7",
        "wrd": "A TONE NUMBER B",
    }
    assert len(read_csv(save / "dev-a.csv")) == 3
    assert read_csv(save / "skipped.csv") == []
    assert not list(save.glob(".*"))  # no temporary file stays


def test_csv_is_what_speechbrain_reads(prepare):
    from speechbrain.dataio.dataio import load_data_csv

    rows = load_data_csv(str(prepare() / "train.csv"))
    assert rows["10-7-0002"]["duration"] == 0.75


def test_relative_data_folder_gives_absolute_paths(prepare, data, monkeypatch):
    monkeypatch.chdir(data.parent)
    rows = read_csv(prepare(data_folder="LibriSpeech") / "train.csv")
    assert all(Path(row["wav"]).is_absolute() and Path(row["wav"]).exists() for row in rows)


def test_log_sums_up_each_split(prepare, log):
    prepare()
    assert "train-a: 6 utterances, 0.00 h, 2 speakers; 0 skipped" in log
    assert "dev-a: 3 utterances, 0.00 h, 1 speakers; 0 skipped" in log


def test_several_training_splits_are_merged(prepare, data):
    make_split(data, "train-b", speakers=1, utterances=1)
    rename = data / "train-b" / "10" / "7"
    (rename / "10-7-0000.flac").rename(rename / "10-7-0100.flac")
    (rename / "10-7.trans.txt").write_text("10-7-0100 LAST\n")
    rows = read_csv(prepare(train=["train-a", "train-b"]) / "train.csv")
    assert len(rows) == 7
    assert rows[-1]["wrd"] == "LAST"


def test_test_splits_alone_suffice(prepare):
    save = prepare(train=[], dev=[], test=["dev-a"])
    assert sorted(path.name for path in save.glob("*.csv")) == ["dev-a.csv", "skipped.csv"]


# Each breaks the first utterance of train-a and gives the reason that must be reported.
def no_audio(flac, transcript):
    flac.unlink()
    return "transcript without audio"


def no_transcript(flac, transcript):
    transcript.write_text("".join(transcript.read_text().splitlines(keepends=True)[1:]))
    return "audio without transcript"


def no_words(flac, transcript):
    transcript.write_text(transcript.read_text().replace(" A TONE NUMBER A", ""))
    return "transcript without words"


def no_bytes(flac, transcript):
    flac.write_bytes(b"")
    return "empty audio"


def no_samples(flac, transcript):
    """The header of a FLAC that states zero samples, and no frame after it."""
    header = bytearray(flac.read_bytes()[:42])
    header[4] |= 0x80  # "the last metadata block"
    header[21] &= 0xF0
    header[22:26] = bytes(4)
    flac.write_bytes(header)
    return "empty audio"


def truncated(flac, transcript):
    content = flac.read_bytes()
    flac.write_bytes(content[: len(content) * 9 // 10])
    assert soundfile.info(flac).frames == 4000  # which is why headers are not enough
    return "truncated or damaged audio"


def damaged(flac, transcript):
    content = bytearray(flac.read_bytes())
    content[len(content) // 2] ^= 0xFF
    flac.write_bytes(content)
    return "truncated or damaged audio"


def not_audio(flac, transcript):
    flac.write_text("<html>404</html>" * 10)
    return "unreadable audio"


def dangling(flac, transcript):
    flac.unlink()
    flac.symlink_to("nowhere.flac")
    return "unreadable audio"


def wrong_rate(flac, transcript):
    write_flac(flac, rate=8000)
    return "wrong sample rate: 8000 Hz, not 16000 Hz"


def stereo(flac, transcript):
    write_flac(flac, channels=2)
    return "more than one channel: 2 channels"


BREAKS = [
    no_audio,
    no_transcript,
    no_words,
    no_bytes,
    no_samples,
    truncated,
    damaged,
    not_audio,
    dangling,
    wrong_rate,
    stereo,
]


@pytest.mark.parametrize("break_it", BREAKS)
def test_broken_recording_is_named_counted_and_skipped(break_it, prepare, data, log):
    chapter = data / "train-a" / "10" / "7"
    reason = break_it(chapter / "10-7-0000.flac", chapter / "10-7.trans.txt")
    save = prepare()
    assert "10-7-0000" not in [row["ID"] for row in read_csv(save / "train.csv")]
    assert len(read_csv(save / "train.csv")) == 5
    (report,) = read_csv(save / "skipped.csv")
    assert (report["ID"], report["split"]) == ("10-7-0000", "train-a")
    assert report["path"].startswith(str(chapter / "10-7"))
    assert report["reason"].startswith(reason)
    assert f"train-a: 1 skipped, {reason.split(':')[0]}: 10-7-0000" in log
    assert "train-a: 5 utterances, 0.00 h, 2 speakers; 1 skipped" in log


def test_truncation_is_seen_wherever_it_happens(data):
    flac = data / "train-a" / "10" / "7" / "10-7-0000.flac"
    content = flac.read_bytes()
    assert probe_audio(str(flac), 16000)[:3] == (0.25, "", "")
    for length in range(0, len(content) - 1, 97):
        flac.write_bytes(content[:length])
        assert probe_audio(str(flac), 16000)[1], f"{length} of {len(content)} bytes pass"


def test_probe_takes_other_formats_at_any_rate(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, 44100)
    for suffix in ("wav", "mp3"):
        path = tmp_path / f"noise.{suffix}"
        soundfile.write(path, samples, 44100)
        seconds, problem, *_ = probe_audio(str(path))
        assert problem == ""
        assert seconds == pytest.approx(1.0, abs=0.1)  # an MP3 is padded to whole frames


def test_second_transcript_is_skipped(prepare, data):
    transcript = data / "train-a" / "10" / "7" / "10-7.trans.txt"
    transcript.write_text(transcript.read_text() + "10-7-0000 OTHER WORDS\n")
    save = prepare()
    assert read_csv(save / "train.csv")[0]["wrd"] == "A TONE NUMBER A"
    assert read_csv(save / "skipped.csv")[0]["reason"] == "second transcript"


def test_hidden_files_are_ignored(prepare, data):
    chapter = data / "train-a" / "10" / "7"
    (chapter / "._10-7.trans.txt").write_bytes(b"\xff\xfe\x00")
    (chapter / "._10-7-0000.flac").write_bytes(b"\x00")
    assert read_csv(prepare() / "skipped.csv") == []


def test_log_names_ten_and_the_file_all(prepare, data, log):
    for i in range(12):
        write_flac(data / "train-a" / "10" / "7" / f"10-7-1{i:03d}.flac")
    save = prepare()
    (line,) = [message for message in log if "audio without transcript" in message]
    assert "10-7-1009, and 2 more in" in line
    assert "10-7-1010" not in line
    assert len(read_csv(save / "skipped.csv")) == 12


def test_split_without_usable_recording_is_refused(prepare, data, tmp_path):
    for flac in (data / "dev-a").glob("*/*/*.flac"):
        flac.write_bytes(b"")
    with pytest.raises(ValueError, match=r"'dev-a': 3 x empty audio\. For example .*\.flac"):
        prepare()
    assert not list((tmp_path / "save").iterdir())


def test_refused_preparation_keeps_the_earlier_files(prepare, data):
    save = prepare()
    before = {path.name: path.read_bytes() for path in save.iterdir()}
    for flac in (data / "dev-a").glob("*/*/*.flac"):
        flac.unlink()
    with pytest.raises(ValueError, match="transcript without audio"):
        prepare()
    assert {path.name: path.read_bytes() for path in save.iterdir()} == before


def test_same_id_in_two_training_splits_is_refused(prepare, data):
    make_split(data, "train-copy", speakers=1)
    with pytest.raises(ValueError, match=r"train\.csv have the same ID '10-7-0000'.*train-copy"):
        prepare(train=["train-a", "train-copy"])


def test_transcript_that_is_not_text_is_refused(prepare, data):
    (data / "train-a" / "10" / "7" / "10-7.trans.txt").write_bytes(b"10-7-0000 \xff\xfe\n")
    with pytest.raises(ValueError, match=r"10-7\.trans\.txt is not UTF-8"):
        prepare()


# What the data folder may be instead of the right one.


def test_missing_split_is_named_with_those_there(prepare, data):
    with pytest.raises(FileNotFoundError, match=r"split\(s\) test-x\. .*there: dev-a, train-a"):
        prepare(test=["test-x"])


@pytest.mark.parametrize("wrong", ["..", "train-a", "train-a/10", "train-a/10/7"])
def test_folder_some_levels_off_gets_a_hint(wrong, prepare, data):
    folder = Path(os.path.normpath(data / wrong))
    with pytest.raises(FileNotFoundError) as error:
        prepare(data_folder=folder)
    text = str(error.value)
    assert f"data_folder {folder}:" in text
    assert f"{folder}/<split>/<speaker>/<chapter>/*.trans.txt" in text
    assert f"--data_folder={data} ?" in text


def test_folder_without_librispeech(prepare, tmp_path):
    (tmp_path / "other").mkdir()
    with pytest.raises(FileNotFoundError, match="LibriSpeech is not in data_folder") as error:
        prepare(data_folder=tmp_path / "other")
    assert "Did you mean" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        prepare(data_folder=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        (("train-a", ["dev-a"], []), r"train_splits must be a list of splits: \[train-a\]"),
        ((["train-a"], None, []), "valid_splits must be a list"),
        ((["train-a", "train-a"], [], []), "train_splits names a split twice"),
        ((["../LibriSpeech/train-a"], [], []), "is not the name of a split"),
        (([], [], []), "all empty"),
        ((["train-a"], ["train"], []), "train on it alone"),
    ],
)
def test_splits_that_cannot_be_meant(splits, message, data, tmp_path):
    with pytest.raises(ValueError, match=message):
        prepare_librispeech(data, tmp_path / "save", *splits)


def test_evaluating_on_training_data_is_refused_unless_asked(prepare, data, tmp_path):
    """By recording: also in a split of another name, reached by a link."""
    with pytest.raises(ValueError, match=r"6 of train-a \(10-7-0000.*allow_overlap=True"):
        prepare(test=["train-a"])
    (data / "copy").symlink_to(data / "train-a")
    with pytest.raises(ValueError, match="6 of copy"):
        prepare(test=["copy"])
    splits = ["train-a"], [], ["copy"]
    prepare_librispeech(data, tmp_path / "asked", *splits, allow_overlap=True)
    assert (tmp_path / "asked" / "copy.csv").is_file()


# What a transcript file may hold.


def test_a_byte_order_mark_and_tabs(prepare, data):
    """Neither costs an utterance."""
    before = read_csv(prepare() / "train.csv")
    [transcript] = (data / "train-a" / "10" / "7").glob("*.trans.txt")
    text = transcript.read_text().replace(" ", "\t", 1).replace("\n", "\r\n")
    transcript.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_csv(prepare() / "train.csv") == before


@pytest.mark.parametrize("character", ["\u2028", "\x85", "\x0c", "\x0b", "\x1d"])
def test_a_line_ends_where_its_file_says(prepare, data, character):
    before = read_csv(prepare() / "train.csv")
    [transcript] = (data / "train-a" / "10" / "7").glob("*.trans.txt")
    first, second, *rest = transcript.read_text().split(" ")
    assert rest
    transcript.write_text(" ".join([first, second + character + rest[0], *rest[1:]]))
    assert read_csv(prepare() / "train.csv") == before


def test_suffixes_in_capitals_and_of_other_formats(prepare, data):
    before = [row["ID"] for row in read_csv(prepare() / "train.csv")]
    first, second, *_ = sorted((data / "train-a").rglob("*.flac"))
    first.rename(first.with_suffix(".FLAC"))
    signal, rate = soundfile.read(second)
    soundfile.write(second.with_suffix(".wav"), signal, rate)
    second.unlink()
    assert [row["ID"] for row in read_csv(prepare() / "train.csv")] == before


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_samples_that_are_no_sound(prepare, data, bad, log):
    first = min((data / "train-a").rglob("*.flac"))
    signal, rate = soundfile.read(first)
    signal[10] = bad
    soundfile.write(first.with_suffix(".wav"), signal, rate, subtype="FLOAT")
    first.unlink()
    assert first.stem not in [row["ID"] for row in read_csv(prepare() / "train.csv")]
    assert any("samples that are no sound" in line and first.stem in line for line in log)


def test_odd_sounds_are_counted(prepare, data, log):
    silent, clipped, click, *_ = sorted((data / "train-a").rglob("*.flac"))
    length = 16000
    impulse = np.zeros(length)
    impulse[length // 2] = 0.9
    loud = np.clip(3 * np.sin(np.arange(length) / 20), -1, 1)
    for file, signal in ((silent, np.zeros(length)), (clipped, loud), (click, impulse)):
        soundfile.write(file, signal, 16000)
    prepare()
    assert "train-a: used all the same, of odd sound: 1 clicks, 1 clipped, 1 silent" in log


def test_manifests_carry_any_text(prepare, data):
    folder = data / "train-a" / "10" / "7"
    [transcript] = folder.glob("*.trans.txt")
    template = min(folder.glob("*.flac")).read_bytes()
    names = {"a$b": "$HOME", 'quo"te': "it's", "käse": "é", "a,b;c": "#1: [x]", "$data_root": "y"}
    with transcript.open("a", encoding="utf-8") as file:
        for name, words in names.items():
            (folder / f"{name}.flac").write_bytes(template)
            file.write(f"{name} {words}\n")
    found = {row["ID"]: row for row in read_csv(prepare() / "train.csv")}
    for name, words in names.items():
        assert found[name]["wrd"] == words.upper()
        assert Path(found[name]["wav"]).stem == name


# When it prepares again.


def prepared_again(log):
    return any(message.startswith("Preparing the data") for message in log)


def test_nothing_changed_nothing_done(prepare, log):
    save = prepare()
    assert prepared_again(log)
    times = {path.name: path.stat().st_mtime_ns for path in save.iterdir()}
    prepare()
    assert not prepared_again(log)
    assert "train-a: 6 utterances, 0.00 h, 2 speakers; 0 skipped" in log
    assert {path.name: path.stat().st_mtime_ns for path in save.iterdir()} == times


def test_changed_transcript(prepare, data, log):
    prepare()
    transcript = data / "train-a" / "10" / "7" / "10-7.trans.txt"
    transcript.write_text(transcript.read_text().replace("TONE", "NOTE"))  # the same size
    os.utime(transcript, ns=(0, transcript.stat().st_mtime_ns + 1))  # however coarse the clock
    assert read_csv(prepare() / "train.csv")[0]["wrd"] == "A NOTE NUMBER A"


def test_changed_audio_added_audio_and_removed_audio(prepare, data):
    prepare()
    chapter = data / "train-a" / "10" / "7"
    write_flac(chapter / "10-7-0000.flac", 2.0)
    assert read_csv(prepare() / "train.csv")[0]["duration"] == "2.0"
    write_flac(chapter / "10-7-0009.flac")
    assert len(read_csv(prepare() / "skipped.csv")) == 1
    (chapter / "10-7-0000.flac").unlink()
    assert len(read_csv(prepare() / "train.csv")) == 5


def test_changed_splits_leave_no_csv_of_before(prepare, data, log):
    save = prepare()
    make_split(data, "test-a", speakers=1)
    prepare(dev=[], test=["test-a"])
    assert any("(changed since: complete, manifests)" in message for message in log)
    assert (save / "test-a.csv").exists()
    assert not (save / "dev-a.csv").exists()


@pytest.mark.parametrize("name", ["train.csv", "skipped.csv", "preparation.json"])
def test_edited_halved_or_removed_output(name, prepare):
    save = prepare()
    good = (save / name).read_bytes()
    (save / name).write_bytes(good[: len(good) // 2])
    prepare()
    assert (save / name).read_bytes() == good
    (save / name).unlink()
    prepare()
    assert (save / name).read_bytes() == good


def test_interruption_while_writing_leaves_whole_files(prepare, data, monkeypatch):
    save = prepare()
    good = (save / "train.csv").read_bytes()
    write_flac(data / "train-a" / "10" / "7" / "10-7-0000.flac", 2.0)

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(csv.DictWriter, "writerows", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare()
    assert (save / "train.csv").read_bytes() == good
    assert not list(save.glob(".*"))
    prepare()
    assert read_csv(save / "train.csv")[0]["duration"] == "2.0"


def test_real_recordings(real_data, tmp_path):
    folder = real_data / "LibriSpeech"
    if not (folder / "dev-clean").is_dir():
        pytest.skip(f"no dev-clean in {folder}")
    prepare_librispeech(folder, tmp_path, [], ["dev-clean"], [])
    rows = read_csv(tmp_path / "dev-clean.csv")
    assert len(rows) == 198
    assert sum(float(row["duration"]) for row in rows) / 3600 == pytest.approx(0.40, abs=0.005)
    assert read_csv(tmp_path / "skipped.csv") == []
