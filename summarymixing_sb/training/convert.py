"""Run folders made of checkpoints that others trained, to be tested, read and trained on."""

import argparse
import os
import shutil
from pathlib import Path

import speechbrain as sb
import torch
from ruamel.yaml import YAML

from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.data.tokenizer import check_tokenizer, load_tokenizer
from summarymixing_sb.hyperparameters import load_hparams, read_settings
from summarymixing_sb.models.foreign import load_foreign
from summarymixing_sb.training.checkpoints import IDENTITY_FILE
from summarymixing_sb.training.config import parse_command_line
from summarymixing_sb.training.tasks import task_class

#: Of a checkpoint: the model, its normaliser, its tokenizer.
FILES = ("model.ckpt", "normalizer.ckpt", "tokenizer.ckpt")
#: Keys that mean the same in their YAML files, and change outputs without changing a shape.
SHARED_KEYS = (
    *("sample_rate", "n_fft", "win_length", "hop_length", "n_mels"),
    *("nhead", "blank_index", "pad_index", "bos_index", "eos_index"),
)


def convert_checkpoint(checkpoint, run, hparams_file, overrides):
    """Make a run folder of a checkpoint of the original implementation or of SpeechBrain.

    The folder can be tested (``--test_only``), transcribed with, named by ``pretrained_encoder``,
    and trained on, from the first epoch of its YAML file.

    Parameters
    ----------
    checkpoint : str or Path
        Folder with ``model.ckpt``, ``normalizer.ckpt`` and ``tokenizer.ckpt``. If their
        ``hyperparams.yaml`` lies there or in one of the two folders above, it is compared.
    run : str or Path
        The folder to make.
    hparams_file : str or Path
        YAML file of this package that describes the same model.
    overrides : dict
        New values by its keys.

    Returns
    -------
    list of str
        Parameters that were dropped, see :func:`summarymixing_sb.models.foreign.load_foreign`.

    Raises
    ------
    FileExistsError
        If there is something at `run`.
    FileNotFoundError
        If a file of the checkpoint is not there.
    ValueError
        If the checkpoint is of another model than the YAML file, or of this package.
    """
    checkpoint, run = Path(checkpoint), Path(os.path.abspath(run))
    if run.exists():
        raise FileExistsError(f"{run} is there already: name a new folder")
    missing = [name for name in FILES if not (checkpoint / name).is_file()]
    if missing:
        raise FileNotFoundError(f"the checkpoint {checkpoint} has no {', '.join(missing)}")
    if (checkpoint.parent / IDENTITY_FILE).is_file():
        raise ValueError(f"{checkpoint} is a checkpoint of this package: use its run folder")
    tokenizer = load_tokenizer(checkpoint / "tokenizer.ckpt")
    overrides = {
        "data_folder": ".",
        "output_neurons": tokenizer.get_piece_size(),
        "avg_checkpoints": 1,
        "avg_checkpoints_by": "last",
        **overrides,
        "output_folder": str(run),
        "tokenizer_file": str(run / "tokenizer.model"),
    }
    settings = read_settings(hparams_file, overrides)
    check_tokenizer(tokenizer, checkpoint / "tokenizer.ckpt", settings)
    _compare(settings, checkpoint)
    state_dict = torch.load(checkpoint / "model.ckpt", map_location="cpu", weights_only=True)

    # All or nothing: the folder gets its name when it is whole.
    part = run.with_name(f"{run.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        hparams = load_hparams(hparams_file, {**overrides, "output_folder": str(part)})
        task = task_class(settings["task"])
        brain = task(
            Tokens(tokenizer, task.column),
            modules=hparams["modules"],
            opt_class=hparams["opt_class"],
            hparams=hparams,
            run_opts={"device": "cpu"},
            checkpointer=hparams["checkpointer"],
        )
        brain.init_optimizers()
        dropped = load_foreign(brain.model, state_dict)
        brain.checkpointer.custom_save_hooks["normalizer"] = lambda _, path: shutil.copy(
            checkpoint / "normalizer.ckpt", path
        )
        brain.checkpointer.save_checkpoint(meta={"epoch": 0, "converted_from": str(checkpoint)})
        shutil.copy(checkpoint / "tokenizer.ckpt", part / "tokenizer.model")
        sb.create_experiment_directory(str(part), hparams_file, overrides)
        part.rename(run)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return dropped


def _compare(settings, checkpoint):
    """Refuse a YAML file that differs from theirs in what no parameter shows."""
    files = [folder / "hyperparams.yaml" for folder in (checkpoint, *checkpoint.parents[:2])]
    file = next((file for file in files if file.is_file()), None)
    if file is None:
        return
    with open(file, encoding="utf-8") as stream:
        theirs = YAML().load(stream)
    pairs = [(key, key) for key in SHARED_KEYS]
    if settings.get("num_decoder_layers") and "decoder_nhead" not in theirs:
        pairs.append(("nhead", "decoder_nhead"))
    wrong = [
        f"--{ours}={theirs[key]} (not {settings[ours]})"
        for key, ours in pairs
        if isinstance(theirs.get(key), (int, float))
        and ours in settings
        and theirs[key] != settings[ours]
    ]
    if wrong:
        raise ValueError(f"{file} was made with other values; add {' '.join(wrong)}")


def main(argv=None):
    """Command line: ``summarymixing-convert``."""
    parser = argparse.ArgumentParser(
        description="Make a run folder of a checkpoint of the original implementation of "
        "SummaryMixing, or of SpeechBrain.",
        epilog="Behind them, --key=value changes a key of the YAML file.",
    )
    parser.add_argument("checkpoint", help="folder with model, normalizer and tokenizer.ckpt")
    parser.add_argument("run", help="folder to make")
    parser.add_argument("yaml", help="YAML file of this package that describes the model")
    options, rest = parser.parse_known_args(argv)
    try:
        _, _, overrides = parse_command_line([options.yaml, *rest])
        dropped = convert_checkpoint(options.checkpoint, options.run, options.yaml, overrides)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{options.run}: converted; dropped, as no output depends on it: {dropped or 'nothing'}")


if __name__ == "__main__":
    main()
