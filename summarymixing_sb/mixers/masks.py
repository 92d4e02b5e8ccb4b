"""Attention masks of the quadratic baselines."""

import torch


def chunk_attention_mask(time, chunks, device):
    """Build the (T, T) mask of chunked attention, True where a query may not see a key.

    Chunks of one frame with unlimited left context give the causal mask.

    Parameters
    ----------
    time : int
        Number of frames T.
    chunks : DynChunkTrainConfig
        Chunk size in frames, left context in chunks.
    device : torch.device
        Device of the mask.

    Returns
    -------
    torch.Tensor
        (T, T) bool.

    Examples
    --------
    >>> from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
    >>> chunk_attention_mask(4, DynChunkTrainConfig(2, 0), "cpu").int()
    tensor([[0, 0, 1, 1],
            [0, 0, 1, 1],
            [1, 1, 0, 0],
            [1, 1, 0, 0]], dtype=torch.int32)
    """
    chunk = torch.arange(time, device=device) // chunks.chunk_size
    ahead = chunk - chunk.unsqueeze(1)  # (T, T), in chunks; positive = in the future
    hidden = ahead > 0
    if chunks.left_context_size is not None:
        hidden |= ahead < -chunks.left_context_size
    return hidden
