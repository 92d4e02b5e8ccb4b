"""Learning rate schedules of SpeechBrain, each called as it wants to be."""

import inspect

from speechbrain.nnet.schedulers import update_learning_rate
from speechbrain.utils.checkpoints import DEFAULT_SAVE_HOOKS, get_default_hook

# The arguments of a schedule's call tell when it is called.
PER_STEP = (("opt",), ("opt", "num_updates"))
PER_EPOCH = (
    ("current_epoch",),
    ("metric_value",),
    ("optim_list", "current_epoch", "current_loss"),
)


class LearningRate:
    """A schedule of SpeechBrain behind two calls: before each step and after each epoch.

    Parameters
    ----------
    schedule : object
        What the YAML key ``lr_annealing`` builds: any of ``speechbrain.nnet.schedulers``, or an
        object that is called in the same way as one of them.

    Raises
    ------
    ValueError
        If it is called with other arguments than those schedules.

    Examples
    --------
    >>> import torch
    >>> from speechbrain.nnet.schedulers import LinearScheduler
    >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    >>> rate = LearningRate(LinearScheduler(1.0, 0.0, epoch_count=3))
    >>> rate.before_step(optimizer, step=1)
    >>> rate.after_epoch(optimizer, epoch=1, loss=2.0)
    >>> optimizer.param_groups[0]["lr"]
    0.5
    """

    def __init__(self, schedule):
        self.schedule = schedule
        # CyclicLRScheduler is called for each epoch and changes the rate with each batch.
        self.by_batch = hasattr(schedule, "on_batch_end")
        self.arguments = tuple(inspect.signature(schedule).parameters) if callable(schedule) else ()
        if not self.by_batch and self.arguments not in (*PER_STEP, *PER_EPOCH):
            kind = type(schedule)
            raise ValueError(
                f"lr_annealing: {kind.__module__}.{kind.__qualname__} is called with "
                f"({', '.join(self.arguments)}), which no schedule of speechbrain.nnet.schedulers "
                "is; use one of them, such as NoamScheduler"
            )

    @property
    def is_saved(self):
        """Whether the schedule has a state for checkpoints; some are functions of the epoch."""
        return get_default_hook(self.schedule, DEFAULT_SAVE_HOOKS) is not None

    def before_step(self, optimizer, step):
        """Set the rate of a step, so that the first one is warmed up too.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            Its rate is set.
        step : int
            Number of the optimiser step that comes, from 1 on.
        """
        if self.by_batch:
            self.schedule.on_batch_end(optimizer)
        elif self.arguments in PER_STEP:
            self.schedule(optimizer, step) if len(self.arguments) == 2 else self.schedule(optimizer)

    def after_epoch(self, optimizer, epoch, loss):
        """Set the rate of the next epoch.

        Parameters
        ----------
        optimizer : torch.optim.Optimizer
            Its rate is set.
        epoch : int
            The epoch that ended, from 1 on.
        loss : float
            Its loss on the validation sets.
        """
        if self.by_batch or self.arguments not in PER_EPOCH:
            return
        given = {
            "current_epoch": epoch,
            "metric_value": loss,
            "optim_list": [optimizer],
            "current_loss": loss,
        }
        _, rate = self.schedule(*(given[argument] for argument in self.arguments))
        update_learning_rate(optimizer, rate)
