#!/usr/bin/env python3
"""Train and test a speech recogniser on AISHELL-1.

    python recipes/AISHELL-1/train.py hparams/AISHELL-1/branchformer.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import preparation, run_experiment

from aishell_prepare import prepare_aishell

prepare = preparation(prepare_aishell)

if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
