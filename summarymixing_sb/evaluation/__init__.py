"""Scores of a test run, the files that hold them, and where they were made."""

from summarymixing_sb.evaluation.environment import (
    environment_record,
    peak_memory_mb,
    reset_peak_memory,
)
from summarymixing_sb.evaluation.record import write_scores
from summarymixing_sb.evaluation.results import (
    write_label_results,
    write_test_results,
    write_utterances,
)
from summarymixing_sb.evaluation.scoring import score

__all__ = [
    "environment_record",
    "peak_memory_mb",
    "reset_peak_memory",
    "score",
    "write_label_results",
    "write_scores",
    "write_test_results",
    "write_utterances",
]
