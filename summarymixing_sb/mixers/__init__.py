"""Token mixers, one per file; importing this package registers them."""

from summarymixing_sb.mixers.base import Mixer
from summarymixing_sb.mixers.fastformer import FastFormer
from summarymixing_sb.mixers.hypermixing import HyperMixing
from summarymixing_sb.mixers.local_attention import LocalAttention
from summarymixing_sb.mixers.mamba import Mamba
from summarymixing_sb.mixers.none import NoMixer
from summarymixing_sb.mixers.pom import PoM
from summarymixing_sb.mixers.rope_sdpa import RoPESDPA
from summarymixing_sb.mixers.speechbrain import MultiheadAttention, RelPosMHAXL, RoPEMHA
from summarymixing_sb.mixers.summary_mixing import SummaryMixing

__all__ = [
    "FastFormer",
    "HyperMixing",
    "LocalAttention",
    "Mamba",
    "Mixer",
    "MultiheadAttention",
    "NoMixer",
    "PoM",
    "RelPosMHAXL",
    "RoPEMHA",
    "RoPESDPA",
    "SummaryMixing",
]
