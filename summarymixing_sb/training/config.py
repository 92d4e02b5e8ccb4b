"""From command line and YAML file to hyperparameters, with errors before anything is built."""

import difflib
import os
from dataclasses import replace
from pathlib import Path

import speechbrain as sb
import torch
from ruamel.yaml import YAML
from speechbrain.utils.run_opts import HELP_TEXTS

from summarymixing_sb.hyperparameters import load_hparams, read_settings  # noqa: F401


def parse_command_line(argv):
    """Split a command line into YAML file, run options and overrides.

    Parameters
    ----------
    argv : list of str
        What follows the name of the script: the YAML file, then ``--key=value``.

    Returns
    -------
    hparams_file : str
    run_opts : speechbrain.utils.run_opts.RunOptions
        Launched by torchrun on a machine without GPU, it asks for the backend gloo.
    overrides : dict
        New values by YAML key.

    Raises
    ------
    FileNotFoundError
        When there is no such YAML file.
    ValueError
        When an option is neither a key of the YAML file nor one of SpeechBrain's run options.
    """
    hparams_file, run_opts, overrides = sb.parse_arguments(argv)
    if not Path(hparams_file).is_file():
        raise FileNotFoundError(f"there is no hyperparameters file {hparams_file}")
    _check_names(hparams_file, argv)
    overrides = {
        # ruamel's floats remember how they were written, and YAML 1.1 does not read 1e-3
        key: float(value) if isinstance(value, float) else value
        for key, value in (YAML().load(overrides) or {}).items()
    }
    if "RANK" in os.environ and not torch.cuda.is_available():
        names = run_opts.overridden_args | {"distributed_backend"}
        run_opts = replace(run_opts, distributed_backend="gloo", overridden_args=names)
    return hparams_file, run_opts, overrides


def check_settings(settings, task):
    """Refuse hyperparameters that cannot work, before data are prepared.

    Parameters
    ----------
    settings : dict
        From :func:`read_settings`.
    task : type
        The Brain of the task, see :mod:`summarymixing_sb.training.tasks`.

    Raises
    ------
    FileNotFoundError
        When `data_folder` or `pretrained_encoder` is no folder.
    ValueError
        For an unknown way to average checkpoints, numbers out of range, or what the task refuses.
    """
    if not Path(settings["data_folder"]).is_dir():
        raise FileNotFoundError(f"data_folder: there is no folder {settings['data_folder']}")
    pretrained = settings.get("pretrained_encoder")
    if pretrained and not Path(pretrained).is_dir():
        raise FileNotFoundError(f"pretrained_encoder: there is no folder {pretrained}")
    if settings["avg_checkpoints_by"] not in ("last", "loss", task.error_key):
        raise ValueError(
            f"avg_checkpoints_by: choose last, loss or {task.error_key}, "
            f"not {settings['avg_checkpoints_by']!r}"
        )
    for key in ("avg_checkpoints", "number_of_epochs"):
        if int(settings[key]) < 1:
            raise ValueError(f"{key} must be at least 1, not {settings[key]}")
    task.check_settings(settings)


def model_identity(settings):
    """Describe the model and its features, without what may change between runs of one model.

    Parameters
    ----------
    settings : dict
        From :func:`read_settings`.

    Returns
    -------
    dict of str to str or number
        Dotted names to values, without dropout rates.
    """
    identity = {}
    _flatten("compute_features", settings["compute_features"], identity)
    for name, part in settings["modules"].items():
        _flatten(name, part, identity)
    return identity


def _check_names(hparams_file, argv):
    """Refuse an option that does not exist, naming those that come close.

    Abbreviations are refused as well: SpeechBrain parses those of its run options, then ignores
    them.
    """
    with open(hparams_file, encoding="utf-8") as stream:
        keys = [key for key in YAML().load(stream) if not key.startswith("__")]
    options = [*HELP_TEXTS, "jit_module_keys", "compile_module_keys"]
    for argument in argv:
        key = argument[2:].split("=", 1)[0]
        if not argument.startswith("--") or key in keys or key in options:
            continue
        close = difflib.get_close_matches(key, [*keys, *options], n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"its keys: {', '.join(keys)}"
        raise ValueError(f"--{key}: {hparams_file} has no key {key}; {hint}")


def _flatten(name, node, into):
    """Collect the leaves of nested dicts and lists under dotted names."""
    if "drop" in name.rsplit(".", 1)[-1]:
        return
    if isinstance(node, dict):
        for key, value in node.items():
            _flatten(f"{name}.{key}", value, into)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            _flatten(f"{name}.{index}", value, into)
    else:
        into[name] = node
