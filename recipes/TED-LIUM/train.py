#!/usr/bin/env python3
"""Train and test a speech recogniser on TED-LIUM.

    python recipes/TED-LIUM/train.py hparams/TED-LIUM/branchformer.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import preparation, run_experiment

from tedlium_prepare import prepare_tedlium

prepare = preparation(prepare_tedlium)

if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
