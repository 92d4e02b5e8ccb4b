"""The benchmark of audio reading compares like with like."""

import csv

import numpy as np
import pytest
import soundfile

from results.benchmark.audio import common_clips, main


def write(folder, name, rate, seconds=1.0):
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, int(rate * seconds))
    soundfile.write(folder / name, noise, rate)


def test_what_is_compared(tmp_path):
    for name in ("a.mp3", "b.mp3", "only_here.mp3"):
        write(tmp_path / "mp3" / "clips", name, 48000)
    for name in ("b.flac", "a.flac", "not_there.flac"):
        write(tmp_path / "flac", name, 16000)
    (tmp_path / "flac" / "a.txt").write_text("no audio")
    first, second = common_clips([tmp_path / "mp3", tmp_path / "flac"])
    assert [path.name for path in first] == ["a.mp3", "b.mp3"]
    assert [path.name for path in second] == ["a.flac", "b.flac"]


def test_folders_without_common_clips(tmp_path):
    write(tmp_path / "a", "x.wav", 16000)
    write(tmp_path / "b", "y.wav", 16000)
    with pytest.raises(ValueError, match=r"no clip is in all folders.*/a: 1.*/b: 1"):
        common_clips([tmp_path / "a", tmp_path / "b"])


def test_longer_clips_take_longer(tmp_path):
    """Clips of one name, 30 times as long in the second folder."""
    for i in range(3):
        write(tmp_path / "short", f"{i}.mp3", 48000, seconds=0.5)
        write(tmp_path / "long", f"{i}.mp3", 48000, seconds=15)
    output = tmp_path / "reading.csv"
    folders = [str(tmp_path / "short"), str(tmp_path / "long")]
    main([*folders, "--clips", "2", "--repeats", "3", "--output", str(output)])
    with open(output, encoding="utf-8") as stream:
        short, long = csv.DictReader(stream)
    assert (short["format"], short["sample_rates"], short["clips"]) == ("MP3", "48000", "2")
    assert float(long["seconds_of_audio"]) == pytest.approx(30, abs=0.2)
    assert float(short["ratio"]) == 1.0
    assert 3 < float(long["ratio"]) < 60
    ratio = float(long["seconds_per_100_clips"]) / float(short["seconds_per_100_clips"])
    assert float(long["ratio"]) == pytest.approx(ratio, rel=0.05)
    assert str(tmp_path) not in output.read_text(encoding="utf-8")
