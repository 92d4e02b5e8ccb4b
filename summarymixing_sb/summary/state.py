"""What a stream remembers of the frames so far, to average them chunk by chunk.

Letters: B batch, C frames of a chunk, K chunks remembered, d summary width.
"""

import torch

from summarymixing_sb.summary.pooling import masked_sum


class SummaryState:
    """The sums behind :func:`summarymixing_sb.summary.chunk_means`, one chunk at a time.

    With all of the left context that is one (sum, count) for each row; with a left context of K
    chunks it is those of the last K chunks. Either way it does not grow with time.

    Parameters
    ----------
    batch_size : int
        Rows B.
    width : int
        Summary width d.
    chunks : DynChunkTrainConfig
        Chunk size in frames; left context in chunks, None for all that came before.
    device : torch.device
        Where the frames are.

    Raises
    ------
    ValueError
        If there are no chunks: the mean of a whole utterance needs its end.

    Examples
    --------
    >>> from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
    >>> state = SummaryState(1, 1, DynChunkTrainConfig(2, None), "cpu")
    >>> state.add(torch.tensor([[[1.0], [3.0]]])), state.add(torch.tensor([[[5.0], [7.0]]]))
    (tensor([[[2.]]]), tensor([[[4.]]]))
    """

    def __init__(self, batch_size, width, chunks, device):
        if chunks is None:
            raise ValueError(
                "The mean of a whole utterance needs its end, so it cannot be streamed: give "
                "chunks (a DynChunkTrainConfig)."
            )
        self.chunks = chunks
        kept = 1 if chunks.left_context_size is None else chunks.left_context_size  # K
        # float32 sums are added to them; float64 ones turn them into float64
        options = {"dtype": torch.float32, "device": device}
        self.totals = torch.zeros(batch_size, kept, width, **options)  # (B, K, d)
        self.counts = torch.zeros(batch_size, kept, 1, **options)  # (B, K, 1)

    def add(self, frames, padding_mask=None):
        """Take in the next chunk, and average what it may see.

        Parameters
        ----------
        frames : torch.Tensor
            s(x) of one chunk, (B, C, d); only the last chunk may be shorter than the chunk size.
        padding_mask : torch.Tensor, optional
            (B, C), True where a frame is padding.

        Returns
        -------
        torch.Tensor
            (B, 1, d), in the type of ``frames``. A row that sees no valid frame gives zeros.

        Raises
        ------
        ValueError
            If the chunk is longer than the chunk size.
        """
        if frames.size(1) > self.chunks.chunk_size:
            raise ValueError(
                f"A chunk holds at most {self.chunks.chunk_size} frames, not {frames.size(1)}."
            )
        if padding_mask is not None:
            padding_mask = padding_mask.unsqueeze(1)
        total, count = masked_sum(frames.unsqueeze(1), padding_mask)  # (B, 1, d), (B or 1, 1, 1)
        # Added up anew each time: a running sum that chunks leave again would drift.
        seen_total = self.totals.sum(1, keepdim=True) + total
        seen_count = self.counts.sum(1, keepdim=True) + count
        if self.chunks.left_context_size is None:
            self.totals, self.counts = seen_total, seen_count
        else:
            self.totals = _without_oldest(self.totals, total)
            self.counts = _without_oldest(self.counts, count.expand(frames.size(0), -1, -1))
        return (seen_total / seen_count.clamp(min=1)).to(frames.dtype)

    def reorder(self, index):
        """Let row i go on from what row ``index[i]`` has seen, as a beam search asks for.

        Parameters
        ----------
        index : torch.Tensor
            (B,) rows.
        """
        self.totals = self.totals.index_select(0, index)
        self.counts = self.counts.index_select(0, index)


def _without_oldest(kept, new):
    return torch.cat((kept, new), dim=1)[:, 1:]
