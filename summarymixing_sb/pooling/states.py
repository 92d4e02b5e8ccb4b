"""What a stream remembers of the frames so far, to average them chunk by chunk.

Letters: B batch, C frames of a chunk, K chunks remembered, W frames remembered, d summary width.
"""

import torch

from summarymixing_sb.pooling.decay import decayed_ratio, decayed_sums, fading
from summarymixing_sb.pooling.means import masked_sum
from summarymixing_sb.pooling.window import window_means


class SummaryState:
    """The sums behind :func:`summarymixing_sb.pooling.chunk_means`, one chunk at a time.

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
        self._check_length(frames)
        if padding_mask is not None:
            padding_mask = padding_mask.unsqueeze(1)
        total, count = masked_sum(frames.unsqueeze(1), padding_mask)  # (B, 1, d), (B or 1, 1, 1)
        # Added up anew each time: a running sum that chunks leave again would drift.
        seen_total = self.totals.sum(1, keepdim=True) + total
        seen_count = self.counts.sum(1, keepdim=True) + count
        self._keep(total, count)
        return (seen_total / seen_count.clamp(min=1)).to(frames.dtype)

    def _check_length(self, frames):
        if frames.size(1) > self.chunks.chunk_size:
            raise ValueError(
                f"A chunk holds at most {self.chunks.chunk_size} frames, not {frames.size(1)}."
            )

    def _keep(self, total, count):
        """Remember the sums of a chunk, in place of those of the oldest if contexts end."""
        if self.chunks.left_context_size is None:
            self.totals, self.counts = self.totals + total, self.counts + count
        else:
            count = count.expand(total.size(0), -1, -1)
            self.totals = torch.cat((self.totals, total), dim=1)[:, 1:]
            self.counts = torch.cat((self.counts, count), dim=1)[:, 1:]

    def reorder(self, index):
        """Let row i go on from what row ``index[i]`` has seen, as a beam search asks for.

        Parameters
        ----------
        index : torch.Tensor
            (B,) rows.
        """
        self.totals = self.totals.index_select(0, index)
        self.counts = self.counts.index_select(0, index)


class DecayState(SummaryState):
    """The sums behind :func:`summarymixing_sb.pooling.decayed_means`, one chunk at a time.

    Each sum is that of one chunk, or of all of them, as the last frame so far sees it.

    Parameters
    ----------
    batch_size, width, chunks, device
        See :class:`SummaryState`.
    log_decay : float or torch.Tensor
        Logarithm of gamma, below 0; a tensor has no dimensions.

    Examples
    --------
    >>> import math
    >>> from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
    >>> state = DecayState(1, 1, DynChunkTrainConfig(1, None), "cpu", math.log(0.5))
    >>> state.add(torch.tensor([[[1.0]]])), state.add(torch.tensor([[[4.0]]]))
    (tensor([[[1.]]]), tensor([[[3.]]]))
    """

    def __init__(self, batch_size, width, chunks, device, log_decay):
        super().__init__(batch_size, width, chunks, device)
        self.log_decay = log_decay

    def add(self, frames, padding_mask=None):
        """Take in the next chunk, and average what each of its frames may see: (B, C, d).

        See :meth:`SummaryState.add`.
        """
        self._check_length(frames)
        total, weight = decayed_sums(frames, self.log_decay, padding_mask)
        fade = fading(frames.size(1), self.log_decay, total)  # (C, 1)
        seen_total = total + fade * self.totals.sum(1, keepdim=True)
        seen_weight = weight + fade * self.counts.sum(1, keepdim=True)
        self.totals, self.counts = fade[-1] * self.totals, fade[-1] * self.counts
        self._keep(total[:, -1:], weight[:, -1:])
        return decayed_ratio(seen_total, seen_weight).to(frames.dtype)


class WindowState(SummaryState):
    """As :class:`SummaryState`, and the last frames, for the windows that reach back to them.

    Parameters
    ----------
    batch_size, width, chunks, device
        See :class:`SummaryState`.
    window : int
        How many frames before and after a frame it sees.

    Examples
    --------
    >>> from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
    >>> state = WindowState(1, 1, DynChunkTrainConfig(1, None), "cpu", window=1)
    >>> for frame in (1.0, 3.0, 5.0):
    ...     means = state.add(torch.tensor([[[frame]]]))
    >>> means  # of all three, and of the last two
    (tensor([[[3.]]]), tensor([[[4.]]]))
    """

    def __init__(self, batch_size, width, chunks, device, window):
        super().__init__(batch_size, width, chunks, device)
        self.window = window
        kept = window  # W
        if chunks.left_context_size is not None:
            kept = min(window, chunks.left_context_size * chunks.chunk_size)
        self.frames = torch.zeros(batch_size, kept, width, device=device)  # (B, W, d)
        self.padding_mask = torch.ones(batch_size, kept, dtype=torch.bool, device=device)

    def add(self, frames, padding_mask=None):
        """Take in the next chunk, and average what each of its frames may see.

        Parameters
        ----------
        frames, padding_mask
            See :meth:`SummaryState.add`.

        Returns
        -------
        tuple
            The mean of :meth:`SummaryState.add`, (B, 1, d), and those over windows, (B, C, d).
        """
        mean = super().add(frames, padding_mask)
        if padding_mask is None:
            padding_mask = frames.new_zeros(frames.shape[:2], dtype=torch.bool)
        kept = self.frames.size(1)
        self.frames = torch.cat((self.frames, frames), dim=1)
        self.padding_mask = torch.cat((self.padding_mask, padding_mask), dim=1)
        means = window_means(self.frames, self.window, self.padding_mask)[:, kept:]
        # Copies: a view would keep the frames alive that it leaves out.
        self.frames = self.frames[:, frames.size(1) :].clone()
        self.padding_mask = self.padding_mask[:, frames.size(1) :].clone()
        return mean, means.to(frames.dtype)

    def reorder(self, index):
        """Let row i go on from what row ``index[i]`` has seen, see :meth:`SummaryState.reorder`."""
        super().reorder(index)
        self.frames = self.frames.index_select(0, index)
        self.padding_mask = self.padding_mask.index_select(0, index)
