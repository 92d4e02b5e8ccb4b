"""Start a model from another one: its parameters, or those of some parts; freeze some parts."""

import json
from pathlib import Path

import torch
from speechbrain.utils.distributed import run_on_main
from speechbrain.utils.logger import get_logger

from summarymixing_sb.files import atomic_open, digest
from summarymixing_sb.hub import (
    EXPORT_FILE,
    MODEL_FILE,
    NORMALIZER_FILE,
    TOKENIZER_FILE,
    find_folder,
)
from summarymixing_sb.models.checkpointer import Checkpointer, progress
from summarymixing_sb.models.checkpoints import average_parameters
from summarymixing_sb.training.checkpoints import IDENTITY_FILE

logger = get_logger(__name__)

FRONT_END = "CNN."
# The front end, then of the Transformer what stands before its decoder
ENCODER = (FRONT_END, "Transformer.custom_src_module.", "Transformer.encoder.")
# What has a row or a column for each piece or label
OUTPUTS = (
    *("Transformer.custom_tgt_module.", "predictor.embedding."),
    *("ctc_lin.", "seq_lin.", "transducer_lin.", "label_lin."),
)


def load_pretrained(key, source, model, normalizer, output_folder, parts=None, targets=None):
    """Give a model parameters of another one of this package.

    Parameters of the same name and shape are taken; those of each piece or label only if both have
    the same tokenizer or labels. Which those are, and which are not, is written to ``<key>.txt`` in
    the output folder, and summed up in the log. The normaliser comes along where the whole front
    end does.

    Parameters
    ----------
    key : str
        The YAML key that asked for it, for messages.
    source : str or Path
        The ``output_folder`` of a run, whose checkpoints of whole epochs are averaged; the folder
        of an exported model; or owner/name on the hub.
    model : ModelParts
        Receives the parameters.
    normalizer : InputNormalization
        Receives the statistics.
    output_folder : str or Path
        Where the report goes.
    parts : sequence of str, optional
        How the names of the parameters begin that are wanted, as ``Transformer.encoder``; all of
        them if None.
    targets : str, optional
        The digest of this model's tokenizer or labels.

    Raises
    ------
    FileNotFoundError
        When there is no such folder, or no checkpoint of a whole epoch in it.
    ValueError
        When no parameter matches, or a part is of no parameter.
    """
    try:
        folder = find_folder(source)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{key}: {error}") from error
    exported = (folder / EXPORT_FILE).is_file()
    theirs, their_targets, load_normalizer = (_of_export if exported else _of_run)(key, folder)
    state = model.state_dict()
    prefixes = tuple(f"{part.rstrip('.')}." for part in parts or ())
    for prefix in prefixes:
        require_part("pretrained_parts", prefix, state)
    ours = {name: x for name, x in state.items() if parts is None or name.startswith(prefixes)}
    same_targets = targets is not None and targets == their_targets
    problems = {name: _problem(value, theirs.get(name)) for name, value in ours.items()}
    if not same_targets:
        other = {name: "of another tokenizer" for name in ours if name.startswith(OUTPUTS)}
        problems |= other
    matched = [name for name, problem in problems.items() if not problem]
    if not matched:
        raise ValueError(
            f"{key}: no parameter of {source} has the name and shape of one here; do "
            "encoder_module, d_model and the mixer agree?"
        )
    model.load_state_dict({name: theirs[name] for name in matched}, strict=False)
    front_end = [problem for name, problem in problems.items() if name.startswith(FRONT_END)]
    if front_end and not any(front_end):
        load_normalizer(normalizer)
    unused = [
        name for name in theirs if name not in ours and (parts is None or name.startswith(prefixes))
    ]
    run_on_main(_report, [Path(output_folder) / f"{key}.txt", source, problems, unused])


def _of_run(key, run):
    """Read parameters, digest of the targets and a way to load the normaliser of a run."""
    folder = run / "save"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{key}: there is no checkpoint of a whole epoch in {folder}; name the "
            "output_folder of a finished run"
        )
    checkpointer = Checkpointer(folder)
    theirs, used = average_parameters(checkpointer, ("CNN", "Transformer"))
    latest = max(used, key=progress)

    def load_normalizer(normalizer):
        Checkpointer(folder, {"normalizer": normalizer}).load_checkpoint(latest)

    try:
        identity = json.loads((folder / IDENTITY_FILE).read_text(encoding="utf-8"))
        return theirs, identity.get("targets"), load_normalizer
    except (OSError, ValueError, AttributeError):  # of a run of before 0.2
        return theirs, None, load_normalizer


def _of_export(key, folder):
    """Read the same of an exported model."""
    del key
    theirs = torch.load(folder / MODEL_FILE, "cpu", weights_only=True)
    tokenizer = folder / TOKENIZER_FILE

    def load_normalizer(normalizer):
        normalizer._load(folder / NORMALIZER_FILE)

    return theirs, digest(tokenizer) if tokenizer.is_file() else None, load_normalizer


def freeze(model, parts):
    """Keep parameters as they are.

    Parameters
    ----------
    model : ModelParts
    parts : sequence of str
        How their names begin, as ``CNN`` or ``Transformer.encoder.layers.0``.

    Raises
    ------
    ValueError
        When a part is of no parameter, or nothing is left to train.
    """
    for part in parts:
        require_part("frozen_parts", f"{part.rstrip('.')}.", model.state_dict())
    prefixes = tuple(f"{part.rstrip('.')}." for part in parts)
    frozen = trained = 0
    for name, parameter in model.named_parameters():
        if name.startswith(prefixes):
            parameter.requires_grad_(False)
            frozen += parameter.numel()
        else:
            trained += parameter.numel()
    if not trained:
        raise ValueError(f"frozen_parts: {', '.join(parts)} leave nothing to train")
    if parts:
        logger.info(
            f"{frozen / 1e6:.2f} M parameters are frozen, {trained / 1e6:.2f} M are trained"
        )


def require_part(key, prefix, names):
    """Refuse a beginning that no name has."""
    if not any(name.startswith(prefix) for name in names):
        known = sorted({name.split(".")[0] for name in names})
        raise ValueError(
            f"{key}: no parameter begins with {prefix.rstrip('.')}; parts are {', '.join(known)}, "
            "and Transformer.encoder, Transformer.encoder.layers.0 and so on"
        )


def _problem(ours, theirs):
    """Why a parameter cannot be taken; empty if it can."""
    if theirs is None:
        return "not there"
    if theirs.shape != ours.shape:
        return f"{tuple(theirs.shape)} there, {tuple(ours.shape)} here"
    return ""


def _report(file, run, problems, unused):
    """Write all names, log how many they are and some of those that did not match."""
    matched = [name for name, problem in problems.items() if not problem]
    others = [f"{name}: {problem}" for name, problem in problems.items() if problem]
    lines = [
        f"{len(matched)} matched:",
        *matched,
        f"{len(others)} not taken, as at the start:",
        *others,
        f"{len(unused)} of {run} without a place here:",
        *unused,
    ]
    with atomic_open(file) as stream:
        stream.writelines(f"{line}\n" for line in lines)
    logger.info(
        f"From {run}: {len(matched)} parameters matched, {len(others)} did not "
        f"({'; '.join(others[:5]) or 'none'}), {len(unused)} there have no place here; "
        f"all of them in {file}"
    )
