"""Base class of the token mixers."""

from torch import nn


class Mixer(nn.Module):
    """A module that moves information between frames.

    A mixer is built from ``(d_model, nhead, dropout, d_ffn, **own options)`` and called with
    ``(x, padding_mask, chunks, positions)``; subclasses write both and register themselves with
    :func:`summarymixing_sb.register_mixer`.

    Attributes
    ----------
    position : str
        What the model must provide: "none", "absolute" (sinusoids added to the encoder's input)
        or "relative" (``positions``, as :class:`speechbrain.nnet.attention.RelPosEncXL` gives).
    supports_chunks : bool
        Whether the mixer can be limited to chunks, and so be causal.
    forgets : bool
        Whether, of the chunks before, a frame can be limited to the last ones.
    branch_merge : str
        How a Branchformer merges this mixer's branch with its convolution branch: "linear", or
        "mlp" as published for SummaryMixing.
    merge_hidden : int or None
        Hidden width of that MLP; None for the width of the model.
    """

    position = "none"
    supports_chunks = True
    forgets = True
    branch_merge = "linear"
    merge_hidden = None

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames.

        Parameters
        ----------
        x : torch.Tensor
            (B, T, D).
        padding_mask : torch.Tensor, optional
            (B, T), True where a frame is padding; padding follows the valid frames.
        chunks : DynChunkTrainConfig, optional
            Limits what a frame sees to its own chunk and the chunks of its left context.
        positions : torch.Tensor, optional
            (1, 2 T - 1, D), for mixers whose ``position`` is "relative".

        Returns
        -------
        torch.Tensor
            (B, T, D). Frames that are padding hold finite but meaningless values.
        """
        raise NotImplementedError

    def make_state(self, batch_size, chunks):
        """Start streams: make the state that :meth:`step` needs.

        Parameters
        ----------
        batch_size : int
            Number of streams B.
        chunks : DynChunkTrainConfig
            Chunk size and left context, as for :meth:`forward`.

        Returns
        -------
        object
            A state whose tensors have the streams first, with a method ``reorder(index)``, which
            gives row i the state of row ``index[i]``.

        Raises
        ------
        NotImplementedError
            If the mixer cannot be streamed.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot work on one chunk at a time.")

    def step(self, x, state, padding_mask=None):
        """Mix the next chunk; chunk by chunk, this gives what :meth:`forward` gives with chunks.

        Parameters
        ----------
        x : torch.Tensor
            (B, C, D), one chunk; only the last may be shorter than the chunk size.
        state : object
            From :meth:`make_state`; it is updated.
        padding_mask : torch.Tensor, optional
            (B, C), True where a frame is padding.

        Returns
        -------
        torch.Tensor
            (B, C, D).

        Raises
        ------
        NotImplementedError
            If the mixer cannot be streamed.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot work on one chunk at a time.")

    def reset_mixer_parameters(self):
        """Initialise again what a model-wide initialisation gets wrong; by default, nothing."""
