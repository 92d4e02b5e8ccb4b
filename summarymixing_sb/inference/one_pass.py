"""The longest recording that a model can encode in one pass."""

import weakref

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from summarymixing_sb.evaluation.environment import free_bytes

#: Seconds of the two recordings that are measured; what is no longer than the second is always one
#: pass.
MEASURED_SECONDS = (20.0, 40.0)
#: The share of the free memory that a pass may take. Half, since what an operation needs for
#: itself, as a convolution does, is not measured.
SHARE = 0.5


class AliveBytes(TorchDispatchMode):
    """Follow the bytes of the tensors that are made and still alive, on any device.

    Attributes
    ----------
    course : list of int
        The bytes alive after each tensor that was made.

    Examples
    --------
    >>> with AliveBytes() as memory:
    ...     x = torch.zeros(1000)
    ...     x = x + 1
    ...     x = x[:10].clone()
    >>> memory.course
    [4000, 8000, 4040]
    """

    def __init__(self):
        super().__init__()
        self.course = []
        self._alive = 0
        self._known = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, made)
        return made

    def _count(self, tensor):
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:  # a view, or in place
            return
        self._known.add(key)
        self._alive += storage.nbytes()
        self.course.append(self._alive)
        weakref.finalize(storage, self._forget, key, storage.nbytes())

    def _forget(self, key, size):
        self._known.discard(key)
        self._alive -= size


def longest_pass(encode, sample_rate, device):
    """Estimate how long a recording can be so that one pass takes half of the free memory.

    Noise of two lengths is encoded. The bytes alive at each moment of the pass are extrapolated to
    longer recordings, moment by moment, as ``a * seconds + b * seconds ** 2``: a matrix of all
    pairs of frames is no peak at a length of seconds, and is the highest one at an hour.

    Parameters
    ----------
    encode : callable
        ``encode(signal)`` of a (samples,) waveform.
    sample_rate : int
        Hz.
    device : torch.device
        The device whose memory it takes.

    Returns
    -------
    float
        Seconds; those of the longer noise, if the two did not make the same tensors.
    """
    courses = []
    for seconds in MEASURED_SECONDS:
        signal = torch.randn(round(seconds * sample_rate), generator=torch.Generator())
        with AliveBytes() as memory:
            encode(signal)
        courses.append(memory.course)
    if len(courses[0]) != len(courses[1]):
        return MEASURED_SECONDS[1]
    budget = SHARE * free_bytes(device)
    return min(longest_within(budget, MEASURED_SECONDS, pair) for pair in zip(*courses))


def longest_within(budget, seconds, sizes):
    """Solve ``a * t + b * t ** 2 = budget`` for t, where two points of the curve are known.

    Parameters
    ----------
    budget : float
        Bytes.
    seconds, sizes : pair of float
        The two points: seconds and bytes.

    Returns
    -------
    float
        Seconds.

    Examples
    --------
    >>> longest_within(1000.0, (10.0, 20.0), (50.0, 100.0))  # linear
    200.0
    >>> longest_within(1000.0, (10.0, 20.0), (10.0, 40.0))  # quadratic
    100.0
    """
    first, second = (size / time for size, time in zip(sizes, seconds))
    # what does not grow with the length would make it negative
    quadratic = max((second - first) / (seconds[1] - seconds[0]), 0.0)
    linear = second - quadratic * seconds[1]
    # this form of the solution has no division by a quadratic part of zero
    return 2 * budget / (linear + (linear**2 + 4 * quadratic * budget) ** 0.5)
