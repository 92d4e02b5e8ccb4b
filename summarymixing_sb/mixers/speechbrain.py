"""SpeechBrain's self-attentions as mixers, with the same parameter names and outputs."""

from speechbrain.nnet import attention

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.mixers.masks import chunk_attention_mask
from summarymixing_sb.registry import register_mixer


class _SelfAttention(Mixer):
    """Adapter that calls a SpeechBrain attention, the second base of its subclasses, on x."""

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        """Mix frames, see :meth:`Mixer.forward`. Time and memory are quadratic in T."""
        mask = None if chunks is None else chunk_attention_mask(x.size(1), chunks, x.device)
        return super(Mixer, self).forward(
            x,
            x,
            x,
            attn_mask=mask,
            key_padding_mask=padding_mask,
            pos_embs=positions,
            return_attn_weights=False,
        )


@register_mixer("regularMHA")
class MultiheadAttention(_SelfAttention, attention.MultiheadAttention):
    """Dot-product self-attention with absolute positions (arXiv 1706.03762)."""

    position = "absolute"

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        super().__init__(nhead=nhead, d_model=d_model, dropout=dropout)


@register_mixer("RelPosMHAXL")
class RelPosMHAXL(_SelfAttention, attention.RelPosMHAXL):
    """Self-attention with the relative positions of Transformer-XL (arXiv 1901.02860)."""

    position = "relative"

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        super().__init__(embed_dim=d_model, num_heads=nhead, dropout=dropout)


@register_mixer("RoPEMHA")
class RoPEMHA(_SelfAttention, attention.RoPEMHA):
    """Self-attention with rotary positions (arXiv 2104.09864), as SpeechBrain computes it."""

    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        super().__init__(embed_dim=d_model, num_heads=nhead, dropout=dropout)
