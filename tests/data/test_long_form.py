"""Whole recordings from the utterances of a manifest."""

import pytest
import soundfile
import torch

from summarymixing_sb.data.batches import ReadWhole
from summarymixing_sb.data.long_form import join_recordings


def utterance(path, duration, words, **columns):
    return {"wav": str(path), "duration": duration, "wrd": words, "recording": "1-1", **columns}


def test_files_of_their_own_are_read_one_behind_the_other(tmp_path):
    data, parts = {}, []
    for number, samples in enumerate((1600, 800)):
        path = tmp_path / f"1-1-{number}.flac"
        soundfile.write(path, torch.randn(samples).mul(0.1).numpy(), 16000)
        read = ReadWhole({"sample_rate": 16000})
        parts.append(read(str(path), "", ""))
        data[path.stem] = utterance(path, samples / 16000, f"word{number}")
    [(name, item)] = join_recordings(data, "wrd").items()
    assert (name, item["wrd"]) == ("1-1", "word0 word1")
    assert item["duration"] == pytest.approx(0.15)
    assert read(item["wav"], "", "").equal(torch.cat(parts))


def test_a_manifest_that_does_not_tell_recordings():
    with pytest.raises(ValueError, match="which recording a is of"):
        join_recordings({"a": {"wav": "a.wav", "wrd": "word", "duration": 1.0}}, "wrd")
