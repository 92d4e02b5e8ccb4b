"""Strings of digits: every recording once, speakers apart."""

import numpy as np
import pytest
import soundfile

from results.study.digits import NAMES, make_digits
from results.study.real_speech import FINALISTS, digit_systems


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for digit in range(10):
        for speaker in ("ann", "bob", "cid"):
            for index in range(2):
                sound = np.full(800 + 8 * digit, 0.1)
                soundfile.write(folder / f"{digit}_{speaker}_{index}.wav", sound, 8000)
    return folder


def test_strings(recordings, tmp_path):
    assert make_digits(recordings, tmp_path / "digits") == ["ann", "bob", "cid"]
    for number, speaker in enumerate(("ann", "bob", "cid"), 1):
        chapter = tmp_path / "digits" / speaker / str(number) / "1"
        lines = (chapter / f"{number}-1.trans.txt").read_text().splitlines()
        words = [word for line in lines for word in line.split()[1:]]
        assert sorted(words) == sorted(2 * NAMES)
        for line in lines:
            name, *digits = line.split()
            info = soundfile.info(chapter / f"{name}.flac")
            assert info.samplerate == 16000
            expected = sum(2 * (800 + 8 * NAMES.index(digit)) + 1600 for digit in digits)
            assert info.frames == expected
    file = chapter / f"{name}.flac"
    before = file.stat().st_mtime_ns
    make_digits(recordings, tmp_path / "digits")
    assert file.stat().st_mtime_ns == before


def test_no_speaker_is_tested_by_what_heard_it(tmp_path):
    systems = digit_systems(tmp_path, ["ann", "bob", "cid"])
    assert (
        len({(system.name, system.fold) for system in systems})
        == len(systems)
        == 3 * len(FINALISTS)
    )
    for system in systems:
        splits = system.overrides
        assert splits["test_splits"] == [system.fold]
        assert sorted([*splits["train_splits"], system.fold]) == ["ann", "bob", "cid"]


def test_no_recordings(tmp_path):
    with pytest.raises(FileNotFoundError, match="there are no recordings"):
        make_digits(tmp_path, tmp_path / "digits")
