"""Some of the mixers on real speech: strings of digits, and LibriSpeech's 1.6 hours.

``python -m results.study.real_speech --data FOLDER`` runs the trials that have no row in
``results/study/real_speech/runs.csv`` yet, and writes the page. FOLDER holds ``digits/recordings``,
the Free Spoken Digit Dataset, and ``LibriSpeech`` with ``train-clean-5`` and ``dev-clean``. Each
digit is tested by models that never heard its speaker.
"""

import os
from dataclasses import replace
from pathlib import Path

from results.benchmark.models import ROOT
from results.study.corpus import SMALL
from results.study.digits import make_digits
from results.study.mixers import BASELINES, SYSTEMS, YAML
from results.study.page import compare_systems, comparison_table, findings, write_study
from results.study.trials import (
    count_parameters,
    make_parser,
    read_rows,
    run_trials,
    with_equal_parameters,
)

FOLDER = ROOT / "results" / "study" / "real_speech"
#: The baselines, and of the mixers' study the best one and the best form of SummaryMixing.
FINALISTS = ("SummaryMixing", "RoPESDPA", "SummaryMixing, channel gate", "hypermixing")
TESTS = {"digits": "Strings of digits", "dev-clean": "LibriSpeech, 1.6 hours"}
DIGITS = {
    **SMALL,
    "num_decoder_layers": 0,
    "ctc_weight": 1.0,
    "valid_decoding": "ctc_greedy",
    "test_decoding": "ctc_greedy",
    "token_type": "unigram",
    "output_neurons": 24,
    "number_of_epochs": 12,
    "n_warmup_steps": 200,
}
LIBRISPEECH = {
    **SMALL,
    "num_decoder_layers": 1,
    "number_of_epochs": 10,
    "test_beam_size": 4,
    "train_splits": ["train-clean-5"],
    "valid_splits": ["dev-clean"],
    "test_splits": ["dev-clean"],
}


def main(argv=None):
    """Run the study and write its page."""
    parser = make_parser(__doc__.splitlines()[0], seeds=2)
    parser.add_argument("--data", default=os.environ.get("SUMMARYMIXING_TEST_DATA"))
    options = parser.parse_args(argv)
    table = FOLDER / "runs.csv"
    if not options.page:
        if not options.data:
            parser.error("--data: name the folder of digits and LibriSpeech")
        data, folder = Path(options.data), Path(options.folder)
        speakers = make_digits(data / "digits" / "recordings", folder / "digits")
        systems = [
            *digit_systems(folder / "digits", speakers),
            *_equal({**LIBRISPEECH, "data_folder": str(data / "LibriSpeech")}),
        ]
        seeds = range(1, options.seeds + 1)
        run_trials(table, YAML, systems, seeds, folder / "real_speech", options.jobs)
    write_page(read_rows(table))


def digit_systems(folder, speakers):
    """Make a trial of each finalist for each speaker, who is tested by what heard the others.

    Validation is of the tested speaker, too; nothing is chosen by it.

    Parameters
    ----------
    folder : Path
        From :func:`results.study.digits.make_digits`.
    speakers : list of str

    Returns
    -------
    list of System
    """
    systems = []
    for system in _equal({**DIGITS, "data_folder": str(folder)}):
        for speaker in speakers:
            splits = {
                "train_splits": [other for other in speakers if other != speaker],
                "valid_splits": [speaker],
                "test_splits": [speaker],
            }
            systems.append(replace(system, overrides={**system.overrides, **splits}, fold=speaker))
    return systems


def join_folds(rows):
    """Join the rows of all speakers into one, where each of them has been tested.

    Parameters
    ----------
    rows : list of dict

    Returns
    -------
    list of dict
        ``test`` is "digits" where it was a speaker.
    """
    joined, folds = [row for row in rows if not row["fold"]], {}
    speakers = {row["fold"] for row in rows if row["fold"]}
    for row in rows:
        if row["fold"]:
            folds.setdefault((row["system"], row["seed"]), {})[row["fold"]] = row
    for own in folds.values():
        if own.keys() == speakers:
            parts = [own[speaker] for speaker in sorted(speakers)]
            errors = " ".join(part["errors"] for part in parts)
            joined.append({**parts[0], "test": "digits", "errors": errors})
    return joined


def write_page(rows):
    """Write a table for each corpus, and what is significant.

    Parameters
    ----------
    rows : list of dict
    """
    rows = join_folds(rows)
    comparisons = compare_systems(rows, BASELINES)
    tables = []
    for test, title in TESTS.items():
        own = [row for row in rows if row["test"] == test]
        if own and comparisons[test].rates:
            tables.append(f"## {title}\n\n{comparison_table(comparisons[test], own, BASELINES)}")
    write_study(FOLDER, tables="\n\n".join(tables), findings=findings(comparisons))


def _equal(shared):
    """Give the finalists one number of parameters, at most 2 % apart."""
    systems = [
        replace(system, overrides={**shared, **system.overrides})
        for system in SYSTEMS
        if system.name in FINALISTS
    ]
    target = count_parameters(YAML, systems[0].overrides)
    return [with_equal_parameters(YAML, system, target) for system in systems]


if __name__ == "__main__":
    main()
