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

from summarymixing_sb.data.audio import decode_audio
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.transcribe import main
from summarymixing_sb.inference.transcripts import write_transcript


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
        (["{file}", "--window", "nan"], "window must be a number of seconds, not nan"),
        (["{file}", "--window", "inf"], "window must be a number of seconds, not inf"),
        (["{file}", "--overlap", "nan"], "overlap must be 0 or more seconds, not nan"),
        (["{file}", "--batch_seconds", "nan"], "batch_seconds must be above 0, not nan"),
        (["{file}", "--min_score", "2"], "--min_score must be from 0 to 1"),
        (["{file}", "--streaming", "320", "--min_score", "0.5"], "--streaming writes text"),
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


# What must not take the others with it.


def lines_of(out):
    return dict(line.split(": ", 1) for line in out.splitlines())


def test_recordings_that_are_no_sound(trained_run, recordings, tmp_path, capsys):
    folder = tmp_path / "sound"
    sound = np.random.default_rng(0).normal(0, 0.1, 16000)
    opposite = np.stack([sound, -sound], axis=1)
    sound[500] = np.nan
    soundfile.write(folder / "nan.wav", sound, 16000, subtype="FLOAT")
    soundfile.write(folder / "opposite.wav", opposite, 16000)
    (folder / "film.m4a").write_bytes(b"x")
    assert main([str(trained_run), str(folder), "--window", "3", "--overlap", "1"]) == 1
    out, err = capsys.readouterr()
    assert len(lines_of(out)) == len(recordings)
    assert "nan.wav: samples that are no sound" in err
    assert "opposite.wav: channels that cancel each other" in err
    assert "film.m4a: this format is not read; convert it to FLAC" in err


def test_one_of_a_batch_that_fails(trained_run, recordings, tmp_path, capsys, monkeypatch):
    whole = Recogniser.transcribe
    fails = decode_audio(next(iter(recordings)), 16000)

    def transcribe(self, signals):
        if any(torch.equal(signal, fails) for signal in signals):
            raise RuntimeError("out of memory")
        return whole(self, signals)

    monkeypatch.setattr(Recogniser, "transcribe", transcribe)
    assert main([str(trained_run), str(tmp_path / "sound")]) == 1
    out, err = capsys.readouterr()
    path, *others = recordings
    assert lines_of(out) == {str(other): recordings[other] for other in others}
    assert f"not transcribed: {path}: out of memory" in err


def test_an_output_that_cannot_be_written(trained_run, recordings, tmp_path, capsys):
    """Known before the run is loaded."""
    (tmp_path / "file").touch()
    options = ["--output", str(tmp_path / "file" / "folder")]
    assert main(["nowhere", str(tmp_path / "sound"), *options]) == 2
    assert "error: --output: nothing can be written into" in capsys.readouterr().err


def test_a_disk_that_is_full_for_one(trained_run, recordings, tmp_path, capsys, monkeypatch):
    def write(transcript, *rest):
        if transcript.file.endswith("m.mp3"):
            raise OSError(28, "No space left on device")
        write_transcript(transcript, *rest)

    monkeypatch.setattr("summarymixing_sb.inference.transcribe.write_transcript", write)
    options = ["--output", str(tmp_path / "out")]
    assert main([str(trained_run), str(tmp_path / "sound"), *options]) == 1
    assert len(list((tmp_path / "out").rglob("*.txt"))) == len(recordings) - 1
    assert "m.mp3: [Errno 28] No space left on device" in capsys.readouterr().err


def test_folders_reached_by_links(trained_run, recordings, tmp_path, capsys):
    link = tmp_path / "links" / "to"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "sound")
    (tmp_path / "sound" / "circle").symlink_to(tmp_path / "sound")
    assert main([str(trained_run), str(link.parent)]) == 0
    assert sorted(lines_of(capsys.readouterr().out).values()) == sorted(recordings.values())


@pytest.mark.parametrize("kind", ["silence", "offset", "noise"])
def test_no_words_in_what_is_no_speech(trained_run, tmp_path, capsys, kind):
    """Digital silence has none; in others, a model hears unsure ones, which a score drops."""
    noise = np.random.default_rng(1).normal(0, 0.05, 5 * 16000)
    signal = {"silence": 0 * noise, "offset": 0 * noise + 0.2, "noise": noise}[kind]
    soundfile.write(tmp_path / "a.wav", signal, 16000, subtype="FLOAT")
    options = [] if kind == "silence" else ["--min_score", "1"]
    assert main([str(trained_run), str(tmp_path / "a.wav"), *options]) == 0
    assert capsys.readouterr().out == "\n"


def test_scores_keep_what_is_sure(trained_run, recordings, tmp_path, capsys):
    assert main([str(trained_run), str(tmp_path / "sound"), "--min_score", "0.3"]) == 0
    assert sorted(lines_of(capsys.readouterr().out).values()) == sorted(recordings.values())


@pytest.mark.skipif(os.name == "nt", reason="names of files are text there")
def test_names_and_terminals_of_other_encodings(trained_run, tmp_path):
    folder = tmp_path / "ton"
    text = record(folder / "a.wav", 3)
    os.rename(folder / "a.wav", os.fsencode(folder) + b"/t\xf6n.wav")
    (tmp_path / "ü").mkdir()
    (folder / "a").symlink_to(tmp_path / "ü")
    record(tmp_path / "ü" / "b.wav", 4)
    command = [sys.executable, "-m", "summarymixing_sb.inference.transcribe", str(trained_run)]
    done = subprocess.run(
        [*command, str(folder), "--format", "json", "--output", str(tmp_path / "out")],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(file.read_bytes()) for file in (tmp_path / "out").rglob("*.json")]
    assert {entry["text"] for entry in found} > {text}


def test_a_reader_that_closes(trained_run, recordings, tmp_path):
    command = [sys.executable, "-m", "summarymixing_sb.inference.transcribe", str(trained_run)]
    command += [str(tmp_path / "sound"), "--batch_seconds", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read().decode()
    assert process.returncode == 1
    assert "Traceback" not in errors
    assert "RuntimeWarning" not in errors


def test_hotwords(trained_run, tmp_path, capsys):
    """A boost beyond all measure spoils the text; what cannot be is refused by name."""
    file = tmp_path / "words.wav"
    soundfile.write(file, speak(["ABLE", "FOX"]), 16000)
    words = tmp_path / "words.txt"
    words.write_text("DOG\n\nFOX\n")
    arguments = [str(trained_run), str(file), "--hotwords", str(words)]
    beam = ["--decoding", "ctc_prefix_beam"]
    assert main([*arguments, *beam]) == 0
    assert capsys.readouterr().out == "ABLE FOX\n"
    assert main([*arguments, *beam, "--hotword_boost", "1000"]) == 0
    assert capsys.readouterr().out != "ABLE FOX\n"
    bad = tmp_path / "bad.txt"
    bad.write_text("ZEBRA\n")
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    for options, message in (
        (arguments, "hotwords and n-grams need ctc_prefix_beam, not ctc_greedy"),
        ([*arguments[:3], str(bad), *beam], "hotword 'ZEBRA': the tokenizer cannot spell it"),
        ([*arguments[:3], str(empty), *beam], "names no phrase"),
        ([*arguments[:3], str(tmp_path / "no.txt"), *beam], "No such file"),
        ([*arguments, "--streaming", "80"], "--hotwords"),
    ):
        assert main(options) == 2
        assert message in capsys.readouterr().err
