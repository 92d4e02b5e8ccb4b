"""Times of several models, measured in turn, so that all meet the same disturbances."""

import random
import time
from contextlib import nullcontext

import torch
from speechbrain.utils.autocast import AMPConfig

#: What a call may raise for reasons of its own: too long an input, no memory, no compiler.
FAILURES = (RuntimeError, ValueError, ArithmeticError, MemoryError, AssertionError, TypeError)


def make_call(model, inputs, case):
    """Make the call that is measured.

    Parameters
    ----------
    model : callable
    inputs : tuple of torch.Tensor
        From :func:`results.benchmark.models.make_inputs`.
    case : Case
        In training: a forward in training mode and a backward, from random gradients of the output
        to those of the input and of all parameters.

    Returns
    -------
    callable
        Without arguments; it leaves no memory behind.
    """
    x, padding_mask = inputs
    autocast = nullcontext()
    if case.precision != "fp32":
        dtype = AMPConfig.from_name(case.precision).dtype
        autocast = torch.autocast(torch.device(case.device).type, dtype)
    model.train(case.training)
    if not case.training:

        def infer():
            # As SpeechBrain tests. Tables made in inference mode could not be trained with later.
            with torch.no_grad(), autocast:
                model(x, padding_mask)

        return infer
    x = x.clone().requires_grad_()
    gradient = torch.randn_like(x)

    def step():
        with autocast:
            out = model(x, padding_mask)
        out.backward(gradient.to(out.dtype))
        model.zero_grad(set_to_none=True)
        x.grad = None

    return step


def timed(call, device="cpu"):
    """Seconds that a call takes, until the device has done it."""
    _synchronize(device)
    start = time.perf_counter()
    call()
    _synchronize(device)
    return time.perf_counter() - start


def _synchronize(device):
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def interleave(calls, rounds, measure=timed):
    """Measure calls round by round, each once a round, in an order drawn for each round.

    A call that needs much memory leaves caches and allocator cold to whoever comes next: no model
    shall be that one always. Each call is made once before, unmeasured.

    Parameters
    ----------
    calls : dict of str to callable
    rounds : int
    measure : callable
        Seconds of a call.

    Returns
    -------
    seconds : dict of str to list of float
        Of every round; of those that did not fail.
    failures : dict of str to Exception
        Why a call failed.

    Examples
    --------
    >>> seconds, failures = interleave({"a": lambda: 1, "b": lambda: 1 / 0}, 3)
    >>> len(seconds["a"]), failures
    (3, {'b': ZeroDivisionError('division by zero')})
    """
    seconds, failures = {}, {}
    for name, call in calls.items():
        try:
            measure(call)
            seconds[name] = []
        except FAILURES as error:
            # the traceback would keep what the call computed, and its memory
            failures[name] = error.with_traceback(None)
    orders = random.Random(0)
    for _ in range(rounds):
        for name in orders.sample(list(seconds), len(seconds)):
            seconds[name].append(measure(calls[name]))
    return seconds, failures
