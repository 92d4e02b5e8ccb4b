"""How s(x) is averaged over time: the fast forms, and the loops that define them."""

from summarymixing_sb.summary.pooling import chunk_means, utterance_mean

__all__ = ["chunk_means", "utterance_mean"]
