"""Fine-tuning of the demo's model on 20 utterances of one other voice.

``python -m results.benchmark.one_voice RUN --output results/one_voice``, after ``make demo``, with
the run's folder. What is trained goes to ``runs/one_voice``.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from recipes.minicorpora.librispeech import make_librispeech

FOLDER = Path("runs/one_voice")
SEED, SENTENCES = 24, 120
#: Of the sentences of the voice.
SPLITS = {"train-voice": slice(0, 20), "dev-voice": slice(20, 30), "test-voice": slice(30, None)}
#: By the name of the result: what is trained. A rate of next to nothing leaves the model as it is.
TRAININGS = {
    "none": ("--lr=0.000000000001", "--number_of_epochs=1"),
    "full": ("--lr=0.00005", "--number_of_epochs=15"),
    "full_fast": ("--lr=0.0002", "--number_of_epochs=15"),
    "lora": (
        *("--lr=0.001", "--number_of_epochs=15", "--lora_rank=4"),
        "--frozen_parts=[CNN,ctc_lin,seq_lin]",
    ),
}


def make_corpus():
    """Divide the sentences of one voice, in LibriSpeech's layout; return the data folder."""
    sizes = {"train": (1, 1), "dev": (1, 1), "test": (SENTENCES, 1)}
    make_librispeech(FOLDER / "spoken", sizes, SEED, progress=False)
    spoken = FOLDER / "spoken" / "LibriSpeech" / "test-mini"
    lines = [
        (transcript.parent, *line.split(" ", 1))
        for transcript in sorted(spoken.rglob("*.trans.txt"))
        for line in transcript.read_text(encoding="utf-8").splitlines()
    ]
    data = FOLDER / "LibriSpeech"
    shutil.rmtree(data, ignore_errors=True)
    for split, part in SPLITS.items():
        chapter = data / split / "3001" / "1"
        chapter.mkdir(parents=True)
        for folder, name, _ in lines[part]:
            shutil.copy(folder / f"{name}.flac", chapter)
        texts = "".join(f"{name} {text}\n" for _, name, text in lines[part])
        (chapter / "3001-1.trans.txt").write_text(texts, encoding="utf-8")
    return data


def main(argv=None):
    """Train, test, compare, and copy the small results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    common = ["recipes/LibriSpeech/train.py", "hparams/LibriSpeech/demo.yaml", "--noprogressbar"]
    common += [f"--data_folder={make_corpus()}", "--n_warmup_steps=10", "--avg_checkpoints=1"]
    common += ["--train_splits=[train-voice]", "--valid_splits=[dev-voice]"]
    common += ["--test_splits=[test-voice]", f"--pretrained_model={options.run}"]
    common += [f"--tokenizer_file={options.run}/save/tokenizer/250_unigram.model"]
    results = {}
    for name, values in TRAININGS.items():
        folder = FOLDER / name
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, *common, f"--output_folder={folder}", *values]
        subprocess.run(command, check=True)
        results[name] = folder / "results" / "test-voice.json"
        shutil.copy(results[name], output / f"{name}.json")
        if name != "none":
            compare = [sys.executable, "-m", "summarymixing_sb.evaluation.compare"]
            compare += [str(results["none"]), str(results[name]), "--output", str(folder)]
            subprocess.run(compare, check=True)
            shutil.copy(folder / "comparison.txt", output / f"{name}.txt")


if __name__ == "__main__":
    main()
