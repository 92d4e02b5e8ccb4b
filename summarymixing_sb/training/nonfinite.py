"""Optimiser steps whose losses or gradients are not finite: skipped, named, and few."""

from pathlib import Path

import torch
from speechbrain.utils.distributed import get_rank
from speechbrain.utils.logger import get_logger

from summarymixing_sb.training.statistics import Statistics

logger = get_logger(__name__)

#: Folder beside the checkpoints with the batches of skipped steps, and how many it may hold.
FOLDER, MOST_FILES = "not_finite", 10


class NonfiniteSteps:
    """The batches of one optimiser step, and what to do when one of them is not finite.

    Parameters
    ----------
    folder : str or Path
        Output folder of the run.
    patience : int
        Skipped steps in a row that are borne.
    """

    def __init__(self, folder, patience):
        self.folder, self.patience = Path(folder) / FOLDER, patience
        self.in_a_row = 0
        self.start()

    def start(self):
        """Begin the next step."""
        self._batches, self._losses, self._statistics = [], [], None

    def add_batch(self, batch, modules):
        """Note a batch before its forward pass."""
        if not self._batches:
            self._statistics = Statistics(modules)
        self._batches.append(batch)

    def add_loss(self, loss):
        """Note the loss of the latest batch."""
        self._losses.append(loss.detach())

    def found(self, parameters=(), scaler=None):
        """Say whether a loss, and whether a gradient, is not finite.

        A gradient that overflows in half precision is not meant: the scaler skips that step, and
        lowers its scale until none does.

        Parameters
        ----------
        parameters : iterable of torch.nn.Parameter
        scaler : torch.amp.GradScaler, optional

        Returns
        -------
        list of bool
            Of the losses and of the gradients; the device is waited for once.
        """
        numbers = [torch.stack(self._losses).sum()] if self._losses else [torch.zeros(())]
        if scaler is None or not scaler.is_enabled() or scaler.get_scale() <= 1:
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            if gradients:
                numbers.append(torch.nn.utils.get_total_norm(gradients).to(numbers[0].dtype))
        finite = torch.stack(numbers).isfinite().tolist()
        return [not finite[0], not all(finite[1:])]

    def end_epoch(self):
        """Forget batches that were too few for a step."""
        if self.found()[0]:
            self._statistics.restore()
        self.start()

    def skip(self, step, by_loss, settings):
        """Undo what the batches changed, name and dump them.

        Parameters
        ----------
        step : int
            Number of the optimiser step.
        by_loss : bool
            Whether a loss of any process is not finite, so that the batch is known.
        settings : dict
            What may be lowered, key to value, for the error.

        Raises
        ------
        FloatingPointError
            If too many steps in a row were skipped.
        """
        self._statistics.restore()
        guilty = [
            batch
            for batch, loss in zip(self._batches, self._losses)
            if not (by_loss and loss.isfinite())
        ]
        what = f"{'a loss' if by_loss else 'gradients'} at optimiser step {step}"
        names = ", ".join(str(key) for batch in guilty for key in batch.id) or "of another process"
        if guilty:
            file = self._dump(guilty, step)
            where = f"; they are in {file}" if file else ""
            broken = ", ".join(str(key) for batch in guilty for key in _with_broken_samples(batch))
            first = f", first of all {broken}, whose samples are not finite" if broken else ""
            message = f"Not finite, so skipped: {what}, utterances {names}{first}{where}"
            logger.warning(message, main_process_only=False)
        self.in_a_row += 1
        self.start()
        if self.in_a_row > self.patience:
            lower = ", ".join(f"{key} (now {value})" for key, value in settings.items())
            raise FloatingPointError(
                f"not finite: {what}, {self.in_a_row} in a row and more than --nonfinite_patience="
                f"{self.patience}; utterances {names}. Repair their recordings if they are broken, "
                f"otherwise lower {lower}; the same command resumes from the last checkpoint"
            )

    def passed(self):
        """Note that a step was taken."""
        self.in_a_row = 0
        self.start()

    def _dump(self, batches, step):
        """Write batches to a file, for torch.load; return its path, or None if there are many."""
        if len(list(self.folder.glob("*.pt"))) >= MOST_FILES:
            return None
        file = self.folder / f"step{step}_process{get_rank() or 0}.pt"
        content = [
            {"id": list(batch.id), "sig": batch.sig.data.cpu(), "lengths": batch.sig.lengths.cpu()}
            for batch in batches
            if hasattr(batch, "sig")
        ]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            torch.save(content, file)
        except (OSError, RuntimeError):  # a full disk does not end the training here
            return None
        return file


def _with_broken_samples(batch):
    """Name the utterances of a batch that hold samples that are not finite."""
    finite = batch.sig.data.isfinite().all(dim=1).tolist()
    return [key for key, whole in zip(batch.id, finite) if not whole]
