"""Training where processes are not forked: macOS, Windows, and Python 3.14."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from interruptions import OPTIONS, SIZES
from tones import HPARAMS, TINY, make_librispeech

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_trains_with_workers(tmp_path, method):
    corpus = make_librispeech(tmp_path / "LibriSpeech", SIZES)
    script = tmp_path / "train_by.py"
    script.write_text(
        "import multiprocessing, sys\n"
        f"sys.path.insert(0, {str(RECIPES / 'LibriSpeech')!r})\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method(sys.argv.pop(1))\n"
        "    from train import prepare, run_experiment\n"
        "    run_experiment(sys.argv[1:], prepare)\n"
    )
    values = {"data_folder": corpus, "output_folder": tmp_path / "run", **TINY, **OPTIONS}
    values |= {"num_workers": 1, "number_of_epochs": 1}
    command = [sys.executable, str(script), method]
    command += [str(HPARAMS / "LibriSpeech" / "conformer_ctc.yaml"), "--noprogressbar"]
    command += [f"--{key}={value}" for key, value in values.items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "test-mini: WER" in done.stdout
