"""What every token mixer has in common."""

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
    branch_merge : str
        How a Branchformer merges this mixer's branch with its other one: "linear", or "mlp" as
        published for SummaryMixing.
    """

    position = "none"
    supports_chunks = True
    branch_merge = "linear"

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

    def reset_mixer_parameters(self):
        """Initialise anew what a model-wide initialisation gets wrong; by default, nothing."""
