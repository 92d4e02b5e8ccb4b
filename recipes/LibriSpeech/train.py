#!/usr/bin/env python3
"""Train and test a speech recogniser on LibriSpeech.

    python recipes/LibriSpeech/train.py hparams/LibriSpeech/conformer.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import preparation, run_experiment

from librispeech_prepare import prepare_librispeech

prepare = preparation(prepare_librispeech)

if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
