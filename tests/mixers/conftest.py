"""Measurements shared by the tests of several mixers."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LargestTensor(TorchDispatchMode):
    """Record the number of elements of the largest tensor that any operation gives."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        sizes = (leaf.numel() for leaf in tree_leaves(out) if torch.is_tensor(leaf))
        self.elements = max(self.elements, *sizes, 0)
        return out


@pytest.fixture
def largest_tensor():
    """Measure, as a context manager: ``with largest_tensor as largest: ...; largest.elements``."""
    return LargestTensor()
