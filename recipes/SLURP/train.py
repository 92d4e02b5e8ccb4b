#!/usr/bin/env python3
"""Train and test a model of intents, or of intents and entities, on SLURP.

    python recipes/SLURP/train.py hparams/SLURP/conformer_slu.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import run_experiment

from slurp_prepare import prepare_slurp


def prepare(hparams):
    """Write the CSV files of the splits that the YAML file names."""
    prepare_slurp(
        hparams["data_folder"],
        hparams["manifest_folder"],
        hparams["train_splits"],
        hparams["valid_splits"],
        hparams["test_splits"],
        hparams["recordings"],
        hparams["allow_incomplete_evaluation"],
        hparams.get("allow_overlap", False),
    )


if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
