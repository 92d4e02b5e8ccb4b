"""SummaryMixing, a linear-time replacement of self-attention, for SpeechBrain."""

from summarymixing_sb.encoders.contextnet import ContextNet
from summarymixing_sb.mixers import SummaryMixing
from summarymixing_sb.models.front_end import ConvolutionFrontEnd
from summarymixing_sb.models.transformer_asr import TransformerASR
from summarymixing_sb.registry import build_mixer, list_mixers, register_mixer
from summarymixing_sb.version import __version__

__all__ = [
    "ContextNet",
    "ConvolutionFrontEnd",
    "SummaryMixing",
    "TransformerASR",
    "__version__",
    "build_mixer",
    "list_mixers",
    "register_mixer",
]
