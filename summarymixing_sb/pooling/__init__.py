"""Means of s(x) over time, in linear time: whole utterances, chunks, decay, windows, streams."""

from summarymixing_sb.pooling.decay import decayed_means
from summarymixing_sb.pooling.means import chunk_means, utterance_mean
from summarymixing_sb.pooling.modules import DecayPooling, UtterancePooling, WindowPooling
from summarymixing_sb.pooling.states import DecayState, SummaryState, WindowState
from summarymixing_sb.pooling.window import window_means

__all__ = [
    "DecayPooling",
    "DecayState",
    "SummaryState",
    "UtterancePooling",
    "WindowPooling",
    "WindowState",
    "chunk_means",
    "decayed_means",
    "utterance_mean",
    "window_means",
]
