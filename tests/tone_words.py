"""Words that are tones, and the training of a tiny recogniser of them, which takes seconds."""

import sys
from pathlib import Path

import numpy as np
import soundfile

from summarymixing_sb.data.manifests import Recording, write_manifests
from summarymixing_sb.training.experiment import run_experiment

HPARAMS = Path(__file__).resolve().parents[1] / "hparams" / "LibriSpeech" / "demo.yaml"
RATE = 16000
WORDS = {"ABLE": 300.0, "BAKER": 700.0, "DOG": 1700.0, "FOX": 3300.0}  # Hz
SIZES = {"train": 64, "dev": 4}
SETTINGS = {
    "token_type": "char",
    "output_neurons": 15,  # 11 letters, the word boundary, unknown, begin, end
    "train_splits": "[train]",
    "valid_splits": "[dev]",
    "test_splits": "[dev]",
    "d_model": 48,
    "nhead": 2,
    "num_encoder_layers": 2,
    "num_decoder_layers": 1,
    "d_ffn": 64,
    "local_hidden": "[32]",
    "local_out": 48,
    "summary_hidden": "[32]",
    "summary_out": 48,
    "number_of_epochs": 5,
    "n_warmup_steps": 30,
    "lr": 0.005,
    "ctc_weight": 0.8,
    "max_batch_length_train": 12,
    "valid_search_interval": 5,
    "fea_augment": "null",
    "speed_changes": "[100]",
    "valid_beam_size": 2,
    "test_beam_size": 2,
    "avg_checkpoints": 2,
    "device": "cpu",
}


def speak(words, rate=RATE, pause=0.25):
    """Say words: a tone of 0.5 s each and a pause after it, in a little noise."""
    draw = np.random.default_rng(len(words))
    times = np.arange(round(0.5 * rate)) / rate
    silence = np.zeros(round(pause * rate))
    parts = [silence]
    for word in words:
        parts += [0.3 * np.sin(2 * np.pi * WORDS[word] * times), silence]
    signal = np.concatenate(parts)
    return signal + draw.normal(0, 0.003, signal.size)


def choose_words(draw, least=2, most=6):
    """Words in a random order."""
    return list(draw.choice(list(WORDS), draw.integers(least, most)))


def _prepare(hparams):
    """Write recordings and the manifests of what is said in them."""
    draw = np.random.default_rng(0)
    recordings = {split: [] for split in SIZES}
    for split, size in SIZES.items():
        for number in range(size):
            words = choose_words(draw)
            file = Path(hparams["data_folder"], f"{split}{number}.wav")
            soundfile.write(file, speak(words), RATE)
            fields = {"spk_id": "one", "wrd": " ".join(words)}
            recordings[split].append(Recording(file.stem, str(file), fields))
    write_manifests(
        hparams["manifest_folder"],
        {split: [split] for split in SIZES},
        {split: [recording.path for recording in found] for split, found in recordings.items()},
        lambda split: (recordings[split], []),
        {},
    )


def train_recogniser(folder):
    """Train in a folder, as a recipe does; return the folder of the run."""
    (folder / "clips").mkdir()
    values = {**SETTINGS, "data_folder": folder / "clips", "output_folder": folder / "run"}
    options = [f"--{key}={value}" for key, value in values.items()]
    hook = sys.excepthook  # SpeechBrain sets one of its own
    try:
        run_experiment([str(HPARAMS), *options, "--noprogressbar"], _prepare)
    finally:
        sys.excepthook = hook
    return folder / "run"
