"""States of streaming encoders between two chunks, and the memory that they take.

Letters: B streams, C frames of a chunk, D model width.
"""

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
        Frames so far.
    """

    chunks: DynChunkTrainConfig
    layers: list[LayerState]
    batch_size: int = 0
    position: int = 0

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
