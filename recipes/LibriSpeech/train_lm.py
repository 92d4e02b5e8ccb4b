#!/usr/bin/env python3
"""Train a language model on LibriSpeech's transcripts and on other texts, for a recogniser's tests.

    python recipes/LibriSpeech/train_lm.py hparams/LibriSpeech/lm/transformer.yaml \
        --data_folder=... --tokenizer_file=RUN/save/tokenizer/5000_unigram.model

Its ``output_folder`` is what ``--lm_source`` takes. Every key of the YAML file can be overridden by
``--key=value``, as in train.py. The same command resumes a run.
"""

import sys
from pathlib import Path

from summarymixing_sb.data.manifests import find_files
from summarymixing_sb.data.splits import manifests_of
from summarymixing_sb.data.texts import TRANSCRIPTS
from summarymixing_sb.training.language_model import run_language_model


def find_texts(hparams):
    """Find the text files of training, validation and test."""
    splits = {name: hparams[f"{name}_splits"] for name in ("train", "valid", "test")}
    manifests_of(*splits.values())
    files = {name: _transcripts(hparams["data_folder"], splits[name]) for name in splits}
    files["train"] += [str(file) for file in hparams["train_texts"]]
    return files


def _transcripts(data_folder, splits):
    """List the transcript files of splits."""
    found = []
    for split in splits:
        folder = Path(data_folder, split)
        files = [file for file in find_files(folder, "*/*/*") if file.endswith(TRANSCRIPTS)]
        if not files:
            raise FileNotFoundError(
                f"{folder} holds no <speaker>/<chapter>/*{TRANSCRIPTS}: data_folder is the folder "
                "that holds the splits"
            )
        found += files
    return found


if __name__ == "__main__":
    run_language_model(sys.argv[1:], find_texts)
