"""Streaming states of the poolings: sums of the chunks before the next one.

Letters: B batch, C frames of a chunk, K stored chunks, W stored frames, d summary width.
"""

import torch

from summarymixing_sb.pooling.decay import decay_powers, decayed_ratio, decayed_sums
from summarymixing_sb.pooling.means import masked_sum
from summarymixing_sb.pooling.window import window_means


class SummaryState:
    """Streaming state of :func:`summarymixing_sb.pooling.chunk_means`.

    It holds one (sum, count) for each row with all of the left context, or those of the last K
    chunks with a left context of K chunks. It does not grow with time.

    Parameters
    ----------
    batch_size : int
        Rows B.
    width : int
        Summary width d.
    chunks : DynChunkTrainConfig
        Chunk size in frames; left context in chunks, None for all earlier chunks.
    device : torch.device
        Where the frames are.

    Raises
    ------
    ValueError
        If there are no chunks, since the mean of a whole utterance needs its end.

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
        # These become float64 when float64 sums are added.
        options = {"dtype": torch.float32, "device": device}
        self.totals = torch.zeros(batch_size, kept, width, **options)  # (B, K, d)
        self.counts = torch.zeros(batch_size, kept, 1, **options)  # (B, K, 1)

    def add(self, frames, padding_mask=None):
        """Add the next chunk, and average what it sees.

        Parameters
        ----------
        frames : torch.Tensor
            s(x) of one chunk, (B, C, d); only the last chunk may be shorter than the chunk size.
        padding_mask : torch.Tensor, optional
            (B, C), True where a frame is padding.

        Returns
        -------
        torch.Tensor
            (B, 1, d), in the type of ``frames``; zeros where no valid frame is seen.

        Raises
        ------
        ValueError
            If the chunk is longer than the chunk size.
        """
        self._check_length(frames)
        if padding_mask is not None:
            padding_mask = padding_mask.unsqueeze(1)
        total, count = masked_sum(frames.unsqueeze(1), padding_mask)  # (B, 1, d), (B or 1, 1, 1)
        # A new sum each time, since a running sum drifts when old chunks are subtracted.
        all_total = self.totals.sum(1, keepdim=True) + total
        all_count = self.counts.sum(1, keepdim=True) + count
        self._keep(total, count)
        return (all_total / all_count.clamp(min=1)).to(frames.dtype)

    def _check_length(self, frames):
        if frames.size(1) > self.chunks.chunk_size:
            raise ValueError(
                f"A chunk holds at most {self.chunks.chunk_size} frames, not {frames.size(1)}."
            )

    def _keep(self, total, count):
        """Store the sums of a chunk; with a limited left context they replace the oldest."""
        if self.chunks.left_context_size is None:
            self.totals, self.counts = self.totals + total, self.counts + count
        else:
            count = count.expand(total.size(0), -1, -1)
            # copies, since a view would keep the memory of the oldest
            self.totals = torch.cat((self.totals, total), dim=1)[:, 1:].clone()
            self.counts = torch.cat((self.counts, count), dim=1)[:, 1:].clone()

    def reorder(self, index):
        """Give row i the state of row ``index[i]``, for a beam search.

        Parameters
        ----------
        index : torch.Tensor
            (B,) rows.
        """
        self.totals = self.totals.index_select(0, index)
        self.counts = self.counts.index_select(0, index)


class DecayState(SummaryState):
    """Streaming state of :func:`summarymixing_sb.pooling.decayed_means`.

    Each sum has the weights that the last frame so far gives it.

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
        """Add the next chunk, and average what each of its frames sees.

        Parameters
        ----------
        frames, padding_mask
            See :meth:`SummaryState.add`.

        Returns
        -------
        torch.Tensor
            (B, C, d), in the type of ``frames``.
        """
        self._check_length(frames)
        total, weight = decayed_sums(frames, self.log_decay, padding_mask)
        powers = decay_powers(frames.size(1), self.log_decay, total)  # (C, 1)
        all_total = total + powers * self.totals.sum(1, keepdim=True)
        all_weight = weight + powers * self.counts.sum(1, keepdim=True)
        self.totals, self.counts = powers[-1] * self.totals, powers[-1] * self.counts
        self._keep(total[:, -1:], weight[:, -1:])
        return decayed_ratio(all_total, all_weight).to(frames.dtype)


class WindowState(SummaryState):
    """State of :class:`SummaryState` and the last frames, for windows that reach back to them.

    Parameters
    ----------
    batch_size, width, chunks, device
        See :class:`SummaryState`.
    window : int
        Frames on either side that a frame sees.

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
        """Add the next chunk, and average what each of its frames sees.

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
        # Copies, since a view would keep the memory of the dropped frames.
        self.frames = self.frames[:, frames.size(1) :].clone()
        self.padding_mask = self.padding_mask[:, frames.size(1) :].clone()
        return mean, means.to(frames.dtype)

    def reorder(self, index):
        """Give row i the state of row ``index[i]``, see :meth:`SummaryState.reorder`."""
        super().reorder(index)
        self.frames = self.frames.index_select(0, index)
        self.padding_mask = self.padding_mask.index_select(0, index)
