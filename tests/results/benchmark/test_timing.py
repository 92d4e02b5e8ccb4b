"""Models take turns."""

import torch
from torch import nn

from results.benchmark.models import Case
from results.benchmark.timing import interleave, make_call


def test_each_is_called_once_a_round_after_one_warm_up():
    order = []

    def measure(name):
        order.append(name)
        return len(order)

    seconds, failures = interleave({name: name for name in "abc"}, 5, measure)
    assert failures == {}
    assert order[:3] == ["a", "b", "c"]
    rounds = [order[start : start + 3] for start in range(3, len(order), 3)]
    assert len(rounds) == 5
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len({tuple(names) for names in rounds}) > 1  # nobody follows the same one always
    # The warm-up does not count.
    assert sorted(t for taken in seconds.values() for t in taken) == list(range(4, 19))


def test_who_fails_is_out_and_told():
    def fail():
        raise RuntimeError("too long")

    seconds, failures = interleave({"good": lambda: 1.0, "bad": fail}, 2, lambda call: call())
    assert seconds == {"good": [1.0, 1.0]}
    assert str(failures["bad"]) == "too long"


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.gradients = []
        self.weight.register_hook(lambda gradient: self.gradients.append(gradient))

    def forward(self, x, padding_mask):
        return x * self.weight


def test_training_has_gradients_and_inference_has_not():
    model, inputs = Scale(), (torch.randn(1, 3, 4), None)
    make_call(model, inputs, Case("encoder", "inference", 1))()
    assert not model.gradients
    assert not model.training
    make_call(model, inputs, Case("encoder", "training", 1))()
    assert len(model.gradients) == 1
    assert model.training
    assert model.weight.grad is None  # nothing is left for the next model to carry
