"""What an encoder remembers of the chunks before, so that it can go on with the next one.

Letters: B streams, C frames of a chunk.
"""

from dataclasses import dataclass
from typing import Any

from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.encoders.convolution import ConvolutionState


@dataclass
class LayerState:
    """What one layer remembers; a part that the layer does not have remembers None.

    Attributes
    ----------
    mixer : object or None
        From the mixer's ``make_state``.
    convolution : ConvolutionState or None
        The frames before the chunk that the kernel reaches.
    """

    mixer: Any = None
    convolution: ConvolutionState | None = None


@dataclass
class EncoderState:
    """What all layers remember. It does not grow with time.

    Attributes
    ----------
    chunks : DynChunkTrainConfig
        Chunk size and left context.
    layers : list of LayerState
        Empty before the first chunk, which shows the number of streams.
    batch_size : int
        Streams B; 0 before the first chunk.
    position : int
        Frames so far.
    """

    chunks: DynChunkTrainConfig
    layers: list[LayerState]
    batch_size: int = 0
    position: int = 0

    def require_next(self, x):
        """Refuse what cannot be the next chunk of these streams.

        Parameters
        ----------
        x : torch.Tensor
            (B, C, D).

        Raises
        ------
        ValueError
            If it has no frame, or more than a chunk holds, or another number of streams.
        """
        size = self.chunks.chunk_size
        if not 0 < x.size(1) <= size:
            raise ValueError(f"A chunk holds 1 to {size} frames, not {x.size(1)}.")
        if self.batch_size not in (0, x.size(0)):
            raise ValueError(
                f"These are {self.batch_size} streams, but the chunk has {x.size(0)} rows: make a "
                "context for each batch of streams."
            )
