"""A thousand short files: memory stays flat and time grows in proportion."""

import subprocess
import sys
import time

import numpy as np
import soundfile
from tone_words import choose_words, speak

PROGRAM = """
import sys, time
from pathlib import Path
from summarymixing_sb.inference.transcribe import main
started = time.perf_counter()
status = main(sys.argv[1:])
seconds = time.perf_counter() - started
# not getrusage, which counts what the process that started this one had
[peak] = [x.split()[1] for x in Path("/proc/self/status").open() if x.startswith("VmHWM")]
print(status, seconds, peak)
"""


def measure(run, folder, output):
    """Seconds of the transcription and the highest memory in MB."""
    command = [sys.executable, "-c", PROGRAM, str(run), str(folder), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, seconds, kilobytes = done.stdout.splitlines()[-1].split()
    assert status == "0"
    return float(seconds), int(kilobytes) / 1000


def test_a_thousand_files(trained_run, tmp_path):
    draw = np.random.default_rng(0)
    measured = {}
    for count in (250, 1000):
        folder = tmp_path / str(count)
        folder.mkdir()
        for number in range(count):
            soundfile.write(folder / f"{number}.wav", speak(choose_words(draw, 1, 4)), 16000)
        measured[count] = measure(trained_run, folder, tmp_path / f"out{count}")
        assert len(list((tmp_path / f"out{count}").iterdir())) == count
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "summarymixing_sb.inference.transcribe", "--help"],
        capture_output=True,
        check=True,
    )
    starting = time.perf_counter() - started
    print(f"{measured} (seconds, MB); import and help {starting:.1f} s")
    (few, small), (many, large) = measured[250], measured[1000]
    assert large < small + 100
    assert many < 6 * few + 5
