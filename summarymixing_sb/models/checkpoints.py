"""Averages of checkpoints, in memory."""

import torch
from speechbrain.utils.checkpoints import Checkpointer, average_checkpoints

from summarymixing_sb.models.parts import name_parts


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
    checkpointer : speechbrain.utils.checkpoints.Checkpointer
        Its recoverable ``model`` is averaged; ``normalizer`` comes from the latest of them.
    model, normalizer : torch.nn.Module
        Receive what is loaded.
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
    found = checkpointer.find_checkpoints(
        min_key=None if by == "last" else by,
        ckpt_predicate=end_of_epoch,
        max_num_checkpoints=number,
    )
    if not found:
        score = "" if by == "last" else f" with the score {by}"
        raise FileNotFoundError(
            f"no checkpoint of a whole epoch{score} in {checkpointer.checkpoints_dir}: train "
            "first, or set output_folder to where the model was trained"
        )
    latest = max(found, key=lambda checkpoint: checkpoint.meta["unixtime"])

    def load(path, map_location):
        """Name parts, also where a run was begun by an earlier version."""
        return name_parts(torch.load(path, map_location), model.listed)

    try:
        model.load_state_dict(average_checkpoints(found, "model", parameter_loader=load))
    except RuntimeError as error:
        raise mismatch_error(checkpointer, error) from error
    Checkpointer(checkpointer.checkpoints_dir, {"normalizer": normalizer}).load_checkpoint(latest)
    return found
