"""Checkpoints: the model's identity, averages in memory, random states, training time."""

import json
import random
import time
from functools import partial
from pathlib import Path

import torch
from speechbrain.utils.checkpoints import (
    Checkpointer,
    average_checkpoints,
    mark_as_loader,
    mark_as_saver,
    register_checkpoint_hooks,
)
from speechbrain.utils.distributed import (
    if_main_process,
    is_distributed_initialized,
    main_process_only,
)
from speechbrain.utils.logger import get_logger

from summarymixing_sb.files import atomic_open
from summarymixing_sb.models.parts import name_parts

logger = get_logger(__name__)

IDENTITY_FILE = "model.json"


def end_of_epoch(checkpoint):
    """Whether a checkpoint was written after a whole epoch."""
    return checkpoint.meta["end-of-epoch"]


def check_same_model(checkpointer, identity):
    """Refuse to go on from the checkpoints of another model.

    The first run of a model writes ``model.json`` beside its checkpoints.

    Parameters
    ----------
    checkpointer : speechbrain.utils.checkpoints.Checkpointer
    identity : dict
        Names to values. Without the name ``targets``, the rest is compared and nothing written.

    Raises
    ------
    ValueError
        When there are checkpoints and they belong to a model that differs in `identity`.
    """
    file = Path(checkpointer.checkpoints_dir) / IDENTITY_FILE
    if checkpointer.list_checkpoints() and file.is_file():
        known = _upgraded(json.loads(file.read_text(encoding="utf-8")), identity)
        # through JSON, as the other side has been
        identity = json.loads(json.dumps(identity))
        if "targets" not in identity:
            known.pop("targets", None)
        differ = [
            f"{name}: {known.get(name)} there, {identity.get(name)} now"
            for name in sorted(known.keys() | identity.keys())
            if known.get(name) != identity.get(name)
        ]
        if differ:
            raise another_model(checkpointer, "; ".join(differ[:5]))
    elif "targets" in identity:
        _write_identity(file, identity)


def _upgraded(known, identity):
    """Write an identity of an earlier version as this one would."""
    known = dict(known)
    if "Transformer.decoder_nhead" in identity:
        known.setdefault("Transformer.decoder_nhead", known.get("Transformer.nhead"))
    if known.get("predictor.!") == "!new:summarymixing_sb.predictor.Predictor":
        known["predictor.!"] = "!new:summarymixing_sb.Predictor"
    return known


def another_model(checkpointer, difference):
    """The error for a folder that holds checkpoints of another model."""
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
    model : ModelParts
        Receives the average.
    normalizer : torch.nn.Module
        Receives its statistics.
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
        When there is no such checkpoint.
    ValueError
        When a checkpoint does not fit the model.
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
    try:
        model.load_state_dict(
            average_checkpoints(
                found,
                "model",
                # names of parts, also where a run was begun by an earlier version
                parameter_loader=lambda *args, **kw: name_parts(torch.load(*args, **kw), model),
            )
        )
    except RuntimeError as error:
        raise another_model(checkpointer, error) from error
    Checkpointer(checkpointer.checkpoints_dir, {"normalizer": normalizer}).load_checkpoint(latest)
    return found


@partial(register_checkpoint_hooks, save_on_main_only=False)
class RandomState:
    """State of the random number generators, so that a resumed run goes on as if never stopped.

    Of several processes, each has its own state. A process that a resumed run has more than before
    keeps the state that it has.

    With `num_workers` above 0 this holds at the end of an epoch only: in the middle of one, the
    workers have drawn ahead.
    """

    @staticmethod
    def capture():
        """Take the state of Python's and torch's generators, as a dict."""
        state = {"python": random.getstate(), "torch": torch.get_rng_state()}
        if torch.cuda.is_initialized():
            state["cuda"] = torch.cuda.get_rng_state()
        return state

    @staticmethod
    def restore(state):
        """Put back what :meth:`capture` took."""
        random.setstate(state["python"])
        torch.set_rng_state(state["torch"])
        if "cuda" in state and torch.cuda.is_initialized():
            torch.cuda.set_rng_state(state["cuda"])

    @mark_as_saver
    def save(self, path):
        """Write the states of all processes to a checkpoint; each of them calls this."""
        states = [self.capture()]
        if is_distributed_initialized():
            states = [None] * torch.distributed.get_world_size()
            torch.distributed.all_gather_object(states, self.capture())
        if if_main_process():
            torch.save(states, path)

    @mark_as_loader
    def load(self, path, end_of_epoch):
        """Read the state of this process from a checkpoint."""
        del end_of_epoch
        states = torch.load(path)
        # versions before 0.2 saved the state of the main process alone
        states = states if isinstance(states, list) else [states]
        rank = torch.distributed.get_rank() if is_distributed_initialized() else 0
        if rank < len(states):
            self.restore(states[rank])


@register_checkpoint_hooks
class Stopwatch:
    """Seconds spent on training, over all runs that a training was stopped and resumed in."""

    def __init__(self):
        self.before = 0.0
        self.started = None

    def start(self):
        """Start to count, after what earlier runs spent."""
        self.started = time.monotonic()

    def seconds(self):
        """Count what was spent so far."""
        running = 0.0 if self.started is None else time.monotonic() - self.started
        return self.before + running

    @mark_as_saver
    @main_process_only
    def save(self, path):
        """Write the seconds to a checkpoint."""
        torch.save(self.seconds(), path)

    @mark_as_loader
    def load(self, path, end_of_epoch):
        """Read the seconds from a checkpoint."""
        del end_of_epoch
        self.before = torch.load(path)


@main_process_only
def _write_identity(file, identity):
    """Write ``model.json``, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(file) as stream:
        json.dump(identity, stream, indent=1, sort_keys=True)
