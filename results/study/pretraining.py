"""A recogniser of ten minutes of speech, pre-trained without texts and from scratch.

``python -m results.study.pretraining`` makes the corpora, runs the trials that have no row in
``results/study/pretraining/runs.csv`` yet, and writes the page. It may be stopped at any time, and
goes on where it was. ``--page`` writes the page of the rows that there are.
"""

from dataclasses import replace
from pathlib import Path

from recipes.minicorpora.librispeech import make_librispeech
from results.benchmark.models import ROOT
from results.study.corpus import SIZES, SMALL, make_corpus
from results.study.page import compare_systems, comparison_table, findings, write_study
from results.study.trials import System, make_parser, read_rows, run_trials

YAML = ROOT / "hparams" / "LibriSpeech" / "conformer_ctc.yaml"
PRETRAINING = ROOT / "hparams" / "LibriSpeech" / "best_rq.yaml"
FOLDER = ROOT / "results" / "study" / "pretraining"
#: Of the same dev and test sentences and voices, with ten minutes to train on.
TEN_MINUTES = {**SIZES, "train": (240, 24)}
#: The small model of the studies, with 40 ms a frame, in which characters have their places.
BOTH = {
    **{key: value for key, value in SMALL.items() if key != "valid_search_interval"},
    "num_encoder_layers": 4,
    "nhead": 4,
    "kernel_size": 15,
    "encoder_positions": False,
    "dropout": 0.05,
    "n_mels": 40,
    "lr": 0.002,
    "n_warmup_steps": 300,
    "max_batch_ex": 64,
    "num_buckets": 20,
    "num_workers": 0,
    "train_splits": ["train-mini"],
    "valid_splits": ["dev-mini"],
    "test_splits": ["test-mini"],
}
BEST_RQ = {
    **BOTH,
    "number_of_epochs": 10,
    "layerdrop_prob": 0.0,
    "mask_length": 8,
    "mask_prob": 0.06,
    "codes": 256,
}
SHARED = {
    **BOTH,
    "valid_search_interval": SMALL["valid_search_interval"],
    "token_type": "char",
    "number_of_epochs": 40,
    "time_drops": 1,
    "freq_drops": 1,
}
BASELINES = ("from scratch",)
PRETRAINED = "pre-trained by BEST-RQ"


def main(argv=None):
    """Run the study and write its page."""
    options = make_parser(__doc__.splitlines()[0], seeds=3).parse_args(argv)
    table = FOLDER / "runs.csv"
    if not options.page:
        folder = Path(options.folder)
        untranscribed = make_corpus(options.folder)
        untranscribed.pop("tokenizer_folder")
        make_librispeech(folder / "ten_minutes", TEN_MINUTES)
        data = {"data_folder": str(folder / "ten_minutes" / "LibriSpeech")}
        start = System("BEST-RQ", {**BEST_RQ, **untranscribed}, yaml=PRETRAINING)
        scratch = System(BASELINES[0], {**SHARED, **data})
        systems = [scratch, replace(scratch, name=PRETRAINED, start=start)]
        seeds = range(1, options.seeds + 1)
        run_trials(table, YAML, systems, seeds, folder / "pretraining", options.jobs)
    write_page(read_rows(table))


def write_page(rows):
    """Write the table, and what is significant.

    Parameters
    ----------
    rows : list of dict
    """
    comparisons = compare_systems(rows, BASELINES)
    [comparison] = comparisons.values()
    table = comparison_table(comparison, rows, BASELINES)
    write_study(FOLDER, table=table, findings=findings(comparisons))


if __name__ == "__main__":
    main()
