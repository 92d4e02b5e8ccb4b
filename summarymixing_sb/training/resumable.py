"""A Brain that is stopped, resumed and tested without loss: learning rate, checkpoints, signals."""

import logging
import time

import speechbrain as sb
import torch
from speechbrain.core import INTRA_EPOCH_CKPT_FLAG
from speechbrain.utils.checkpoints import ckpt_recency
from speechbrain.utils.distributed import ddp_broadcast, is_distributed_initialized
from speechbrain.utils.logger import get_logger

from summarymixing_sb.models.checkpoints import (
    end_of_epoch,
    load_average,
    mismatch_error,
    not_finite,
)
from summarymixing_sb.models.front_end import unwrapped
from summarymixing_sb.models.parts import ModelParts
from summarymixing_sb.training.checkpoints import Stopwatch
from summarymixing_sb.training.nonfinite import NonfiniteSteps
from summarymixing_sb.training.schedules import LearningRate
from summarymixing_sb.training.signals import StopSignals

logger = get_logger(__name__)


class ResumableBrain(sb.Brain):
    """Training that a signal or a kill costs nothing, and that no bad number spoils.

    A subclass writes ``compute_forward``, ``compute_objectives`` and ``stage_stats``.

    Parameters
    ----------
    **kwargs
        Arguments of `speechbrain.Brain`.

    Attributes
    ----------
    model : ModelParts
        The trained modules by name, as checkpoints hold them.
    loader_generator : torch.Generator
        Generator of the loader of training batches.
    stop_signals : StopSignals
        Those of the run. Once one has come, training saves and exits.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.model = ModelParts(self.modules)
        self.learning_rate = LearningRate(self.hparams.lr_annealing)
        self.stop_signals = StopSignals()
        self._loaders = []
        self.exit_status = 0  # what all processes agreed on
        self.nonfinite_steps = NonfiniteSteps(self.hparams.output_folder, self.nonfinite_patience)
        self.tested_checkpoints = None
        # its own generator, so that starting an epoch draws nothing from the global one
        self.loader_generator = torch.Generator()
        self.stopwatch = Stopwatch()
        if self.checkpointer is not None:
            # with --debug, each process has a temporary folder
            self.checkpointer.checkpoints_dir = ddp_broadcast(self.checkpointer.checkpoints_dir)
            self.checkpointer.add_recoverable("model", self.model)
            self.checkpointer.add_recoverable("stopwatch", self.stopwatch, optional_load=True)
            if not self.learning_rate.is_saved:
                recoverables, schedule = self.checkpointer.recoverables, self.hparams.lr_annealing
                for name in [name for name, what in recoverables.items() if what is schedule]:
                    del recoverables[name]
        self.tensorboard = None
        if self.hparams.tensorboard:
            folder = f"{self.hparams.output_folder}/tensorboard"
            self.tensorboard = sb.utils.train_logger.TensorboardLogger(folder)

    # What a subclass defines

    def stage_stats(self, stage):
        """Return the statistics of a validation or a test besides its loss."""
        raise NotImplementedError

    # Batches

    def evaluate_batch(self, batch, stage):
        """Evaluate a batch and count how long that takes."""
        if self.stop_signals.exit_status:  # training has saved before validation
            raise SystemExit(self.stop_signals.exit_status)
        started = time.perf_counter()
        loss = super().evaluate_batch(batch, stage)  # on the CPU: what was queued is done
        self.seconds += time.perf_counter() - started
        return loss

    def stage_modules(self, stage):
        """Give the modules to call: in training those that DistributedDataParallel wraps."""
        return self.modules if stage == sb.Stage.TRAIN else self.unwrapped_modules

    @property
    def unwrapped_modules(self):
        """The modules without DistributedDataParallel, whose forward all processes must enter."""
        return {name: unwrapped(module) for name, module in self.modules.items()}

    # Training

    def on_fit_start(self):
        """Resume from the latest checkpoint."""
        try:
            super().on_fit_start()
            self._check_optimizer()
        except (RuntimeError, ValueError) as error:
            # of a module, of an optimiser
            if not any(words in str(error) for words in ("state_dict", "parameter group")):
                raise
            raise mismatch_error(self.checkpointer, error) from error
        self.stopwatch.start()

    def _check_optimizer(self):
        """Refuse to go on where what was loaded into the optimiser is for other parameters."""
        for parameter, state in self.optimizer.state.items():
            for name, value in state.items():
                if torch.is_tensor(value) and value.dim() and value.shape != parameter.shape:
                    raise ValueError(
                        f"a parameter group of the optimiser has {name} of shape "
                        f"{tuple(value.shape)} for a parameter of shape {tuple(parameter.shape)}; "
                        "what a version before 0.2 trained can be tested, but not always trained on"
                    )

    def fit(self, *args, **kwargs):
        """Train; when a signal asks to stop, save after the step and exit."""
        with self.stop_signals.deferred():
            try:
                super().fit(*args, **kwargs)
            except BaseException as error:
                self._stop_workers()
                # of a worker that was killed before it could ignore the signal
                killed = isinstance(error, ConnectionError) or "DataLoader worker" in str(error)
                if self.stop_signals.exit_status and killed:
                    raise SystemExit(self.stop_signals.exit_status) from error
                raise

    def make_dataloader(self, *args, **kwargs):
        """Make a loader, and remember it."""
        loader = super().make_dataloader(*args, **kwargs)
        self._loaders.append(loader)
        return loader

    def _stop_workers(self):
        """End the loaders' workers, which ignore the signal by which Python would end them."""
        for loader in self._loaders:
            stop = getattr(loader._speechbrain_iterator, "_shutdown_workers", None)
            if stop is not None:
                stop()

    def on_fit_batch_start(self, batch, should_step):
        """Set the learning rate before the optimiser's step, so that the first is warmed up too."""
        self.nonfinite_steps.add_batch(batch, self.modules)
        if should_step:
            self.learning_rate.before_step(self.optimizer, self.optimizer_step + 1)

    def check_loss_isfinite(self, loss):
        """Note the loss; whether it is finite is asked once in an optimiser step."""
        self.nonfinite_steps.add_loss(loss)

    def optimizers_step(self):
        """Step, or skip a step whose losses or gradients are not finite in any process."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        by_loss, by_gradient, self.exit_status = self._greatest_of_processes(
            *self.nonfinite_steps.found(parameters, self.scaler), self.stop_signals.exit_status
        )
        if by_loss or by_gradient:
            self.zero_grad(set_to_none=True)
            settings = {"lr": self.hparams.lr, "max_grad_norm": self.max_grad_norm}
            settings["precision"] = self.precision
            self.nonfinite_steps.skip(self.optimizer_step + 1, by_loss, settings)
        else:
            super().optimizers_step()
            self.nonfinite_steps.passed()

    def _greatest_of_processes(self, *numbers):
        """Of each number the greatest that any process has."""
        if not is_distributed_initialized():
            return numbers
        numbers = torch.tensor(numbers, device=self.device)
        torch.distributed.all_reduce(numbers, torch.distributed.ReduceOp.MAX)
        return numbers.tolist()

    def update_average(self, loss, avg_loss):
        """Average losses; in validation and test also those that are not finite, so they show."""
        if self.modules.training:
            return super().update_average(loss, avg_loss)
        return avg_loss + (float(loss) - avg_loss) / self.step

    def _should_save_intra_epoch_ckpt(self, last_ckpt_time, steps_since_ckpt):
        """Save between optimiser steps only: gradients that are being summed are not saved."""
        if self.step % self.grad_accumulation_factor:
            return False
        if self.exit_status and self.checkpointer is not None:
            return True
        return super()._should_save_intra_epoch_ckpt(last_ckpt_time, steps_since_ckpt)

    def _save_intra_epoch_ckpt(self):
        """Save, and exit when a signal has asked for it."""
        self._require_finite_weights()
        super()._save_intra_epoch_ckpt()
        if self.exit_status:
            raise SystemExit(self.exit_status)

    def _require_finite_weights(self):
        if name := not_finite(self.model.state_dict()):
            raise FloatingPointError(
                f"after optimiser step {self.optimizer_step}, {name} has numbers that are not "
                f"finite, and nothing is saved: lower lr (now {self.hparams.lr}); the same command "
                "goes on from the last checkpoint"
            )

    def on_stage_start(self, stage, epoch=None):
        """Reset what a stage collects."""
        self.seconds = 0.0
        if stage == sb.Stage.TRAIN:
            self.loader_generator.manual_seed(self.hparams.seed + epoch)

    def on_stage_end(self, stage, stage_loss, epoch=None):
        """Log the statistics of the stage, and save a checkpoint after validation."""
        if stage == sb.Stage.TRAIN:
            self.train_loss = stage_loss
            self.nonfinite_steps.end_epoch()
            # so that what stops a validation costs no training
            self._save_intra_epoch_ckpt()
            return
        stats = {"loss": float(stage_loss), **self.stage_stats(stage)}
        if stage == sb.Stage.TEST:
            self.test_stats = stats
        else:
            self._log_epoch(epoch, stats)
            self.learning_rate.after_epoch(self.optimizer, epoch, stats["loss"])
            self._save_epoch(epoch, stats)

    def _log_epoch(self, epoch, stats):
        meta = {"epoch": epoch, "lr": self.optimizer.param_groups[0]["lr"]}
        meta["steps"] = self.optimizer_step
        logs = {"train_stats": {"loss": self.train_loss}, "valid_stats": stats}
        self.hparams.train_logger.log_stats(meta, **logs)
        if self.tensorboard is not None:
            self.tensorboard.log_stats(meta, **logs)

    def _save_epoch(self, epoch, stats):
        """Keep as many checkpoints as are averaged, the last ones and the best ones."""
        self._require_finite_weights()
        by = self.hparams.avg_checkpoints_by
        self.checkpointer.save_and_keep_only(
            meta={**stats, "epoch": epoch, "training_seconds": self.stopwatch.seconds()},
            num_to_keep=self.hparams.avg_checkpoints,
            importance_keys=[],
            min_keys=[] if by == "last" else [by],
            ckpt_predicate=end_of_epoch,
        )
        # those of the middle of this epoch serve no more
        self.checkpointer.delete_checkpoints(
            num_to_keep=0,
            importance_keys=[ckpt_recency],
            ckpt_predicate=lambda checkpoint: INTRA_EPOCH_CKPT_FLAG in checkpoint.meta,
            verbosity=logging.DEBUG,
        )

    # Testing

    def on_evaluate_start(self, max_key=None, min_key=None):
        """Average checkpoints in memory, once for all test sets."""
        if self.tested_checkpoints is None:
            self.tested_checkpoints = load_average(
                self.checkpointer,
                self.model,
                getattr(self.hparams, "normalize", None),
                self.hparams.avg_checkpoints,
                self.hparams.avg_checkpoints_by,
            )
            epochs = ", ".join(str(ckpt.meta["epoch"]) for ckpt in self.tested_checkpoints)
            logger.info(f"Testing the average of the checkpoints of epochs {epochs}")
