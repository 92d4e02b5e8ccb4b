"""Trials of a study: trainings by the recipe, each of them a row of a CSV file.

A trial that has a row is not run again, one that was stopped goes on where it was: a study may
take days.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path

import jiwer
import numpy as np
from torch.nn import ModuleList

from results.benchmark.models import ROOT
from results.benchmark.rows import read_table as read_rows
from results.benchmark.rows import write_rows
from summarymixing_sb.evaluation.compare import load_run
from summarymixing_sb.evaluation.scoring import count_errors
from summarymixing_sb.hyperparameters import load_hparams

RECIPE = ROOT / "recipes" / "LibriSpeech" / "train.py"
#: What sizes may differ by, of the number of parameters that they should have.
TOLERANCE = 0.02
#: Widths are multiples of this, as processors want them.
STEP = 8


@dataclass(frozen=True)
class System:
    """What is compared.

    Attributes
    ----------
    name : str
    overrides : dict
        Keys of the YAML file in which it differs from the others.
    fold : str
        Of a cross-validation, what it is tested on.
    start : System, optional
        What is trained before, with the same seed, and gives its parameters.
    yaml : str or Path, optional
        If it is not that of the study.
    """

    name: str
    overrides: dict = field(default_factory=dict)
    fold: str = ""
    start: "System | None" = None
    yaml: str | Path | None = None


def make_parser(description, seeds):
    """Describe the command line of a study.

    Parameters
    ----------
    description : str
    seeds : int
        How many, if not given.

    Returns
    -------
    argparse.ArgumentParser
        Of ``seeds``, ``jobs``, ``folder`` and ``page``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seeds", type=int, default=seeds, help="trials of each system")
    parser.add_argument("--jobs", type=int, default=1, help="trials at once, a core each")
    parser.add_argument("--folder", default="runs/study", help="for the corpus and the runs")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    return parser


def count_parameters(yaml, overrides):
    """Count the parameters of a model.

    Parameters
    ----------
    yaml : str or Path
    overrides : dict

    Returns
    -------
    int
    """
    modules = load_hparams(yaml, {"data_folder": ".", **overrides})["modules"]
    return sum(p.numel() for p in ModuleList(modules.values()).parameters())


def with_equal_parameters(yaml, system, target):
    """Give a system the width of its feed-forward layers with which it has as many parameters.

    Parameters
    ----------
    yaml : str or Path
    system : System
    target : int
        Parameters.

    Returns
    -------
    System

    Raises
    ------
    ValueError
        If no width comes within 2 %.
    """
    low, high = (count_parameters(yaml, {**system.overrides, "d_ffn": d}) for d in (STEP, 2 * STEP))
    d_ffn = STEP * max(1, 1 + round((target - low) / (high - low)))
    overrides = {**system.overrides, "d_ffn": d_ffn}
    found = count_parameters(yaml, overrides)
    if abs(found / target - 1) > TOLERANCE:
        raise ValueError(
            f"{system.name}: with d_ffn {d_ffn} it has {found} parameters, not {target}"
        )
    return replace(system, overrides=overrides)


def run_trials(table, yaml, systems, seeds, folder, jobs=1):
    """Run the trials of a study that are missing, one seed of all systems after the other.

    Parameters
    ----------
    table : Path
        CSV file, see :func:`make_row`.
    yaml : str or Path
    systems : list of System
    seeds : sequence of int
    folder : Path
        For the runs; those that have a row are deleted.
    jobs : int
        Trials at once, each on one thread.

    Raises
    ------
    RuntimeError
        If a trial fails; those that were under way are ended first, and have their rows.
    """
    done = {(row["system"], int(row["seed"]), row["fold"]) for row in read_rows(table)}
    missing = [(s, seed) for seed in seeds for s in systems if (s.name, seed, s.fold) not in done]
    with ThreadPoolExecutor(jobs) as pool:
        trials = [pool.submit(run_trial, yaml, s, seed, folder) for s, seed in missing]
        for trial in as_completed(trials):
            try:
                rows = trial.result()
            except RuntimeError:
                pool.shutdown(cancel_futures=True)
                raise
            append_rows(table, rows)
            for row in rows:
                print(row["system"], row["seed"], row["test"], f"WER {row['wer']} %", flush=True)


