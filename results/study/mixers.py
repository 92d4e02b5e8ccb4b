"""Mixers at equal parameters and equal training, on a corpus that espeak-ng speaks.

``python -m results.study.mixers`` makes the corpus, runs the trials that have no row in
``results/study/mixers/runs.csv`` yet, and writes the page and the plot. It may be stopped at any
time, and goes on where it was. ``--page`` writes the page of the rows that there are.
"""

import argparse
import csv
from pathlib import Path
from string import Template

from recipes.minicorpora.librispeech import make_librispeech
from results.study.cost import measure_costs
from results.study.page import compare_systems, comparison_table, findings, plot_against_cost
from results.study.trials import (
    ROOT,
    System,
    count_parameters,
    read_rows,
    run_trials,
    with_equal_parameters,
)
from summarymixing_sb.files import atomic_open

YAML = ROOT / "hparams" / "LibriSpeech" / "demo.yaml"
FOLDER = ROOT / "results" / "study" / "mixers"
CORPUS = {"train": (2400, 120), "dev": (40, 4), "test": (400, 20)}  # sentences, speakers
FRAME_MS = 80
#: What all systems share, besides what is in the YAML file: a smaller model, trained in minutes.
SHARED = {
    "num_decoder_layers": 1,
    "d_model": 96,
    "d_ffn": 256,
    "local_hidden": [96],
    "local_out": 96,
    "summary_hidden": [96],
    "summary_out": 96,
    "number_of_epochs": 9,
    "max_batch_length_train": 30,
    "valid_search_interval": 100,
    "avg_checkpoints": 3,
    "test_beam_size": 4,
}
ONE_IN_FOUR = "SummaryMixing,SummaryMixing,SummaryMixing,RoPESDPA"
BASELINES = ("SummaryMixing", "RoPESDPA")
SYSTEMS = (
    System("SummaryMixing"),
    System("RoPESDPA", {"attention_type": "RoPESDPA"}),
    System("SummaryMixing, channel gate", {"summary_gate": "channel"}),
    System("SummaryMixing, head gate", {"summary_gate": "head"}),
    System("PoM", {"attention_type": "PoM"}),
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4, help="trials of each system")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once, a core each")
    parser.add_argument("--folder", default="runs/study", help="for the corpus and the runs")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    options = parser.parse_args(argv)
    systems = [System(s.name, {**SHARED, **s.overrides}) for s in SYSTEMS]
    target = count_parameters(YAML, systems[0].overrides)
    systems = [with_equal_parameters(YAML, system, target) for system in systems]
    FOLDER.mkdir(parents=True, exist_ok=True)
    table, costs = FOLDER / "runs.csv", FOLDER / "cost.csv"
    if not options.page:
        make_librispeech(options.folder, CORPUS)
        if not costs.is_file():
            measure_costs(costs, YAML, systems, FRAME_MS)
        run_trials(
            table,
            YAML,
            [System(s.name, {**s.overrides, **_folders(options.folder)}) for s in systems],
            range(1, options.seeds + 1),
            Path(options.folder) / "mixers",
            options.jobs,
        )
    write_page(read_rows(table), costs)


def write_page(rows, costs):
    """Write the table, the plot and what is significant.

    Parameters
    ----------
    rows : list of dict
    costs : Path
        What :func:`results.study.cost.measure_costs` wrote.
    """
    with open(costs, newline="", encoding="utf-8") as file:
        measured = {(row["system"], row["seconds"]): row for row in csv.DictReader(file)}
    more = {}
    for (name, seconds), row in measured.items():
        more.setdefault(name, {})[f"ms, {seconds} s"] = row["ms"]
    rates, _ = compare_systems(rows, BASELINES)
    times = {name: float(measured[name, "40"]["ms"]) for name in rates}
    plot_against_cost(
        FOLDER / "wer_by_ms.png", rates, times, "encoder, ms for 40 s of speech on one thread"
    )
    with atomic_open(FOLDER / "README.md") as file:
        file.write(
            Template((FOLDER / "template.md").read_text(encoding="utf-8")).substitute(
                table=comparison_table(rows, BASELINES, more=more),
                findings="\n".join(f"- {sentence}" for sentence in findings(rows, BASELINES)),
            )
        )
    print(f"wrote {FOLDER / 'README.md'}")


def _folders(folder):
    """Name the data, and what all trials share of the preparation."""
    return {
        "data_folder": f"{folder}/LibriSpeech",
        "manifest_folder": f"{folder}/manifests",
        "tokenizer_folder": f"{folder}/tokenizer",
    }


if __name__ == "__main__":
    main()
