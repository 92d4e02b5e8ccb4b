"""The command, from files to text and exit status."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch
from tone_words import choose_words, speak

from summarymixing_sb.inference.transcribe import main


def record(path, number, rate=16000, most=6):
    """Write a recording of some words and return them as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words = choose_words(np.random.default_rng(200 + number), 2, most)
    soundfile.write(path, speak(words, rate), rate)
    return " ".join(words)


@pytest.fixture
def recordings(tmp_path):
    """Recordings in several formats and what is said in them, by path."""
    files = (("ein.wav", 16000), ("zwei ü.flac", 16000), ("sub/三.flac", 48000), ("m.mp3", 44100))
    folder = tmp_path / "sound"
    return {
        folder / name: record(folder / name, number, rate)
        for number, (name, rate) in enumerate(files)
    }


def test_one_file_is_its_text(trained_run, recordings, capsys):
    path, text = next(iter(recordings.items()))
    assert main([str(trained_run), str(path)]) == 0
    out, err = capsys.readouterr()
    assert out == f"{text}\n"
    seconds = soundfile.info(path).duration
    assert err.startswith(f"1 recording(s), {seconds:.1f} s (0.00 hours), real-time factor 0.")


def test_a_folder_is_a_line_per_file(trained_run, recordings, tmp_path, capsys):
    assert main([str(trained_run), str(tmp_path / "sound")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sorted(lines) == sorted(f"{path}: {text}" for path, text in recordings.items())


@pytest.mark.parametrize("decoding", ["ctc_greedy", "ctc_prefix_beam", "joint_beam"])
def test_files_of_every_format(decoding, trained_run, recordings, tmp_path):
    formats = ["--format", "txt", "--format", "json", "--format", "srt"]
    output = tmp_path / "out"
    options = [*formats, "--output", str(output), "--decoding", decoding, "--batch_seconds", "5"]
    assert main([str(trained_run), *map(str, recordings), *options]) == 0
    assert len(list(output.iterdir())) == 12
    for path, text in recordings.items():
        assert (output / f"{path.stem}.txt").read_text(encoding="utf-8") == f"{text}\n"
        found = json.loads((output / f"{path.stem}.json").read_text(encoding="utf-8"))
        assert found["text"] == text
        assert found["file"] == str(path)
        assert found["seconds"] == pytest.approx(soundfile.info(path).duration, abs=0.1)
        assert found["decoding"] == decoding
        assert found["model"] == str(trained_run)
        assert [word["word"] for word in found["words"]] == text.split()
        assert (output / f"{path.stem}.srt").read_text(encoding="utf-8").startswith("1\n00:00:00,")


def test_names_that_clash(trained_run, tmp_path):
    sound = tmp_path / "sound"
    texts = {name: record(sound / f"{name}.wav", n) for n, name in enumerate(["a/x", "b/x", "c"])}
    assert main([str(trained_run), str(sound), "--output", str(tmp_path / "out")]) == 0
    for name, text in texts.items():
        assert (tmp_path / "out" / f"{name}.txt").read_text() == f"{text}\n"


def test_damaged_files_are_named_and_the_rest_goes_on(trained_run, recordings, tmp_path, capsys):
    content = (tmp_path / "sound" / "zwei ü.flac").read_bytes()
    (tmp_path / "sound" / "cut.flac").write_bytes(content[: len(content) // 2])
    (tmp_path / "sound" / "text.wav").write_text("not a recording")
    (tmp_path / "sound" / "empty.mp3").write_bytes(b"")
    assert main([str(trained_run), str(tmp_path / "sound")]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == len(recordings)
    assert "sound/cut.flac: truncated or damaged audio" in err
    assert "sound/text.wav: unreadable audio" in err
    assert "sound/empty.mp3: empty audio" in err
    assert "4 recording(s)" in err
    assert "; 3 not transcribed" in err


def test_only_damaged_files(trained_run, tmp_path, capsys):
    (tmp_path / "empty.wav").write_bytes(b"")
    assert main([str(trained_run), str(tmp_path / "empty.wav")]) == 1
    assert "0 recording(s), 0.0 s (0.00 hours); 1 not transcribed" in capsys.readouterr().err


def test_windows(trained_run, tmp_path, capsys):
    text = record(tmp_path / "long.wav", 9, most=30)
    options = ["--window", "4", "--overlap", "1.5"]
    assert main([str(trained_run), str(tmp_path / "long.wav"), *options]) == 0
    assert capsys.readouterr().out == f"{text}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.wav"], "no file or folder nowhere.wav"),
        (["-"], "- (standard input) is for --streaming"),
        (["{file}", "--format", "srt", "--format", "txt"], "add --output"),
        (["{folder}", "--format", "json"], "add --output"),
        (["{file}", "--window", "-1"], "window must be 0 or longer"),
        (["-", "{file}", "--streaming", "320"], "name nothing beside it"),
        (["{file}", "--streaming", "320", "--format", "srt"], "--streaming writes text"),
        (["{file}", "--streaming", "100"], "100"),
    ],
)
def test_wrong_usage(arguments, message, trained_run, recordings, capsys):
    file = next(iter(recordings))
    arguments = [value.format(file=file, folder=file.parent) for value in arguments]
    assert main([str(trained_run), *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err


def test_wrong_usage_of_options(trained_run, recordings, tmp_path, capsys):
    file = str(next(iter(recordings)))
    assert main([str(tmp_path), file]) == 2
    assert "has no hyperparams.yaml" in capsys.readouterr().err
    for option in (["--decoding", "guess"], ["--device", "abacus"]):
        with pytest.raises(SystemExit) as left:
            main([str(trained_run), file, *option])
        assert left.value.code == 2


def test_streams_one_after_the_other(trained_run, recordings, tmp_path, capsys):
    path = next(iter(recordings))
    broken = tmp_path / "empty.wav"
    broken.write_bytes(b"")
    files = [str(path), str(broken), str(tmp_path / "sound" / "m.mp3")]
    assert main([str(trained_run), *files, "--streaming", "640"]) == 1
    out, err = capsys.readouterr()
    assert [line.split(": ")[0] for line in out.splitlines()] == [files[0], files[2]]
    assert "not transcribed: " in err
    assert main([str(trained_run), str(path), "--streaming", "640", "--left_context", "2"]) == 0
    assert str(path) not in capsys.readouterr().out


def test_as_a_command(trained_run, recordings):
    path, text = next(iter(recordings.items()))
    command = [sys.executable, "-m", "summarymixing_sb.inference.transcribe"]
    done = subprocess.run(
        [*command, str(trained_run), str(path)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{text}\n"), done.stderr
