#!/usr/bin/env python3
"""Train and test a speech recogniser on recordings of one's own.

    python recipes/Folder/train.py hparams/Folder/conformer_ctc.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import run_experiment

from folder_prepare import prepare_folder


def prepare(hparams):
    """Write the CSV files of the splits that the YAML file names."""
    keys = ("train_splits", "valid_splits", "test_splits", "table", "audio_column", "text_column")
    keys += ("allow_incomplete_evaluation", "allow_overlap")
    prepare_folder(
        hparams["data_folder"],
        hparams["manifest_folder"],
        **{key: hparams[key] for key in keys},
    )


if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
