"""Streams of a transducer with half causal convolutions and in dual mode, against without.

``python -m results.study.streams`` makes the corpus, runs the trials that have no rows in
``results/study/streams/runs.csv`` yet, and writes the page. It may be stopped at any time, and goes
on where it was. ``--page`` writes the page of the rows that there are.
"""

from dataclasses import replace
from pathlib import Path

from results.benchmark.models import ROOT
from results.study.corpus import SMALL, make_corpus
from results.study.page import compare_systems, comparison_table, findings, write_study
from results.study.trials import System, make_parser, read_rows, run_trials

YAML = ROOT / "hparams" / "LibriSpeech" / "demo_transducer.yaml"
FOLDER = ROOT / "results" / "study" / "streams"
#: Tests by their names: what the page calls them.
TESTS = {
    "test-mini.offline": "Whole utterances",
    "test-mini.chunk16": "Chunks of 1280 ms",
    "test-mini.chunk8": "Chunks of 640 ms",
    "test-mini.chunk4": "Chunks of 320 ms",
}
SHARED = {
    **SMALL,
    "predictor_size": 96,
    "joint_size": 96,
    "number_of_epochs": 12,
    "valid_decoding": "transducer_greedy",
    "test_decoding": "transducer_greedy",
    "test_chunks": [None, [16, None], [8, None], [4, None]],
}
HALF = {"half_causal_convolution": True}
DUAL = {"consistency_weight": 0.3, "chunkwise_prob": 1.0}
BASELINES = ("neither",)
SYSTEMS = (
    System("neither"),
    System("half causal convolutions", HALF),
    System("dual mode", DUAL),
    System("both", {**HALF, **DUAL}),
)


def main(argv=None):
    """Run the study and write its page."""
    options = make_parser(__doc__.splitlines()[0], seeds=3).parse_args(argv)
    table = FOLDER / "runs.csv"
    if not options.page:
        shared = {**SHARED, **make_corpus(options.folder)}
        systems = [replace(s, overrides={**shared, **s.overrides}) for s in SYSTEMS]
        folder, seeds = Path(options.folder) / "streams", range(1, options.seeds + 1)
        run_trials(table, YAML, systems, seeds, folder, options.jobs)
    write_page(read_rows(table))


def write_page(rows):
    """Write a table for each test, and what is significant.

    Parameters
    ----------
    rows : list of dict
    """
    comparisons = compare_systems(rows, BASELINES)
    tables = []
    for test, title in TESTS.items():
        own = [row for row in rows if row["test"] == test]
        table = comparison_table(comparisons[test], own, BASELINES)
        tables.append(f"## {title}\n\n{table}")
    write_study(FOLDER, tables="\n\n".join(tables), findings=findings(comparisons))


if __name__ == "__main__":
    main()
