"""Checkpoints of trainings: the model's identity, the random state, the time spent."""

import json
import random
import time
from functools import partial
from pathlib import Path

import torch
from speechbrain.utils.checkpoints import (
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
from summarymixing_sb.models.checkpoints import mismatch_error

logger = get_logger(__name__)

IDENTITY_FILE = "model.json"


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
        When there are checkpoints and they belong to a model that differs in `identity`, or when
        ``model.json`` is damaged.
    """
    file = Path(checkpointer.checkpoints_dir) / IDENTITY_FILE
    if checkpointer.list_checkpoints() and file.is_file():
        known = _upgraded(_read_identity(file))
        # through JSON, as the other side has been
        identity = _upgraded(json.loads(json.dumps(identity)))
        if "targets" not in identity:
            known.pop("targets", None)
        differ = [
            f"{name}: {known.get(name)} there, {identity.get(name)} now"
            for name in sorted(known.keys() | identity.keys())
            if known.get(name) != identity.get(name)
        ]
        if differ:
            raise mismatch_error(checkpointer, "; ".join(differ[:5]))
    elif "targets" in identity:
        _write_identity(file, identity)


def _read_identity(file):
    try:
        identity = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        identity = None
    if not isinstance(identity, dict):
        raise ValueError(
            f"{file} is damaged: remove it, if the command is the one that the checkpoints beside "
            "it were trained with"
        )
    return identity


def _upgraded(identity):
    """Write an identity, or what a YAML file of an earlier version makes, as this one would."""
    identity = dict(identity)
    model, mixer = "Transformer", "Transformer.mixer_options.SummaryMixing"
    if f"{model}.nhead" in identity:
        identity.setdefault(f"{model}.half_causal_convolution", False)
        identity.setdefault(f"{model}.decoder_nhead", identity[f"{model}.nhead"])
    if f"{model}.positional_encoding" in identity:
        sinusoids = identity.pop(f"{model}.positional_encoding") is not None
        identity.setdefault(f"{model}.encoder_positions", sinusoids)
        identity.setdefault(f"{model}.decoder_positions", sinusoids)
    if not identity.get(f"{model}.num_decoder_layers", True):
        for key in ("decoder_nhead", "decoder_positions"):
            identity.pop(f"{model}.{key}", None)
    if f"{mixer}.preset" in identity:
        identity.setdefault(f"{mixer}.activation", "gelu")
        identity.setdefault(f"{mixer}.gate", "none")
        # How weights began does not say what they are.
        identity.pop(f"{mixer}.initialisation", None)
    if identity.get("predictor.!") == "!new:summarymixing_sb.predictor.Predictor":
        identity["predictor.!"] = "!new:summarymixing_sb.Predictor"
    return identity


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
        states = torch.load(path, weights_only=True)
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
        self.before = torch.load(path, weights_only=True)


@main_process_only
def _write_identity(file, identity):
    """Write ``model.json``, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(file) as stream:
        json.dump(identity, stream, indent=1, sort_keys=True)
