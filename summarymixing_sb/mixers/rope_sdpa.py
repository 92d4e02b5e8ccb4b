"""Rotary self-attention through PyTorch's fused attention: the baseline for speed."""

import torch
import torch.nn.functional as F
from speechbrain.nnet import attention

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.mixers.masks import chunk_attention_mask
from summarymixing_sb.registry import register_mixer


@register_mixer("RoPESDPA")
class RoPESDPA(Mixer, attention.RoPEMHA):
    """SpeechBrain's RoPEMHA with the same parameters and outputs, but faster.

    SpeechBrain expands the padding mask to (B, H, T, T) and swaps the features of every pair by
    indexing. Here the mask is broadcast from (B, 1, 1, T), and the rotation (arXiv 2104.09864,
    equation 34) is a product of complex numbers.

    Examples
    --------
    >>> RoPESDPA(d_model=64, nhead=4)(torch.rand(2, 100, 64)).shape
    torch.Size([2, 100, 64])
    """

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        if d_model % (2 * nhead):
            raise ValueError(
                f"Rotary positions turn pairs of features, so each head needs an even width: "
                f"d_model={d_model} over nhead={nhead}."
            )
        attention.RoPEMHA.__init__(self, embed_dim=d_model, num_heads=nhead, dropout=dropout)

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time is quadratic in T."""
        qkv = F.linear(x, self.in_proj_weight).unflatten(-1, (self.num_heads, -1))
        query, key, value = qkv.transpose(1, 2).chunk(3, dim=-1)  # (B, H, T, D / H) each
        rotation = self._rotation(x)
        visible = None
        if padding_mask is not None:
            visible = ~padding_mask[:, None, None, :]  # (B, 1, 1, T)
        if chunks is not None:
            in_chunks = ~chunk_attention_mask(x.size(1), chunks, x.device)  # (T, T)
            visible = in_chunks if visible is None else visible & in_chunks
        mixed = F.scaled_dot_product_attention(
            _rotate(query, rotation),
            _rotate(key, rotation),
            value,
            attn_mask=visible,
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scale,
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def _rotation(self, x):
        """Compute the complex numbers exp(i t theta_j), (T, D / 2H)."""
        pairs = torch.arange(self.head_dim // 2, device=x.device, dtype=torch.float32)
        theta = 10000.0 ** (-2 * pairs / self.head_dim)
        time = torch.arange(x.size(1), device=x.device, dtype=torch.float32)
        angles = torch.outer(time, theta)
        return torch.polar(torch.ones_like(angles), angles)


def _rotate(vectors, rotation):
    pairs = torch.view_as_complex(vectors.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * rotation).flatten(-2).to(vectors.dtype)
