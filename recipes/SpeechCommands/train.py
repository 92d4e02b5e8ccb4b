#!/usr/bin/env python3
"""Train and test a classifier of words on Google Speech Commands.

    python recipes/SpeechCommands/train.py hparams/SpeechCommands/branchformer_small.yaml \
        --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import preparation, run_experiment

from speechcommands_prepare import prepare_speechcommands

prepare = preparation(prepare_speechcommands, "classes")

if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
