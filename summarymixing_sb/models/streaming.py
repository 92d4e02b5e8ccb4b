"""Memory of streaming states."""

from collections import deque
from collections.abc import Mapping

import torch
from torch import nn


def state_bytes(context):
    """Measure the memory that streams keep from one chunk to the next.

    Parameters
    ----------
    context : object
        From ``make_streaming_context`` or any ``make_state``.

    Returns
    -------
    int
        Bytes of all tensors in it, of which none is counted twice.

    Examples
    --------
    >>> from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
    >>> from summarymixing_sb import build_mixer
    >>> mixer = build_mixer("SummaryMixing", d_model=16)
    >>> state_bytes(mixer.make_state(2, DynChunkTrainConfig(8)))  # 2 streams, 16 sums, a count
    136
    """
    # By storage: a view keeps alive all that it is a view of.
    storages = {
        storage.data_ptr(): storage.nbytes()
        for storage in (tensor.untyped_storage() for tensor in _tensors(context))
    }
    return sum(storages.values())


def _tensors(value):
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from _tensors(list(value.values()))
    elif isinstance(value, (list, tuple, deque)):
        for item in value:
            yield from _tensors(item)
    elif hasattr(value, "__dict__") and not isinstance(value, (nn.Module, type)):
        yield from _tensors(vars(value))
