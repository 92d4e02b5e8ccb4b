#!/usr/bin/env python3
"""Train and test a speech recogniser on one language of CommonVoice.

    python recipes/CommonVoice/train.py hparams/CommonVoice/branchformer.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``, the ``--language`` too;
SpeechBrain's run options (``--device``, ``--precision``, ``--test_only`` ...) work too. The same
command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import preparation, run_experiment

from commonvoice_prepare import prepare_commonvoice

prepare = preparation(prepare_commonvoice, "language")

if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
