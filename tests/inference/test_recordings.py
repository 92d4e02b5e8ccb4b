"""Choice of files, problems of a file, names of transcripts."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from summarymixing_sb.data.audio import decode_audio
from summarymixing_sb.inference.recordings import (
    find_recordings,
    output_names,
    stated_seconds,
)


def write(path, seconds=1.0, rate=16000, channels=1):
    """A recording of noise in the format of its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).normal(0, 0.1, (round(seconds * rate), channels))
    soundfile.write(path, noise, rate)
    return path


def test_files_and_folders(tmp_path):
    flac, wav = write(tmp_path / "a" / "ö b.flac"), write(tmp_path / "a" / "c" / "1.WAV")
    mp3 = write(tmp_path / "x.mp3", 1.0, 44100, 2)
    (tmp_path / "a" / "notes.txt").write_text("no recording")
    other = tmp_path / "x.sound"
    other.write_bytes(flac.read_bytes())
    assert find_recordings([tmp_path / "a"]) == [wav, flac]
    assert find_recordings([other, str(tmp_path)]) == [other, wav, flac, mp3]
    assert find_recordings([mp3, tmp_path / "a" / ".." / "x.mp3"]) == [mp3]


def test_nothing_to_find(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*nowhere"):
        find_recordings([tmp_path / "nowhere"])
    with pytest.raises(FileNotFoundError, match=r"no audio file in the folder .*\.flac"):
        find_recordings([tmp_path])


def test_durations(tmp_path):
    assert stated_seconds(write(tmp_path / "a.flac", 1.25)) == 1.25
    assert stated_seconds(write(tmp_path / "a.mp3", 2.0, 48000)) == pytest.approx(2.0, abs=0.1)
    (tmp_path / "text.wav").write_text("no sound")
    assert stated_seconds(tmp_path / "text.wav") == 0.0


def test_any_format_at_the_rate_of_the_model(tmp_path):
    for name, rate, channels in (("a.wav", 16000, 1), ("b.flac", 48000, 2), ("c.mp3", 44100, 2)):
        signal = decode_audio(write(tmp_path / name, 1.5, rate, channels), 16000)
        assert signal.dim() == 1
        assert len(signal) == pytest.approx(24000, abs=1200)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("cut.flac", lambda content: content[: len(content) // 2], r"truncated or damaged"),
        ("text.wav", lambda content: b"this is a text", r"unreadable audio"),
        ("empty.mp3", lambda content: b"", r"empty audio"),
    ],
)
def test_damaged(name, damage, message, tmp_path):
    content = write(tmp_path / "good.flac", 4.0).read_bytes()
    (tmp_path / name).write_bytes(damage(content))
    with pytest.raises(ValueError, match=rf"{name}: {message}"):
        decode_audio(tmp_path / name, 16000)


def test_names_of_two_kinds_of_clash():
    def names(*paths):
        return [name.as_posix() for name in output_names([Path(path) for path in paths])]

    assert names("/d/x/a.wav") == ["a"]
    assert names("/d/x/a.b.wav", "/d/y/c.wav") == ["a.b", "c"]
    assert names("/d/x/a.wav", "/d/x/z/a.wav", "/d/b.wav") == ["x/a", "x/z/a", "b"]
    assert names("/d/x/a.wav", "/d/x/a.flac", "/d/b.wav") == ["x/a.wav", "x/a.flac", "b.wav"]
