"""Contestants take turns."""

import torch
from torch import nn

from results.benchmark.points import Kind
from results.benchmark.timing import LEAST_ROUNDS, MOST_ROUNDS, interleave, make_call


class Clock:
    """Says of each call that it took so many seconds, and writes down who was called."""

    def __init__(self, **seconds):
        self.seconds, self.order = seconds, []

    def calls(self):
        return {name: name for name in self.seconds}

    def __call__(self, name):
        self.order.append(name)
        return self.seconds[name]


def test_each_is_called_once_a_round_after_one_warm_up():
    clock = Clock(a=1.0, b=2.0, c=3.0)
    seconds, failures = interleave(clock.calls(), 0, 100, clock)
    assert failures == {}
    assert seconds == {name: [taken] * LEAST_ROUNDS for name, taken in clock.seconds.items()}
    rounds = [clock.order[i : i + 3] for i in range(0, len(clock.order), 3)]
    assert len(rounds) == 1 + LEAST_ROUNDS
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1  # nobody follows the same one always


def test_short_calls_go_on_until_there_is_enough_but_not_forever():
    clock = Clock(a=1.0, b=1.0)
    assert len(interleave(clock.calls(), 10, 100, clock)[0]["a"]) == 5
    assert len(interleave(clock.calls(), 1e9, 1e9, clock)[0]["a"]) == MOST_ROUNDS


def test_slow_calls_leave_early_and_their_first_call_counts():
    clock = Clock(fast=1.0, slow=6.0, slowest=50.0)
    seconds, _ = interleave(clock.calls(), 0, 10, clock)
    assert {name: len(taken) for name, taken in seconds.items()} == {
        "fast": 3,
        "slow": 2,
        "slowest": 1,
    }


def test_who_fails_is_out_and_told():
    def measure(call):
        return call()

    def fail():
        raise RuntimeError("too long")

    seconds, failures = interleave({"good": lambda: 1.0, "bad": fail}, 0, 9, measure)
    assert list(seconds) == ["good"]
    assert str(failures["bad"]) == "too long"


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.gradients = []
        self.weight.register_hook(lambda gradient: self.gradients.append(gradient))

    def forward(self, x, padding_mask):
        return x * self.weight


def test_a_step_trains_and_inference_does_not():
    model, inputs = Scale(), (torch.randn(1, 3, 4), None)
    make_call(model, inputs, Kind("encoder"))()
    assert not model.gradients
    assert not model.training
    make_call(model, inputs, Kind("step"))()
    assert len(model.gradients) == 1
    assert model.training
    assert model.weight.grad is None  # nothing is left for the next contestant to carry
