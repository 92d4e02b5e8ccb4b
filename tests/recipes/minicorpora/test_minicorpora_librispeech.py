"""The corpus on disk, in LibriSpeech's layout."""

import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from recipes.minicorpora import librispeech
from recipes.minicorpora.librispeech import main, make_librispeech


def transcripts(split_folder):
    """``{FLAC path: transcript}`` of a split, read as LibriSpeech is read."""
    found = {}
    for path in sorted(split_folder.glob("*/*/*.trans.txt")):
        speaker, chapter = path.parent.parent.name, path.parent.name
        assert path.name == f"{speaker}-{chapter}.trans.txt"
        for line in path.read_text().splitlines():
            name, text = line.split(" ", 1)
            assert re.fullmatch(rf"{speaker}-{chapter}-\d{{4}}", name)
            found[path.parent / f"{name}.flac"] = text
    return found


def table(path):
    """Rows of SPEAKERS.TXT or CHAPTERS.TXT."""
    lines = path.read_text().splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line[0] != ";"]


def contents(folder):
    """``{relative path: bytes}`` of all files."""
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_layout(small_corpus, small_sizes):
    output, statistics = small_corpus
    folder = output / "LibriSpeech"
    speakers = {row[0]: row for row in table(folder / "SPEAKERS.TXT")}
    chapters = {(row[1], row[0]): row for row in table(folder / "CHAPTERS.TXT")}
    seen = []
    for split, (sentences, count) in small_sizes.items():
        split_folder = folder / f"{split}-mini"
        found = transcripts(split_folder)
        assert set(found) == set(split_folder.rglob("*.flac"))
        assert len(found) == sentences == statistics[f"{split}-mini"]["sentences"]
        assert len(list(split_folder.iterdir())) == count
        for path in found:
            assert speakers[path.parts[-3]][2] == f"{split}-mini"
            assert chapters[path.parts[-3], path.parts[-2]][3] == f"{split}-mini"
        assert all(re.fullmatch("[A-Z]+( [A-Z]+){4,9}", text) for text in found.values())
        seen += found.values()
    assert len(set(seen)) == len(seen)
    assert {row[1] for row in speakers.values()} == {"F", "M"}


def test_a_long_speaker_has_several_chapters(tmp_path, monkeypatch):
    monkeypatch.setattr(librispeech, "CHAPTER", 3)
    sizes = {"train": (7, 1), "dev": (1, 1), "test": (1, 1)}
    make_librispeech(tmp_path, sizes, workers=1, progress=False)
    folder = tmp_path / "LibriSpeech"
    assert len(transcripts(folder / "train-mini")) == 7
    assert [row[0] for row in table(folder / "CHAPTERS.TXT")][:3] == [
        "100100",
        "100101",
        "100102",
    ]


def test_audio_is_speech_of_a_plausible_length(small_corpus):
    output, statistics = small_corpus
    total = 0
    for split in statistics:
        for path, text in transcripts(output / "LibriSpeech" / split).items():
            info = soundfile.info(path)
            assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
            wave, _ = soundfile.read(path)
            assert 0.2 < len(wave) / 16000 / len(text.split()) < 0.7
            assert 0.19 < np.abs(wave).max() < 0.8
            # frames of 25 ms: loud ones far above the quietest ones
            power = np.mean(wave[: len(wave) // 400 * 400].reshape(-1, 400) ** 2, axis=1)
            assert np.quantile(power, 0.9) > 30 * power.min()
            total += len(wave) / 16000
    assert sum(row["hours"] for row in statistics.values()) * 3600 == pytest.approx(total, abs=1)


def test_same_seed_same_bytes_from_the_command_line_with_other_workers(
    small_corpus, small_sizes, tmp_path
):
    options = ["--seed=3", "--workers=1"]
    for split, (sentences, speakers) in small_sizes.items():
        options += [f"--{split}={sentences}", f"--{split}-speakers={speakers}"]
    command = [sys.executable, "-m", "recipes.minicorpora.librispeech", str(tmp_path)]
    run = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    assert contents(tmp_path) == contents(small_corpus[0])
    assert re.search(r"train-mini +0\.0\d +62 +62 +\d+ +0", run.stdout)


def test_the_corpus_is_made_once(small_corpus, small_sizes, monkeypatch):
    output, statistics = small_corpus
    monkeypatch.setattr(librispeech, "speak_all", None)
    assert make_librispeech(output, small_sizes, seed=3) == statistics
    with pytest.raises(FileExistsError, match="seed is 3, not 4"):
        make_librispeech(output, small_sizes, seed=4)


def test_a_half_written_corpus_is_made_again(small_corpus, small_sizes, tmp_path, monkeypatch):
    monkeypatch.setattr(librispeech, "_write_tables", lambda *_: 1 / 0)
    sizes = {"train": (3, 1), "dev": (1, 1), "test": (1, 1)}
    with pytest.raises(ZeroDivisionError):
        make_librispeech(tmp_path, sizes, workers=1, progress=False)
    monkeypatch.undo()
    make_librispeech(tmp_path, small_sizes, seed=3, progress=False)
    assert contents(tmp_path) == contents(small_corpus[0])


def test_errors_on_the_command_line(small_corpus, tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"error: .* holds another corpus"):
        main([str(small_corpus[0])])
    with pytest.raises(SystemExit, match="error: train needs at least one sentence"):
        main([str(tmp_path), "--train=0"])
    with pytest.raises(SystemExit, match="error: workers must be 1 or more"):
        main([str(tmp_path), "--workers=0"])
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(SystemExit, match=r"pip install .summarymixing-sb\[demo\]"):
        main([str(tmp_path), "--train=2", "--dev=1", "--test=1"])
