"""Modules that average s(x) over whole recordings, or one chunk at a time.

Letters: B batch, T frames, N chunks, C frames of a chunk, d summary width.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from summarymixing_sb.pooling.decay import decayed_means
from summarymixing_sb.pooling.means import chunk_means, utterance_mean
from summarymixing_sb.pooling.states import DecayState, SummaryState, WindowState
from summarymixing_sb.pooling.window import window_means


class UtterancePooling(nn.Module):
    """The mean over the utterance or, given chunks, over what each chunk sees.

    Examples
    --------
    >>> (means,) = UtterancePooling()(torch.rand(2, 9, 4))
    >>> means.shape
    torch.Size([2, 1, 4])
    """

    def forward(self, frames, padding_mask=None, chunks=None):
        """Average frames.

        Parameters
        ----------
        frames : torch.Tensor
            s(x), shape (B, T, d).
        padding_mask : torch.Tensor, optional
            (B, T), True where a frame is padding.
        chunks : DynChunkTrainConfig, optional
            Limits what a frame sees to its own chunk and the chunks of its left context.

        Returns
        -------
        tuple of torch.Tensor
            The summaries that the combiner concatenates: (B, 1, d) for all frames, (B, N, d) with
            one for each chunk, or (B, T, d) with one for each frame.
        """
        if chunks is None:
            return (utterance_mean(frames, padding_mask),)
        return (chunk_means(frames, chunks, padding_mask),)

    def make_state(self, batch_size, width, chunks, device):
        """Start streams: make a :class:`SummaryState`, or a subclass of it, for :meth:`step`."""
        return SummaryState(batch_size, width, chunks, device)

    def step(self, frames, state, padding_mask=None):
        """Average as :meth:`forward` does, for the next chunk (B, C, d) alone; N is 1."""
        return (state.add(frames, padding_mask),)


class DecayPooling(nn.Module):
    """A mean for every frame t, whose weights are gamma^|i - t|.

    There is one gamma, not one per head, so that a block of frames is a single matrix product.
    Every layer of an encoder has its own gamma.

    Parameters
    ----------
    decay : float
        Gamma, above 0 and below 1; the initial value if it is learned.
    learn_decay : bool
        Whether gamma is learned, as the sigmoid of a parameter.

    Raises
    ------
    ValueError
        If gamma is out of bounds.

    Examples
    --------
    >>> (means,) = DecayPooling(decay=0.9)(torch.rand(2, 9, 4))
    >>> means.shape
    torch.Size([2, 9, 4])
    """

    def __init__(self, decay, learn_decay=False):
        super().__init__()
        if not 0 < decay < 1:
            raise ValueError(f"decay must be above 0 and below 1, not {decay}.")
        self.fixed_log_decay = math.log(decay)
        logit = torch.tensor(math.log(decay) - math.log1p(-decay))
        self.decay_logit = nn.Parameter(logit) if learn_decay else None

    @property
    def log_decay(self):
        """Logarithm of gamma: a float, or a tensor without dimensions if it is learned."""
        if self.decay_logit is None:
            return self.fixed_log_decay
        # In float32, since bfloat16 is too coarse where gamma is near 1.
        logit = self.decay_logit
        return F.logsigmoid(logit.to(torch.promote_types(logit.dtype, torch.float32)))

    def forward(self, frames, padding_mask=None, chunks=None):
        """Average (B, T, d) to the same shape, see :meth:`UtterancePooling.forward`."""
        return (decayed_means(frames, self.log_decay, padding_mask, chunks),)

    def make_state(self, batch_size, width, chunks, device):
        """Start streams, see :meth:`UtterancePooling.make_state`."""
        return DecayState(batch_size, width, chunks, device, self.log_decay)

    def step(self, frames, state, padding_mask=None):
        """Average the next chunk (B, C, d) to the same shape."""
        return (state.add(frames, padding_mask),)


class WindowPooling(UtterancePooling):
    """The mean of the utterance, and one over the neighbours of each frame (arXiv 2602.09043).

    Parameters
    ----------
    window : int
        Frames on either side that a frame sees; at least 1.

    Raises
    ------
    ValueError
        If ``window`` is below 1.

    Examples
    --------
    >>> [means.shape for means in WindowPooling(window=2)(torch.rand(2, 9, 4))]
    [torch.Size([2, 1, 4]), torch.Size([2, 9, 4])]
    """

    def __init__(self, window):
        super().__init__()
        if window < 1:
            raise ValueError(f"window must be 1 or more frames on either side, not {window}.")
        self.window = window

    def forward(self, frames, padding_mask=None, chunks=None):
        """Average to (B, 1 or N, d) and (B, T, d), see :meth:`UtterancePooling.forward`."""
        means = window_means(frames, self.window, padding_mask, chunks)
        return *super().forward(frames, padding_mask, chunks), means

    def make_state(self, batch_size, width, chunks, device):
        """Start streams, see :meth:`UtterancePooling.make_state`."""
        return WindowState(batch_size, width, chunks, device, self.window)

    def step(self, frames, state, padding_mask=None):
        """Average the next chunk (B, C, d) to (B, 1, d) and (B, C, d)."""
        return state.add(frames, padding_mask)
