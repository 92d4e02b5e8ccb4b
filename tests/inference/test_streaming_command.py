"""Sound from files and pipes, text as it comes, and a report of how fast it was."""

import io
import signal
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from summarymixing_sb.data.audio import decode_audio
from summarymixing_sb.inference.streaming import StreamingRecogniser
from summarymixing_sb.inference.transcribe import main, transcribe_stream

WORDS = ["DOG", "ABLE", "FOX", "BAKER"]
CHUNK = 320  # milliseconds


class Pipe:
    """Standard input, in reads of at most so many bytes; may be interrupted after some."""

    def __init__(self, data, most=10**9, interrupt=None):
        self.stream, self.most, self.left = io.BytesIO(data), most, interrupt

    def read1(self, count):
        if self.left is not None and self.left <= 0:
            self.left = None
            raise KeyboardInterrupt
        data = self.stream.read1(min(count, self.most))
        if self.left is not None:
            self.left -= len(data)
        return data


class Printed(io.StringIO):
    """What is printed, and what of it was seen at each flush."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def flush(self):
        self.seen.append(self.getvalue())


@pytest.fixture
def file(tmp_path, speak):
    path = tmp_path / "four words.wav"
    soundfile.write(path, speak(WORDS), 16000, subtype="PCM_16")
    return path


@pytest.fixture
def raw(file):
    return soundfile.read(file, dtype="int16")[0].astype("<i2").tobytes()


@pytest.fixture
def expected(run, file):
    recogniser = StreamingRecogniser(run, CHUNK)
    text = recogniser.feed(decode_audio(file, 16000)) + (recogniser.finish() or "")
    assert len(text) > 5
    return text


def test_file(run, file, expected, capsys):
    out = Printed()
    report = transcribe_stream(run, decode_audio(file, 16000), CHUNK, out=out)
    assert report["text"] == expected
    assert out.getvalue() == expected + "\n"
    assert len(out.seen) > 3
    assert all(later.startswith(before) for before, later in zip(out.seen, out.seen[1:]))
    assert report["seconds"] == pytest.approx(soundfile.info(file).duration)
    assert 0 < report["real_time_factor"] < 5
    latency = report["latency"]
    assert 0 < latency["median_ms"] <= latency["p95_ms"] <= latency["max_ms"]
    assert latency["algorithmic_ms"] == CHUNK + latency["lookahead_ms"]
    assert report["state_bytes"] > 0
    assert report["interrupted"] is False
    printed, said = capsys.readouterr()
    assert printed == ""
    assert said.count("\n") == 1
    assert f"real-time factor {report['real_time_factor']:.3f}; latency 322.6 ms" in said


def test_long_chunks_write_the_words(run, file):
    report = transcribe_stream(run, decode_audio(file, 16000), 4000, out=io.StringIO())
    assert report["text"] == " ".join(WORDS)


def test_file_of_another_rate(run, tmp_path, speak, capsys):
    path = tmp_path / "cd.flac"
    soundfile.write(path, np.stack([speak(WORDS, 44100)] * 2, axis=1), 44100)
    report = transcribe_stream(run, decode_audio(path, 16000), 4000)
    assert report["text"] == " ".join(WORDS)
    assert capsys.readouterr().out == report["text"] + "\n"


@pytest.mark.parametrize("most", [10**9, 999, 7001])
def test_raw_sound_however_it_comes(run, raw, expected, most):
    report = transcribe_stream(run, Pipe(raw, most), CHUNK, out=io.StringIO())
    assert report["text"] == expected
    assert report["seconds"] == len(raw) / 2 / 16000


def test_interrupt_ends_with_what_was_heard(run, raw, speak, capsys):
    half = 2 * len(speak(WORDS[:2]))
    report = transcribe_stream(run, Pipe(raw, most=1000, interrupt=half), 4000)
    assert report["interrupted"] is True
    assert report["text"] == " ".join(WORDS[:2])
    printed, said = capsys.readouterr()
    assert printed == report["text"] + "\n"
    assert "real-time factor" in said


def test_no_sound_at_all(run, capsys):
    report = transcribe_stream(run, Pipe(b""), CHUNK)
    assert (report["text"], report["seconds"], report["real_time_factor"]) == ("", 0, None)
    assert report["latency"]["median_ms"] is None
    assert "0.0 s of sound; latency" in capsys.readouterr().err


def test_file_that_is_no_sound(trained_run, tmp_path, capsys):
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    assert main([str(trained_run), str(text), "--streaming", str(CHUNK)]) == 1
    assert "text.wav: unreadable audio" in capsys.readouterr().err


def test_pipe_and_control_c_of_a_shell(run, trained_run, raw):
    recogniser = StreamingRecogniser(run, CHUNK)
    # whole chunks: when the text of the last has come, all has been read
    heard = recogniser.missing + 6 * recogniser.chunk_samples
    text = recogniser.feed(torch.frombuffer(bytearray(raw), dtype=torch.int16)[:heard] / 2**15)
    expected = text + (recogniser.finish() or "")
    command = [sys.executable, "-m", "summarymixing_sb.inference.transcribe", str(trained_run), "-"]
    with subprocess.Popen(
        [*command, "--streaming", str(CHUNK)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # as in a shell's foreground, even if this test runs in the background
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        process.stdin.write(raw[: 2 * heard])
        process.stdin.flush()  # and stays open, as a microphone does
        assert process.stdout.read(len(text)).decode() == text
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 0, err.decode()
    assert text + out.decode() == expected + "\n"
    assert "real-time factor" in err.decode().splitlines()[-1]
