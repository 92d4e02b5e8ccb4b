"""Tables of transcripts: utterances to train on, and the command that writes them."""

import csv
from itertools import pairwise

import pytest
import soundfile
from recipe_modules import load_recipe
from tone_words import RATE, speak

from summarymixing_sb.data.manifests import read_manifest
from summarymixing_sb.inference.table import UTTERANCE_SECONDS, as_rows
from summarymixing_sb.inference.transcribe import main
from summarymixing_sb.inference.transcripts import Transcript, Word


def transcript(seconds, *words):
    return Transcript("a.wav", seconds, [Word(*word, 1.0) for word in words], "", "")


def test_a_short_recording_is_one_utterance():
    [row] = as_rows(transcript(9.0, ("A", 1.0, 2.0), ("B", 6.0, 7.0)))
    assert (row["start"], row["end"], row["text"]) == ("", "", "A B")
    assert row["audio"].startswith("/")
    assert not list(as_rows(transcript(9.0)))


def test_a_long_one_is_cut_at_pauses():
    words = [(f"W{number}", 0.5 * number, 0.5 * number + 0.4) for number in range(80)]
    words = [(w, s + (5 if s >= 10 else 0), e + (5 if s >= 10 else 0)) for w, s, e in words]
    rows = list(as_rows(transcript(50.0, *words)))
    times = [(float(row["start"]), float(row["end"])) for row in rows]
    assert " ".join(row["text"] for row in rows) == " ".join(word for word, *_ in words)
    assert times[0] == (0.0, 10.1)  # behind W19 and a fifth of a second, before five of silence
    assert times[1][0] == 14.8
    assert all(end - start <= UTTERANCE_SECONDS + 0.4 for start, end in times)
    assert all(end <= start for (_, end), (start, _) in pairwise(times))


@pytest.mark.parametrize("output", [True, False])
def test_what_is_transcribed_is_trained_on(trained_run, tmp_path, capsys, output):
    sound = tmp_path / "sound"
    sound.mkdir()
    texts = {"short": ["ABLE", "DOG"], "other": ["FOX"], "long": ["BAKER", "FOX", "DOG"] * 9}
    for name, words in texts.items():
        soundfile.write(sound / f"{name}.wav", speak(words), RATE)
    options = ["--output", str(tmp_path / "out")] if output else []
    assert main([str(trained_run), str(sound), "--format", "csv", *options]) == 0
    table = tmp_path / "out" / "transcripts.csv"
    if not output:
        table = tmp_path / "table.csv"
        table.write_text(capsys.readouterr().out)
    with open(table, newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) > 3
    long = [row for row in rows if row["audio"].endswith("long.wav")]
    assert " ".join(row["text"] for row in long).split() == texts["long"]
    prepare = load_recipe("Folder", "folder_prepare").prepare_folder
    prepare(sound, tmp_path / "save", ["train"], ["dev"], ["test"], table)
    prepared = [
        row
        for split in ("train", "dev", "test")
        for row in read_manifest(tmp_path / "save" / f"{split}.csv")
    ]
    assert {row["wrd"] for row in prepared} == {row["text"] for row in rows}
    for row in prepared:
        if row["start"]:
            length = float(row["end"]) - float(row["start"])
            assert float(row["duration"]) == pytest.approx(length)
