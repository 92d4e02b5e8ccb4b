#!/usr/bin/env python3
"""Train and test a model of intents, or of intents and entities, on SLURP.

    python recipes/SLURP/train.py hparams/SLURP/conformer_slu.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import preparation, run_experiment

from slurp_prepare import prepare_slurp

prepare = preparation(prepare_slurp, "recordings")

if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
