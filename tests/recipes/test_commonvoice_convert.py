"""Converting MP3 clips to FLAC: the same sound, whole files, and going on where it stopped."""

import numpy as np
import pytest
import soundfile
import torch
from commonvoice_tree import make_language
from recipe_modules import load_recipe

from summarymixing_sb.data.audio import read_audio

recipe = load_recipe("CommonVoice", "convert")
language_folder = load_recipe("CommonVoice", "tables").language_folder
read_table = load_recipe("CommonVoice", "tables").read_table
THREADS = torch.get_num_threads()


@pytest.fixture
def data(tmp_path):
    make_language(tmp_path / "cv", "nl", clips=2)
    return tmp_path / "cv"


@pytest.fixture
def convert(data, tmp_path, capsys):
    """Run the command line; gives the exit status and what was printed."""

    def run(*arguments, languages=("nl",)):
        status = recipe.main([str(data), str(tmp_path / "out"), *languages, *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    yield run
    torch.set_num_threads(THREADS)


def clips(folder):
    return sorted((folder / "nl" / "clips").iterdir())


def test_same_sound_in_the_same_layout(convert, data, tmp_path):
    status, out, _ = convert()
    assert (status, out) == (0, "nl: 6 clips converted, 0 failed\n")
    for before, after in zip(clips(data), clips(tmp_path / "out"), strict=True):
        info = soundfile.info(after)
        assert (info.format, info.subtype, info.samplerate, info.channels) == (
            *("FLAC", "PCM_16", 16000, 1),
        )
        difference = read_audio(before, 16000) - read_audio(after, 16000)
        assert difference.abs().max() <= 2**-15
    for split in ("train", "dev", "test"):
        copy = tmp_path / "out" / "nl" / f"{split}.tsv"
        assert copy.read_bytes() == (data / "nl" / f"{split}.tsv").read_bytes()


def test_the_recipe_takes_the_result(convert, tmp_path):
    convert()
    folder = language_folder(tmp_path / "out", "nl", ["train"])
    rows = read_table(folder, "train", "nl")
    assert [row.file for row in rows] == [str(path) for path in clips(tmp_path / "out")[:2]]
    assert not any(row.problem for row in rows)


def test_loud_clips_do_not_wrap_around(convert, data, tmp_path):
    """What an MP3 decodes to can exceed full scale, where integers would change their sign."""
    loud = np.sign(np.sin(np.arange(48000) * 2 * np.pi * 100 / 48000))
    soundfile.write(clips(data)[0], loud, 48000)
    assert read_audio(clips(data)[0], 16000).abs().max() > 1.05
    convert()
    expected = read_audio(clips(data)[0], 16000).clamp(-1, 1)
    difference = expected - read_audio(clips(tmp_path / "out")[0], 16000)
    assert difference.abs().max() <= 2**-14


def test_it_goes_on_where_it_stopped(convert, tmp_path):
    convert()
    files = clips(tmp_path / "out")
    times = [file.stat().st_mtime_ns for file in files]
    files[2].unlink()
    assert convert()[1] == "nl: 1 clips converted, 0 failed\n"
    assert [file.stat().st_mtime_ns for file in files[:2] + files[3:]] == times[:2] + times[3:]


def test_what_does_not_decode_is_named_and_the_rest_converted(convert, data, tmp_path):
    broken, empty, missing = clips(data)[:3]
    broken.write_bytes(b"<html>404</html>" * 100)
    empty.write_bytes(b"")
    missing.unlink()
    status, out, err = convert()
    assert (status, out) == (1, "nl: 3 clips converted, 3 failed\n")
    for file in (broken, empty, missing):
        assert f"nl: {file.stem} not converted: " in err
    assert len(clips(tmp_path / "out")) == 3  # no half files, no temporary ones
    assert f"clip missing: {missing}" in err


def test_other_splits_and_several_languages(convert, data, tmp_path):
    make_language(data, "it", clips=1)
    status, out, _ = convert("--splits", "test", languages=("nl", "it"))
    assert (status, out) == (
        0,
        "nl: 2 clips converted, 0 failed\nit: 1 clips converted, 0 failed\n",
    )
    assert not (tmp_path / "out" / "nl" / "train.tsv").exists()


def test_mp3_and_flac_in_one_folder(data, convert):
    with pytest.raises(ValueError, match="name another folder"):
        recipe.main([str(data), str(data), "nl"])
