"""How s(x) is averaged over time: the fast forms, the loops that define them, the streams."""

from summarymixing_sb.summary.pooling import chunk_means, utterance_mean
from summarymixing_sb.summary.state import SummaryState

__all__ = ["SummaryState", "chunk_means", "utterance_mean"]
