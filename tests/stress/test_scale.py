"""The second start of a training, with nothing to prepare, on as many utterances as LibriSpeech.

The recordings are links to a few files. Measured are the time to the first optimiser step and the
highest memory of the process.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from interruptions import OPTIONS
from tones import HPARAMS, TINY, speak

SIZES = (10_000, 50_000, 281_000)
PROGRAM = """
import sys, time
started = time.perf_counter(), time.process_time()
sys.path[:0] = sys.argv.pop(1).split(":")
from pathlib import Path
from recipe_modules import load_recipe
from summarymixing_sb.training.experiment import run_experiment
from summarymixing_sb.training.tasks.asr import ASRBrain

def stop(brain, batch):
    [peak] = [x.split()[1] for x in Path("/proc/self/status").open() if x.startswith("VmHWM")]
    wall, processor = time.perf_counter() - started[0], time.process_time() - started[1]
    print("first step", wall, processor, int(peak) / 1e6, flush=True)
    raise SystemExit(0)

ASRBrain.fit_batch = stop
run_experiment(sys.argv[1:], load_recipe("LibriSpeech", "train").prepare)
"""


def make_corpus(root, size):
    """Chapters of a hundred utterances each, links to recordings of 1 to 5 s."""
    draw = np.random.default_rng(0)
    sounds = []
    for words in (3, 5, 8, 12):
        numbers = draw.integers(0, 5, words)
        sounds.append((root / f"{words}.flac", numbers))
        soundfile.write(sounds[-1][0], speak(numbers, 0.4), 16000)
    for split, count in (("train-mini", size), ("dev-mini", 4), ("test-mini", 4)):
        for start in range(0, count, 100):
            chapter = root / "LibriSpeech" / split / str(start) / "1"
            chapter.mkdir(parents=True)
            with open(chapter / f"{start}-1.trans.txt", "w", encoding="utf-8") as file:
                for number in range(start, min(start + 100, count)):
                    sound, numbers = sounds[number % len(sounds)]
                    (chapter / f"{split}-{number}.flac").symlink_to(sound)
                    text = " ".join(("ABLE", "BAKER", "CHARLIE", "DOG", "DOG")[i] for i in numbers)
                    file.write(f"{split}-{number} {text}\n")
    return root / "LibriSpeech"


@pytest.mark.parametrize("size", SIZES)
def test_second_start(tmp_path, size):
    corpus = make_corpus(tmp_path, size)
    values = {"data_folder": corpus, "output_folder": tmp_path / "run", **TINY, **OPTIONS}
    # linked files are those of the other splits, too
    values |= {"allow_overlap": True, "max_batch_length_train": 40}
    command = [sys.executable, "-c", PROGRAM, ":".join(sys.path)]
    command += [str(HPARAMS / "LibriSpeech" / "conformer_ctc.yaml"), "--noprogressbar"]
    command += [f"--{key}={value}" for key, value in values.items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for start in ("first", "second"):
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stdout[-3000:]
        [line] = [x for x in done.stdout.splitlines() if x.startswith("first step")]
        wall, processor, gigabytes = map(float, line.split()[2:])
        print(f"\n{size} utterances, {start} start: first step after {wall:.1f} s", end="")
        print(f" ({processor:.1f} s of processor), {gigabytes:.2f} GB", end="")
    assert wall < 60
    assert gigabytes < 3
