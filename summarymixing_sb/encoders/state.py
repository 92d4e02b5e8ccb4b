"""States of streaming encoders between two chunks, and the memory that they take.

Letters: B streams, C frames of a chunk, D model width.
"""

import copy
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from summarymixing_sb.encoders.convolution import ConvolutionState


@dataclass
class LayerState:
    """State of one layer; None for a part that the layer does not have.

    Attributes
    ----------
    mixer
        From the mixer's ``make_state``.
    convolution
        The frames before the chunk that the kernel reaches.
    """

    mixer: Any = None
    convolution: ConvolutionState | None = None


@dataclass
class EncoderState:
    """States of all layers. Their size does not grow with time.

    Attributes
    ----------
    chunks
        Chunk size and left context.
    layers
        Empty before the first chunk, which sets the number of streams.
    batch_size
        Streams B; 0 before the first chunk.
    position
        Frames so far; (B,) int64 once streams have advanced independently.
    """

    chunks: DynChunkTrainConfig
    layers: list[LayerState]
    batch_size: int = 0
    position: int | torch.Tensor = 0

    def require_next(self, x):
        """Check that frames can be the next chunk of these streams.

        Parameters
        ----------
        x : torch.Tensor
            (B, C, D).

        Raises
        ------
        ValueError
            If there is no frame, or more than a chunk holds, or another number of streams.
        """
        size = self.chunks.chunk_size
        if not 0 < x.size(1) <= size:
            raise ValueError(f"A chunk holds 1 to {size} frames, not {x.size(1)}.")
        if self.batch_size not in (0, x.size(0)):
            raise ValueError(
                f"These are {self.batch_size} streams, but the chunk has {x.size(0)} rows: make a "
                "context for each batch of streams."
            )


def take_rows(state, rows):
    """Copy the states of some streams.

    Parameters
    ----------
    state : object
        A layer's state, or a list of them. Every tensor in it has the streams first.
    rows : torch.Tensor
        (R,) int64, of the streams.

    Returns
    -------
    object
        Of the same kind, for R streams.
    """
    if isinstance(state, torch.Tensor):
        return state[rows]
    if isinstance(state, list):
        return [take_rows(part, rows) for part in state]
    taken = copy.copy(state)
    for name, value in _parts(state):
        setattr(taken, name, take_rows(value, rows))
    return taken


def put_rows(state, rows, taken):
    """Write the states of some streams back.

    Parameters
    ----------
    state : object
        As for :func:`take_rows`; it is updated.
    rows : torch.Tensor
        (R,) int64, none of them twice.
    taken : object
        From :func:`take_rows`, of these rows.
    """
    if isinstance(state, list):
        for part, of_rows in zip(state, taken):
            put_rows(part, rows, of_rows)
        return
    for name, value in _parts(state):
        of_rows = getattr(taken, name)
        if isinstance(value, torch.Tensor):
            # sums begin in float32, and are then those of the frames
            dtype = torch.promote_types(value.dtype, of_rows.dtype)
            setattr(state, name, value.to(dtype).index_copy(0, rows, of_rows.to(dtype)))
        else:
            put_rows(value, rows, of_rows)


def _parts(state):
    """Give the tensors of a state, and the states in it, by the names of its attributes."""
    for name, value in vars(state).items():
        # tensors without dimensions are settings, such as the logarithm of a decay
        if value.dim() if isinstance(value, torch.Tensor) else _is_object(value):
            yield name, value


def _is_object(value):
    return hasattr(value, "__dict__") and not isinstance(value, (nn.Module, type))


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
    elif _is_object(value):
        yield from _tensors(vars(value))
