"""The command line of a training: run options and overrides, with errors that name the key."""

import difflib
import os
from dataclasses import replace
from pathlib import Path

import speechbrain as sb
import torch
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from speechbrain.utils.run_opts import HELP_TEXTS

from summarymixing_sb.hyperparameters import is_built
from summarymixing_sb.training.keys import KEYS, RUN_OPTIONS

#: Objects of YAML files that null may replace.
OPTIONAL_OBJECTS = ("fea_augment", "speed_perturb", "lm_model")


def parse_command_line(argv):
    """Split a command line into YAML file, run options and overrides.

    Values of keys that are paths or text are taken literally, but for ``~`` and null; others are
    YAML.

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
        When an option is neither a key of the YAML file nor one of SpeechBrain's run options, is
        given twice, or has a value that it cannot have.
    """
    hparams_file, values, flags = _split(argv)
    if not Path(hparams_file).is_file():
        raise FileNotFoundError(f"there is no hyperparameters file {hparams_file}")
    with open(hparams_file, encoding="utf-8") as stream:
        nodes = {k: v for k, v in YAML().load(stream).items() if not k.startswith("__")}
    _check_names(hparams_file, nodes, [*values, *flags])
    given = {name: _read(name, text, nodes.get(name)) for name, text in values.items()}
    for name in flags:
        if name not in RUN_OPTIONS or not RUN_OPTIONS[name].switch:
            raise ValueError(f"--{name} is given no value: give --{name}=...")
        given[name] = True
    options = {name: given.pop(name) for name in RUN_OPTIONS.keys() & given.keys()}
    _, run_opts, _ = sb.parse_arguments([hparams_file])
    if "RANK" in os.environ and not torch.cuda.is_available():
        options["distributed_backend"] = "gloo"
    _check_device(options.get("device"))
    for name in ("jit_module_keys", "compile_module_keys"):
        _check_modules(name, options.get(name) or [], nodes.get("modules", {}))
    return hparams_file, replace(run_opts, **options, overridden_args={*options}), given


def _split(argv):
    """Split a command line into the YAML file, texts by key, and names without a value."""
    hparams_file, values, flags = None, {}, []
    arguments = list(argv)
    while arguments:
        argument = arguments.pop(0)
        if not argument.startswith("--"):
            if hparams_file is not None:
                raise ValueError(
                    f"{argument!r}: what follows {hparams_file} are options, --key=value; put "
                    "quotes around a value with spaces"
                )
            hparams_file = argument
            continue
        name, equals, text = argument[2:].partition("=")
        if name in values or name in flags:
            raise ValueError(f"--{name} is given twice: leave out one of them")
        is_switch = name in RUN_OPTIONS and RUN_OPTIONS[name].switch
        if equals:
            values[name] = text
        elif name in RUN_OPTIONS and RUN_OPTIONS[name].many:
            while arguments and not arguments[0].startswith("--"):
                values[name] = f"{values.get(name, '')} {arguments.pop(0)}"
        elif is_switch or not arguments or arguments[0].startswith("--"):
            flags.append(name)
        else:
            values[name] = arguments.pop(0)
    if hparams_file is None:
        raise ValueError("name a YAML file of hyperparameters: train.py hparams/... --key=value")
    return hparams_file, values, flags


def _read(name, text, node):
    """Read the text of a command line as the value of a key, whose node the YAML file has."""
    key = KEYS.get(name) or RUN_OPTIONS.get(name)
    if key is not None and key.many and "[" not in text:
        value = text.split()
    elif key is not None and key.literal:
        value = None if text == "null" else os.path.expanduser(text)
    else:
        try:
            value = YAML().load(text)
        except YAMLError as error:
            wanted = key.wants if key else "YAML"
            raise ValueError(f"{name}: give {wanted}, not {text!r}") from error
        # ruamel's floats remember how they were written, and YAML 1.1 does not read 1e-3
        value = float(value) if isinstance(value, float) else value
    if key is not None and (problem := key.problem(name, value)):
        raise ValueError(problem)
    if key is None and is_built(node) and not is_built(value):
        if value is not None:
            raise ValueError(f"{name} is an object: give !new: and a class, not {text!r}")
        if name not in OPTIONAL_OBJECTS:
            raise ValueError(
                f"{name} is an object that is needed: give !new: and a class, not null"
            )
    return value


def _check_device(device):
    """Refuse a device that is not there."""
    if device is None:
        return
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device: give cpu, cuda or cuda:0, not {device!r}") from error
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device: there is no {device}, torch finds {torch.cuda.device_count()} GPUs; give "
            "another one, or cpu"
        )


def _check_modules(option, names, modules):
    """Refuse names that are not in the YAML file's `modules`."""
    for name in names:
        if name not in modules:
            raise ValueError(
                f"{option}: there is no module {name}; give some of {', '.join(modules)}"
            )


def _check_names(hparams_file, nodes, names):
    """Refuse an option that does not exist, naming those that come close.

    Abbreviations are refused as well: SpeechBrain parses those of its run options, then ignores
    them.
    """
    options = {*HELP_TEXTS, "jit_module_keys", "compile_module_keys"}
    for key in names:
        if key in nodes or key in options:
            continue
        close = difflib.get_close_matches(key, [*nodes, *options], n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else f"its keys: {', '.join(nodes)}"
        raise ValueError(f"--{key}: {hparams_file} has no key {key}; {hint}")
