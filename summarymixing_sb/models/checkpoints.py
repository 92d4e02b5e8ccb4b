"""Averages of checkpoints, in memory."""

from itertools import islice

import torch
from speechbrain.utils.checkpoints import average_state_dicts
from speechbrain.utils.logger import get_logger

from summarymixing_sb.models.adapters import merge_lora
from summarymixing_sb.models.checkpointer import Checkpointer, progress
from summarymixing_sb.models.parts import name_parts

logger = get_logger(__name__)


def end_of_epoch(checkpoint):
    """Say whether a checkpoint was written after a whole epoch.

    Parameters
    ----------
    checkpoint : speechbrain.utils.checkpoints.Checkpoint

    Returns
    -------
    bool
    """
    return checkpoint.meta["end-of-epoch"]


def mismatch_error(checkpointer, difference):
    """Make the error for a folder that holds checkpoints of another model.

    Parameters
    ----------
    checkpointer : speechbrain.utils.checkpoints.Checkpointer
        Of that folder.
    difference : object
        In what the two models differ, as a text or an exception.

    Returns
    -------
    ValueError
    """
    difference = " ".join(str(difference).split())[:500]
    return ValueError(
        f"{checkpointer.checkpoints_dir} holds checkpoints of another model ({difference}). Choose "
        "another folder with --output_folder, or restore the hyperparameters of that model"
    )


def load_average(checkpointer, model, normalizer, number, by):
    """Load the average of some checkpoints into a model, in memory only.

    Nothing is written or deleted, so training can go on from the checkpoints as they are.

    Parameters
    ----------
    checkpointer : Checkpointer
        Its recoverable ``model`` is averaged; ``normalizer`` comes from the latest of them.
    model, normalizer : torch.nn.Module
        Receive what is loaded; a model without features has no normaliser, but None.
    number : int
        How many checkpoints, at most.
    by : str
        ``last``, or a score that is better when lower (``loss``, ``WER``).

    Returns
    -------
    list of speechbrain.utils.checkpoints.Checkpoint
        Those averaged, best first.

    Raises
    ------
    FileNotFoundError
        If there is no such checkpoint.
    ValueError
        If a checkpoint does not fit the model.
    """
    average, used = average_parameters(checkpointer, model.listed, number, by)
    try:
        model.load_state_dict(average)
    except RuntimeError as error:
        raise mismatch_error(checkpointer, error) from error
    if normalizer is None:
        return used
    latest = max(used, key=progress)
    Checkpointer(checkpointer.checkpoints_dir, {"normalizer": normalizer}).load_checkpoint(latest)
    return used


def average_parameters(checkpointer, listed, number=None, by="last"):
    """Average the parameters of checkpoints of whole epochs, with adapters merged.

    Checkpoints with numbers that are not finite are left out, with a warning.

    Parameters
    ----------
    checkpointer : Checkpointer
    listed : iterable of str
        Names of the model's parts, for runs that were begun by an earlier version.
    number : int, optional
        How many checkpoints, at most; all of them if None.
    by : str
        ``last``, or a score that is better when lower.

    Returns
    -------
    average : dict of str to torch.Tensor
    used : list of speechbrain.utils.checkpoints.Checkpoint
        Those averaged, best first.

    Raises
    ------
    FileNotFoundError
        If there is no such checkpoint.
    """
    found = checkpointer.find_checkpoints(
        min_key=None if by == "last" else by, ckpt_predicate=end_of_epoch
    )
    used = []

    def finite_states():
        for checkpoint in found:
            file = checkpoint.paramfiles["model"]
            state = merge_lora(name_parts(torch.load(file, "cpu", weights_only=True), listed))
            if name := not_finite(state):
                logger.warning(f"{file} is not averaged: {name} has numbers that are not finite")
                continue
            used.append(checkpoint)
            yield state

    states = list(islice(finite_states(), number))
    if not states:
        score = "" if by == "last" else f" with the score {by}"
        raise FileNotFoundError(
            f"no checkpoint of a whole epoch{score} in {checkpointer.checkpoints_dir}: train "
            "first, or set output_folder to where the model was trained"
        )
    return average_state_dicts(states), used


def not_finite(state_dict):
    """Name the first parameter that holds a number that is not finite.

    Parameters
    ----------
    state_dict : dict of str to torch.Tensor

    Returns
    -------
    str or None

    Examples
    --------
    >>> not_finite({"one": torch.ones(2), "other": torch.tensor([1.0, float("nan")])})
    'other'
    """
    return next((name for name, value in state_dict.items() if not value.isfinite().all()), None)
