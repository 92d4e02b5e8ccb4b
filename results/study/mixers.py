"""Mixers at equal parameters and equal training, on a corpus that espeak-ng speaks.

``python -m results.study.mixers`` makes the corpus, runs the trials that have no row in
``results/study/mixers/runs.csv`` yet, and writes the page and the plot. It may be stopped at any
time, and goes on where it was. ``--page`` writes the page of the rows that there are.
"""

from dataclasses import replace
from pathlib import Path

from results.benchmark.models import ROOT
from results.study.corpus import SMALL, make_corpus
from results.study.cost import measure_costs
from results.study.page import (
    compare_systems,
    comparison_table,
    findings,
    plot_against_cost,
    write_study,
)
from results.study.trials import (
    System,
    count_parameters,
    make_parser,
    read_rows,
    run_trials,
    with_equal_parameters,
)

YAML = ROOT / "hparams" / "LibriSpeech" / "demo.yaml"
FOLDER = ROOT / "results" / "study" / "mixers"
FRAME_MS = 80
SHARED = {**SMALL, "num_decoder_layers": 1, "number_of_epochs": 9, "test_beam_size": 4}
ONE_IN_FOUR = "SummaryMixing,SummaryMixing,SummaryMixing,RoPESDPA"
BASELINES = ("SummaryMixing", "RoPESDPA")
SYSTEMS = (
    System("SummaryMixing"),
    System("RoPESDPA", {"attention_type": "RoPESDPA"}),
    System("SummaryMixing, channel gate", {"summary_gate": "channel"}),
    System("SummaryMixing, head gate", {"summary_gate": "head"}),
    System("PoM", {"attention_type": "PoM"}),
    # products of one factor are none: only its way to choose from the mean is left
    System("PoM of degree 1", {"attention_type": "PoM", "mixer_options": {"PoM": {"degree": 1}}}),
    System("mamba", {"attention_type": "mamba"}),
    System("LocalAttention", {"attention_type": "LocalAttention"}),
    System("3 SummaryMixing, 1 RoPESDPA", {"attention_type": ONE_IN_FOUR}),
    System("SummaryMixing, interspeech2024", {"mixer_preset": "interspeech2024"}),
    System("fastformer", {"attention_type": "fastformer"}),
    System("hypermixing", {"attention_type": "hypermixing"}),
    System("none", {"attention_type": "none"}),
)


def main(argv=None):
    """Run the study and write its page."""
    options = make_parser(__doc__.splitlines()[0], seeds=4).parse_args(argv)
    systems = [replace(s, overrides={**SHARED, **s.overrides}) for s in SYSTEMS]
    target = count_parameters(YAML, systems[0].overrides)
    systems = [with_equal_parameters(YAML, system, target) for system in systems]
    table, costs = FOLDER / "runs.csv", FOLDER / "cost.csv"
    if not options.page:
        if {system.name for system in systems} != {row["system"] for row in read_rows(costs)}:
            measure_costs(costs, YAML, systems, FRAME_MS)
        shared = make_corpus(options.folder)
        systems = [replace(s, overrides={**s.overrides, **shared}) for s in systems]
        folder, seeds = Path(options.folder) / "mixers", range(1, options.seeds + 1)
        run_trials(table, YAML, systems, seeds, folder, options.jobs)
    write_page(read_rows(table), costs)


def write_page(rows, costs):
    """Write the table, the plot and what is significant.

    Parameters
    ----------
    rows : list of dict
    costs : Path
        What :func:`results.study.cost.measure_costs` wrote.
    """
    measured = {(row["system"], row["seconds"]): row for row in read_rows(costs)}
    more = {}
    for (name, seconds), row in measured.items():
        more.setdefault(name, {})[f"ms, {seconds} s"] = row["ms"]
    comparisons = compare_systems(rows, BASELINES)
    [comparison] = comparisons.values()
    times = {name: float(measured[name, "40"]["ms"]) for name in comparison.rates}
    label = "encoder, ms for 40 s of speech on one thread"
    plot_against_cost(FOLDER / "wer_by_ms.png", comparison.rates, times, label)
    write_study(
        FOLDER,
        table=comparison_table(comparison, rows, BASELINES, more),
        findings=findings(comparisons),
    )


if __name__ == "__main__":
    main()
