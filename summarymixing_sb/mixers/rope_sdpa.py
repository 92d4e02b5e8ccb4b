"""Rotary self-attention through PyTorch's fused attention: the baseline for speed."""

import torch
import torch.nn.functional as F
from speechbrain.nnet import attention

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.mixers.key_values import KeyValueState
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
        query, key, value = self._project(x)
        rotation = self._rotation(x, x.size(1))
        visible = None
        if padding_mask is not None:
            visible = ~padding_mask[:, None, None, :]  # (B, 1, 1, T)
        if chunks is not None:
            in_chunks = ~chunk_attention_mask(x.size(1), chunks, x.device)  # (T, T)
            visible = in_chunks if visible is None else visible & in_chunks
        return self._attend(rotate(query, rotation), rotate(key, rotation), value, visible)

    def make_state(self, batch_size, chunks):
        """Start streams, see :meth:`Mixer.make_state`; the left context must be limited.

        It holds the keys and values of the left context.
        """
        device = self.in_proj_weight.device
        kept = self.kept_frames(chunks)
        return KeyValueState(batch_size, self.num_heads, self.head_dim, kept, device)

    def kept_frames(self, chunks):
        """Count the frames before a chunk that its first frame sees.

        Parameters
        ----------
        chunks : DynChunkTrainConfig

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If it sees all of them.
        """
        if chunks.left_context_size is None:
            raise ValueError(
                f"{type(self).__name__} with all of the left context keeps every frame of a stream:"
                " give the number of chunks that a chunk sees (left_context)."
            )
        return chunks.left_context_size * chunks.chunk_size

    def step(self, x, state, padding_mask=None):
        """Mix the next chunk, see :meth:`Mixer.step`."""
        query, key, value = self._project(x)
        key, value, hidden = state.extend(key, value, padding_mask)
        # rotations depend on distances alone, so that counting from the first kept frame will do
        rotation = self._rotation(x, key.size(2))
        other = torch.arange(key.size(2), device=x.device)
        frame = other[-x.size(1) :].unsqueeze(1)
        # a frame of padding sees itself, since it would be NaN if it saw nothing
        visible = self.reach(frame, other) & ~hidden[:, None] | (frame == other)
        return self._attend(
            rotate(query, rotation[-x.size(1) :]), rotate(key, rotation), value, visible[:, None]
        )

    def reach(self, frame, other):
        """Say which others, (K,), frames, (Q, 1), may see among those that are kept: all."""
        return torch.ones_like(frame == other)

    def _project(self, x):
        """Compute queries, keys and values, each (B, H, T, D / H)."""
        qkv = F.linear(x, self.in_proj_weight).unflatten(-1, (self.num_heads, -1))
        return qkv.transpose(1, 2).chunk(3, dim=-1)

    def _attend(self, query, key, value, visible):
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=visible,
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scale,
        )
        return self.out_proj(mixed.transpose(1, 2).flatten(2))

    def _rotation(self, x, time):
        """Compute the complex numbers exp(i t theta_j), (T, D / 2H)."""
        options = {"device": x.device, "dtype": torch.promote_types(x.dtype, torch.float32)}
        pairs = torch.arange(self.head_dim // 2, **options)
        theta = 10000.0 ** (-2 * pairs / self.head_dim)
        angles = torch.outer(torch.arange(time, **options), theta)
        return torch.polar(torch.ones_like(angles), angles)


def rotate(vectors, rotation):
    """Turn the pairs of features of each frame.

    Parameters
    ----------
    vectors : torch.Tensor
        (B, H, T, D).
    rotation : torch.Tensor
        (T, D / 2), complex numbers of magnitude 1.

    Returns
    -------
    torch.Tensor
        (B, H, T, D).
    """
    exact = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
    pairs = torch.view_as_complex(exact.unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * rotation).flatten(-2).to(vectors.dtype)
