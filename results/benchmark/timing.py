"""Times of several contestants, taken in turn, so that all meet the same disturbances."""

import random
import time

import torch

LEAST_ROUNDS, MOST_ROUNDS = 3, 20

#: What a contestant may raise for reasons of its own: too long an input, no memory, no compiler.
FAILURES = (RuntimeError, ValueError, ArithmeticError, MemoryError, AssertionError, TypeError)


def make_call(model, inputs, kind):
    """Make the call that is measured.

    Parameters
    ----------
    model : callable
    inputs : tuple of torch.Tensor
        From :func:`results.benchmark.levels.make_inputs`.
    kind : Kind
        Of training: a forward in training mode and a backward, from random gradients of the output
        to those of the input and of all parameters.

    Returns
    -------
    callable
        Without arguments; it leaves no memory behind.
    """
    model.train(kind.training)
    if not kind.training:

        def infer():
            # As SpeechBrain tests its models. Tables that it makes once in inference mode could not
            # be used in training afterwards.
            with torch.no_grad():
                model(*inputs)

        return infer
    x, lengths = inputs
    x = x.clone().requires_grad_()
    gradient = torch.randn_like(x)

    def step():
        model(x, lengths).backward(gradient)
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


def interleave(calls, least_seconds, slow_seconds, measure=timed):
    """Measure calls round by round, each once a round, in an order that is drawn for each round.

    A call that needs much memory leaves caches and allocator cold to whoever comes next: no
    contestant shall be that one always.

    Each is called once unmeasured, which warms it up; a slow one's first call counts. There are 3
    rounds at least and 20 at most, as many as ``least_seconds`` ask for; a slow call leaves after
    the round in which it exceeds ``slow_seconds`` in all.

    Parameters
    ----------
    calls : dict of str to callable
    least_seconds : float
        What all rounds take together, at least.
    slow_seconds : float
        What one call may take in all, but for its first round.
    measure : callable
        Seconds of a call.

    Returns
    -------
    seconds : dict of str to list of float
        Of every round; of those that did not fail.
    failures : dict of str to Exception
        Why a call failed, when it was warmed up.

    Examples
    --------
    >>> seconds, failures = interleave({"a": lambda: 1, "b": lambda: 1 / 0}, 0, 1)
    >>> len(seconds["a"]), failures
    (3, {'b': ZeroDivisionError('division by zero')})
    """
    seconds, failures = {}, {}
    for name, call in calls.items():
        try:
            first = measure(call)
        except FAILURES as error:
            failures[name] = error
            continue
        seconds[name] = [first] if first > slow_seconds / LEAST_ROUNDS else []
    orders = random.Random(0)
    for done in range(MOST_ROUNDS):
        if done >= LEAST_ROUNDS and sum(map(sum, seconds.values())) >= least_seconds:
            break
        for name in orders.sample(list(seconds), len(seconds)):
            if not seconds[name] or sum(seconds[name]) < slow_seconds:
                seconds[name].append(measure(calls[name]))
    return seconds, failures