def run_trial(yaml, system, seed, folder):
    """Train and test once.

    Parameters
    ----------
    yaml, system, folder
        See :func:`run_trials`.
    seed : int

    Returns
    -------
    list of dict
        A row for each test.

    Raises
    ------
    RuntimeError
        If the recipe fails.
    """
    name = f"{system.name}/{system.fold}/{seed}".replace(" ", "_").replace("//", "/")
    output = Path(folder) / name
    starts = output.with_name(f"{output.name}_start")
    start = {}
    if system.start:
        _run_recipe(yaml, system.start, seed, starts)
        start = {"pretrained_model": str(starts)}
    _run_recipe(yaml, replace(system, overrides={**system.overrides, **start}), seed, output)
    rows = [make_row(system, seed, file) for file in sorted(output.glob("results/*.json"))]
    shutil.rmtree(output)
    shutil.rmtree(starts, ignore_errors=True)
    return rows


def _run_recipe(yaml, system, seed, output):
    """Train a system and test it, or go on with it."""
    overrides = {**system.overrides, "seed": seed, "output_folder": str(output)}
    command = [sys.executable, str(RECIPE), str(system.yaml or yaml), "--noprogressbar"]
    command += [f"--{key}={_yaml_text(value)}" for key, value in overrides.items()]
    output.mkdir(parents=True, exist_ok=True)
    with open(output / "stdout.txt", "a", encoding="utf-8") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        code = subprocess.run(command, stdout=log, stderr=log, env=environment).returncode
    if code:
        raise RuntimeError(f"{system.name}, seed {seed}: failed, see {log.name}")


def make_row(system, seed, file):
    """Make a row from the JSON file of a test.

    Parameters
    ----------
    system : System
    seed : int
    file : Path

    Returns
    -------
    dict
    """
    record, run = json.loads(file.read_text(encoding="utf-8")), load_run(file)
    counts = []
    for key in sorted(run.references):
        reference, hypothesis = run.references[key], run.hypotheses[key]
        aligned = jiwer.process_words(" ".join(reference), " ".join(hypothesis))
        counts.append(f"{count_errors(aligned)}/{len(reference)}")
    own = ("seed", "output_folder", "data_folder", "manifest_folder", "tokenizer_folder")
    own += ("pretrained_model",)
    return {
        "system": system.name,
        "seed": seed,
        "fold": system.fold,
        "test": record["test_set"],
        "parameters": record["parameters"],
        "wer": f"{record['wer']:.4f}",
        "training_seconds": f"{record['training_seconds']:.0f}",
        "real_time_factor": f"{record['real_time_factor']:.4f}",
        "overrides": json.dumps({k: v for k, v in record["overrides"].items() if k not in own}),
        "versions": " ".join(
            f"{key}={value}" for key, value in record["versions"].items() if value
        ),
        "commit": record["commit"] or "",
        "machine": f"{record['machine']['cpu']}, {record['machine']['cores']} cores",
        "date": record["date"],
        "errors": " ".join(counts),
    }


def append_rows(table, rows):
    """Add rows to a table, which is written whole or not at all.

    Parameters
    ----------
    table : Path
    rows : list of dict
    """
    write_rows(table, [*read_rows(table), *rows])


def errors_of(rows):
    """Collect the errors of each system.

    Parameters
    ----------
    rows : list of dict
        From :func:`read_rows`, of one test.

    Returns
    -------
    errors : dict of str to numpy.ndarray
        (seeds, utterances) of each system.
    words : numpy.ndarray
        (utterances,).

    Raises
    ------
    ValueError
        If two rows are not of the same utterances.
    """
    errors, words = {}, None
    for row in rows:
        counts = np.array([cell.split("/") for cell in row["errors"].split()], dtype=int)
        if words is not None and not np.array_equal(words, counts[:, 1]):
            raise ValueError(
                f"{row['system']}, seed {row['seed']}: tested on other utterances than the rest"
            )
        words = counts[:, 1]
        errors.setdefault(row["system"], []).append(counts[:, 0])
    return {name: np.stack(of_seeds) for name, of_seeds in errors.items()}, words


def _yaml_text(value):
    return value if isinstance(value, str) else json.dumps(value)
