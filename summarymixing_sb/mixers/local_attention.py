"""Self-attention over a sliding window, in linear time: the baseline of long and live speech.

Letters: B batch, T frames, H heads, D width of a head, N blocks, Q frames of a block, K frames that
a block sees.
"""

import torch
import torch.nn.functional as F

from summarymixing_sb.mixers.rope_sdpa import RoPESDPA, rotate
from summarymixing_sb.registry import register_mixer

#: Frames whose windows are computed together.
BLOCK = 64


@register_mixer("LocalAttention")
class LocalAttention(RoPESDPA):
    """Rotary attention of each frame to ``left`` frames before and ``right`` frames behind it.

    It has the parameters of RoPEMHA. Windows are computed for blocks of frames, so that no (T, T)
    tensor is made: time and memory are linear in T. With chunks, a frame sees what both the window
    and the chunks allow.

    Parameters
    ----------
    d_model, nhead, dropout, d_ffn
        See :class:`RoPESDPA`.
    left, right : int
        Frames; at 40 ms a frame, the defaults are 5.1 s on either side.

    Raises
    ------
    ValueError
        If a number is negative, or a head has an odd width.

    Examples
    --------
    >>> LocalAttention(d_model=64, nhead=4, left=20, right=10)(torch.rand(2, 100, 64)).shape
    torch.Size([2, 100, 64])
    """

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None, left=128, right=128):
        super().__init__(d_model, nhead, dropout, d_ffn)
        for name, value in (("left", left), ("right", right)):
            if value < 0:
                raise ValueError(f"{name} of LocalAttention must be 0 or more frames, not {value}.")
        self.left, self.right = left, right

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time and memory are linear in T."""
        batch, time = x.shape[:2]
        if padding_mask is None:
            padding_mask = x.new_zeros(batch, time, dtype=torch.bool)
        query, key, value = self._project(x.masked_fill(padding_mask.unsqueeze(-1), 0))
        rotation = self._rotation(x, time)
        missing = -time % BLOCK
        query = F.pad(rotate(query, rotation), (0, 0, 0, missing)).unflatten(2, (-1, BLOCK))
        around = (self.left, self.right + missing)
        seen = self.left + BLOCK + self.right  # K

        def windows(frames):
            """Give each block its keys or values, (B, H, T, D) to (B, N, H, K, D)."""
            frames = F.pad(frames, (0, 0, *around)).unfold(2, seen, BLOCK)  # (B, H, N, D, K)
            return frames.permute(0, 2, 1, 4, 3)

        hidden = F.pad(padding_mask, around, value=True).unfold(1, seen, BLOCK)  # (B, N, K)
        visible = self._window(time + missing, chunks, x.device) & ~hidden.unsqueeze(2)
        # padding sees itself, since a frame that sees nothing would be NaN
        diagonal = torch.arange(seen, device=x.device) - self.left
        visible = visible | (diagonal == torch.arange(BLOCK, device=x.device).unsqueeze(1))
        mixed = F.scaled_dot_product_attention(
            query.transpose(1, 2).flatten(0, 1),
            windows(rotate(key, rotation)).flatten(0, 1),
            windows(value).flatten(0, 1),
            attn_mask=visible.flatten(0, 1).unsqueeze(1),  # (B N, 1, Q, K)
            dropout_p=self.dropout if self.training else 0.0,
            scale=self.scale,
        )  # (B N, H, Q, D)
        mixed = mixed.transpose(1, 2).flatten(2).view(batch, time + missing, -1)
        return self.out_proj(mixed[:, :time])

    def _window(self, time, chunks, device):
        """Build (N, Q, K), True where a frame may see another, as far as window and chunks go."""
        start = torch.arange(0, time, BLOCK, device=device).view(-1, 1, 1)
        frame = start + torch.arange(BLOCK, device=device).unsqueeze(1)
        other = start + torch.arange(self.left + BLOCK + self.right, device=device) - self.left
        visible = (other >= frame - self.left) & (other <= frame + self.right)
        if chunks is not None:
            size, left = chunks.chunk_size, chunks.left_context_size
            visible = visible & (other // size <= frame // size)
            if left is not None:
                visible = visible & (other // size >= frame // size - left)
        return visible

    def kept_frames(self, chunks):
        """Count the frames before a chunk that its first frame sees."""
        if chunks.left_context_size is None:
            return self.left
        return min(self.left, super().kept_frames(chunks))

    def reach(self, frame, other):
        """Say which others, (K,), are in the windows of frames, (Q, 1)."""
        return (other >= frame - self.left) & (other <= frame + self.right)
