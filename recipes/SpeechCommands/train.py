#!/usr/bin/env python3
"""Train and test a classifier of words on Google Speech Commands.

    python recipes/SpeechCommands/train.py hparams/SpeechCommands/branchformer_small.yaml \
        --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import run_experiment

from speechcommands_prepare import prepare_speechcommands


def prepare(hparams):
    """Write the CSV files of the splits that the YAML file names."""
    keys = ("train_splits", "valid_splits", "test_splits", "classes")
    keys += ("allow_incomplete_evaluation", "allow_overlap")
    prepare_speechcommands(
        hparams["data_folder"],
        hparams["manifest_folder"],
        **{key: hparams[key] for key in keys},
    )


if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
