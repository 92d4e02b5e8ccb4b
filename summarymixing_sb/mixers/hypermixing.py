"""HyperMixing with SpeechBrain's parameters and outputs, linear in time and memory.

Letters: B batch, T frames, D model width, H heads, K hidden units of one head's mixing MLP.
"""

from speechbrain.nnet import hypermixing

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.mixers.positions import SinusoidalPositions
from summarymixing_sb.registry import register_mixer


@register_mixer("hypermixing")
class HyperMixing(Mixer, hypermixing.HyperMixing):
    """Multi-head HyperMixing (arXiv 2203.03691) over the whole utterance, never over chunks.

    The two matrices of an MLP over time are computed from the frames and their positions. The
    modules are SpeechBrain's. Its forward is not used, because it makes a (B, T, T) tensor of zeros
    as attention weights and is limited to 3000 frames.

    Parameters
    ----------
    d_model : int
        Width D of the input and of the output.
    nhead : int
        Heads H, each a mixing MLP over a slice of the features. H must divide both widths.
    dropout : float
        Not used, since HyperMixing has no dropout.
    d_ffn : int, optional
        Hidden units H K of all mixing MLPs; 4 D by default.

    Raises
    ------
    ValueError
        If the heads do not divide a width.

    Examples
    --------
    >>> import torch
    >>> HyperMixing(d_model=64, nhead=4)(torch.rand(2, 100, 64)).shape
    torch.Size([2, 100, 64])
    """

    supports_chunks = False

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        hidden = d_ffn or 4 * d_model
        for width in (d_model, hidden):
            if width % nhead:
                raise ValueError(
                    f"nhead={nhead} does not divide the width {width} "
                    f"(hypermixing with d_model={d_model}, d_ffn={hidden})."
                )
        hypermixing.HyperMixing.__init__(
            self, input_output_dim=d_model, hypernet_size=hidden, num_heads=nhead
        )
        # SpeechBrain's table of positions ends at 3000 frames.
        self.positional_encoding = SinusoidalPositions(d_model)

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time and memory are linear in T."""
        if chunks is not None:
            raise ValueError("hypermixing sees the whole utterance: it cannot work on chunks.")
        if padding_mask is not None:
            # Frames of zeros add nothing to the sums over time.
            x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
        into, back = self.hyper(x + self.positional_encoding(x))  # (B, H, T, K) each
        by_head = x.unflatten(-1, (self.num_heads, -1)).permute(0, 2, 3, 1)  # (B, H, D / H, T)
        hidden = self.activation(by_head @ into)  # (B, H, D / H, K)
        mixed = back @ hidden.transpose(2, 3)  # (B, H, T, D / H)
        return self.layer_norm(mixed.transpose(1, 2).flatten(2))
