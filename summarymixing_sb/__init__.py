"""SummaryMixing, a linear-time replacement of self-attention, for SpeechBrain."""

import summarymixing_sb.threads  # noqa: F401

# isort: split
from summarymixing_sb.encoders import (
    BranchformerEncoder,
    ConformerEncoder,
    ContextNet,
    TransformerEncoder,
)
from summarymixing_sb.mixers import Mixer, SummaryMixing
from summarymixing_sb.models.checkpointer import Checkpointer
from summarymixing_sb.models.depthwise_front_end import DepthwiseSeparableFrontEnd
from summarymixing_sb.models.front_end import ConvolutionFrontEnd, FrontEnd
from summarymixing_sb.models.predictor import Predictor
from summarymixing_sb.models.transformer_asr import TransformerASR
from summarymixing_sb.registry import build_mixer, list_mixers, register_mixer
from summarymixing_sb.version import __version__

__all__ = [
    "BranchformerEncoder",
    "Checkpointer",
    "ConformerEncoder",
    "ContextNet",
    "ConvolutionFrontEnd",
    "DepthwiseSeparableFrontEnd",
    "FrontEnd",
    "Mixer",
    "Predictor",
    "SummaryMixing",
    "TransformerASR",
    "TransformerEncoder",
    "__version__",
    "build_mixer",
    "list_mixers",
    "register_mixer",
]
