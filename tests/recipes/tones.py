"""Corpora in which a word is a tone: a small model learns them in seconds."""

from pathlib import Path

import numpy as np
import soundfile
from recipe_modules import load_recipe

from summarymixing_sb.training.experiment import run_experiment

HPARAMS = Path(__file__).resolve().parents[2] / "hparams"
FREQUENCIES = (300.0, 700.0, 1500.0, 2300.0, 3300.0)  # Hz
NOISE = np.random.default_rng(0)
#: Overrides that make any model small.
TINY = {
    "d_model": 32,
    "nhead": 2,
    "num_encoder_layers": 1,
    "d_ffn": 32,
    "local_hidden": "[16]",
    "local_out": 32,
    "summary_hidden": "[16]",
    "summary_out": 32,
    "max_batch_length_train": 12,
    "num_workers": 0,
    "fea_augment": "null",
    "device": "cpu",
}


def speak(numbers, seconds, rate=16000):
    """Say words by their number, in a little noise."""
    times = np.arange(round(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * FREQUENCIES[number] * times) for number in numbers]
    signal = 0.3 * np.concatenate(tones)
    return signal + NOISE.normal(0, 0.01, signal.size)


def train(dataset, hparams, data_folder, output_folder, *flags, **overrides):
    """Run a recipe in this process; an override of None leaves one of `TINY` away."""
    values = {"data_folder": data_folder, "output_folder": output_folder, **TINY, **overrides}
    options = [f"--{key}={value}" for key, value in values.items() if value is not None]
    command = [str(HPARAMS / dataset / hparams), *options, "--noprogressbar", *flags]
    return run_experiment(command, load_recipe(dataset, "train").prepare)


def make_librispeech(root, sizes, seconds=0.4):
    """Write tones in LibriSpeech's layout, so many utterances of three to five words a split."""
    words = ("ABLE", "BAKER", "CHARLIE", "DOG")
    draw = np.random.default_rng(0)
    for speaker, (split, size) in enumerate(sizes.items(), 1):
        folder = root / split / str(speaker) / "1"
        folder.mkdir(parents=True)
        lines = []
        for number in range(size):
            numbers = draw.integers(0, len(words), draw.integers(3, 6))
            name = f"{speaker}-1-{number:04d}"
            soundfile.write(folder / f"{name}.flac", speak(numbers, seconds), 16000)
            lines.append(f"{name} {' '.join(words[number] for number in numbers)}\n")
        (folder / f"{speaker}-1.trans.txt").write_text("".join(lines))
    return root
