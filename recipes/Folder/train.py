#!/usr/bin/env python3
"""Train and test a speech recogniser on recordings of one's own.

    python recipes/Folder/train.py hparams/Folder/conformer_ctc.yaml --data_folder=...

Every key of the YAML file can be overridden by ``--key=value``; SpeechBrain's run options
(``--device``, ``--precision``, ``--test_only`` ...) work too. The same command resumes a run.
"""

import sys

from summarymixing_sb.training.experiment import preparation, run_experiment

from folder_prepare import prepare_folder

prepare = preparation(prepare_folder, "table", "audio_column", "text_column")

if __name__ == "__main__":
    run_experiment(sys.argv[1:], prepare)
