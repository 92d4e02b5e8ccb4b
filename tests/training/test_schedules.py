"""Every learning rate schedule of SpeechBrain is called as it wants to be."""

import inspect

import pytest
import torch
from speechbrain.nnet import schedulers
from speechbrain.utils.checkpoints import Checkpointer

from summarymixing_sb.training.schedules import LearningRate
from summarymixing_sb.training.tasks.asr import ASRBrain

SCHEDULES = {
    "CyclicCosineScheduler": {"n_warmup_steps": 2, "lr_initial": 1.0, "total_steps": 20},
    "CyclicLRScheduler": {"base_lr": 0.1, "max_lr": 1.0, "step_size": 4},
    "IntervalScheduler": {"intervals": [{"steps": 2, "lr": 0.5}]},
    "InverseSquareRootScheduler": {"warmup_steps": 2},
    "LinearNoamScheduler": {"lr_initial": 1.0, "n_warmup_steps": 2, "n_keep_steps": 2},
    "LinearScheduler": {"initial_value": 1.0, "final_value": 0.1, "epoch_count": 3},
    "LinearWarmupScheduler": {
        **{"initial_value": 1.0, "num_warmup_steps": 2, "num_training_steps": 9}
    },
    "NewBobScheduler": {"initial_value": 1.0, "annealing_factor": 0.5},
    "NoamIntervalScheduler": {
        **{"lr_initial": 1.0, "n_warmup_steps": 2, "anneal_steps": [3], "anneal_rates": [0.5]}
    },
    "NoamScheduler": {"lr_initial": 1.0, "n_warmup_steps": 2},
    "ReduceLROnPlateau": {"factor": 0.5, "patience": 0, "dont_halve_until_epoch": 1},
    "StepScheduler": {"initial_value": 1.0, "decay_factor": 0.5, "decay_drop": 1},
    "TriStageLRSchedule": {
        **{"lr": 1.0, "warmup_steps": 2, "hold_steps": 2, "decay_steps": 4, "total_steps": 8}
    },
    "WarmAndExpDecayLRSchedule": {"lr": 1.0, "n_warmup_steps": 2, "total_steps": 9},
    "WarmCoolDecayLRSchedule": {"lr": 1.0, "warmup": 2, "cooldown": 2, "total_steps": 8},
}


def make(name):
    return getattr(schedulers, name)(**SCHEDULES[name])


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def test_all_of_speechbrains_are_here():
    found = {
        name
        for name, kind in inspect.getmembers(schedulers, inspect.isclass)
        if kind.__module__ == schedulers.__name__ and name != "ScheduledLoss"
    }
    assert found == set(SCHEDULES)


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rate_changes_over_three_epochs(name):
    rate, opt, rates = LearningRate(make(name)), optimizer(), []
    for epoch, loss in enumerate((3.0, 3.0, 4.0), 1):
        for step in (1, 2):
            rate.before_step(opt, step=2 * (epoch - 1) + step)
            rates.append(opt.param_groups[0]["lr"])
        rate.after_epoch(opt, epoch, loss)
    rates.append(opt.param_groups[0]["lr"])
    assert len(set(rates)) > 1
    assert all(0 <= value < 2 for value in rates)


def test_by_step_epoch_and_loss():
    opt = optimizer()
    rate = LearningRate(make("WarmCoolDecayLRSchedule"))
    rate.before_step(opt, step=1)
    assert opt.param_groups[0]["lr"] == 0.5
    rate = LearningRate(make("LinearScheduler"))
    rate.before_step(opt, step=1)
    assert opt.param_groups[0]["lr"] == 0.5  # not its to change
    rate.after_epoch(opt, epoch=1, loss=9.0)
    assert opt.param_groups[0]["lr"] == pytest.approx(0.55)
    rate = LearningRate(make("NewBobScheduler"))
    for loss, expected in ((2.0, 1.0), (1.0, 1.0), (1.5, 0.5)):
        rate.after_epoch(opt, epoch=1, loss=loss)
        assert opt.param_groups[0]["lr"] == expected


@pytest.mark.parametrize("schedule", [lambda lr, steps: lr, 0.1])
def test_another_object_is_refused_by_name(schedule):
    with pytest.raises(ValueError, match=r"lr_annealing: builtins\.\w+ is called with"):
        LearningRate(schedule)


def test_a_schedule_without_a_state_is_no_part_of_checkpoints(brain, targets, tmp_path):
    schedule = make("LinearScheduler")
    recoverables = {"noam_scheduler": schedule, "counter": brain.hparams.epoch_counter}
    checkpointer = Checkpointer(tmp_path / "other", recoverables)
    hparams = {**vars(brain.hparams), "lr_annealing": schedule}
    ASRBrain(targets, modules=dict(brain.modules), hparams=hparams, checkpointer=checkpointer)
    assert "noam_scheduler" not in checkpointer.recoverables
    assert {"model", "counter", "stopwatch"} <= set(checkpointer.recoverables)
    checkpointer.save_checkpoint()
