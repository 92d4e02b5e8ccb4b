"""Training where processes are not forked: macOS, Windows, and Python 3.14.

Python 3.14 starts them by a server of forks, to which all is pickled as to spawned ones.
"""

import os
import subprocess
import sys
from pathlib import Path

from interruptions import OPTIONS, SIZES
from tones import HPARAMS, TINY, make_librispeech

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def test_trains_with_workers(tmp_path):
    corpus = make_librispeech(tmp_path / "LibriSpeech", SIZES)
    script = tmp_path / "train_by.py"
    script.write_text(
        "import multiprocessing, sys\n"
        f"sys.path.insert(0, {str(RECIPES / 'LibriSpeech')!r})\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.set_start_method('spawn')\n"
        "    from train import prepare, run_experiment\n"
        "    run_experiment(sys.argv[1:], prepare)\n"
    )
    values = {"data_folder": corpus, "output_folder": tmp_path / "run", **TINY, **OPTIONS}
    values |= {"num_workers": 1, "number_of_epochs": 1}
    command = [sys.executable, str(script)]
    command += [str(HPARAMS / "LibriSpeech" / "conformer_ctc.yaml"), "--noprogressbar"]
    command += [f"--{key}={value}" for key, value in values.items()]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "test-mini: WER" in done.stdout
