"""Comparison of two runs on a test set: difference of their error rates and its interval."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
from kaldialign import bootstrap_wer_ci

from summarymixing_sb.evaluation.bootstrap import bootstrap_interval, error_rate_interval
from summarymixing_sb.evaluation.by_length import plot_by_length
from summarymixing_sb.evaluation.scoring import ERROR_RATES, count_errors
from summarymixing_sb.files import atomic_open

MOST_DIFFERENT = 10


@dataclass(frozen=True)
class Run:
    """What a run wrote about a test set.

    Attributes
    ----------
    path : Path
        Its JSON file.
    dataset : str or None
    test_set : str
    references, hypotheses : dict of str to list of str
        Words by the id of the utterance; characters, where `unit` says so.
    unit : str
        ``word`` or ``character``.
    """

    path: Path
    dataset: str | None
    test_set: str
    references: dict
    hypotheses: dict
    unit: str = "word"


@dataclass(frozen=True)
class Comparison:
    """Word errors of two runs on the utterances that both scored.

    Attributes
    ----------
    ids : list of str
    errors : numpy.ndarray
        (utterances, 2). Word errors of run A and of run B.
    words : numpy.ndarray
        (utterances,). Words of the references.
    only : tuple of int
        Utterances that A alone scored, and B alone.
    wer : tuple of float
        In percent, of A and of B.
    intervals : tuple
        95 % intervals of the two, see
        :func:`summarymixing_sb.evaluation.bootstrap.error_rate_interval`.
    difference : float
        WER of B less that of A.
    difference_interval : tuple of float or None
        Of that, with the same utterances drawn for both.
    probability : float
        Share of the draws in which B makes fewer errors than A.
    """

    ids: list
    errors: np.ndarray
    words: np.ndarray
    only: tuple
    wer: tuple
    intervals: tuple
    difference: float
    difference_interval: tuple | None
    probability: float


def load_run(path, test_set=None):
    """Read what a run wrote about a test set.

    Parameters
    ----------
    path : str or Path
        ``<test>.json``, or the folder it lies in. ``<test>.hyp.txt`` and ``<test>.ref.txt`` lie
        beside it.
    test_set : str, optional
        For a folder that holds several.

    Returns
    -------
    Run

    Raises
    ------
    FileNotFoundError
        When one of the files is not there.
    ValueError
        When a folder holds several test sets and none is chosen, or when the files do not go
        together.
    """
    path = _json_file(Path(path), test_set)
    record = json.loads(path.read_text(encoding="utf-8"))
    references = _read_texts(path.with_suffix(".ref.txt"))
    hypotheses = _read_texts(path.with_suffix(".hyp.txt"))
    unpaired = sorted(references.keys() ^ hypotheses.keys())
    if unpaired:
        raise ValueError(
            f"{path}: references and hypotheses do not pair: {', '.join(unpaired[:5])}"
        )
    # results of before 0.2 are of words
    unit = record.get("error_unit", "word")
    return Run(path, record.get("dataset"), record["test_set"], references, hypotheses, unit)


def compare(a, b):
    """Compare two runs by the paired bootstrap of Bisani and Ney (ICASSP 2004), with kaldialign.

    Parameters
    ----------
    a, b : Run

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        When they are of different test sets or units, have no utterance in common, no reference
        word, or different references.
    """
    if (a.dataset or b.dataset, a.test_set) != (b.dataset or a.dataset, b.test_set):
        raise ValueError(
            f"{a.path} is of {_named(a)} and {b.path} of {_named(b)}: compare runs of one test set"
        )
    if a.unit != b.unit:
        raise ValueError(f"{a.path} counts errors in {a.unit}s and {b.path} in {b.unit}s")
    ids = [key for key in a.references if key in b.references]
    different = [key for key in ids if a.references[key] != b.references[key]]
    if different:
        raise ValueError(
            f"{a.path} and {b.path} have different references of {len(different)} utterances, "
            f"such as {different[0]}: were their data prepared alike?"
        )
    references = [a.references[key] for key in ids]
    if not any(references):
        raise ValueError(f"{a.path} and {b.path} have no utterance with words in common")
    hypotheses = [[run.hypotheses[key] for key in ids] for run in (a, b)]
    errors = np.array(
        [
            [count_errors(jiwer.process_words(" ".join(r), " ".join(h))) for h in pair]
            for r, *pair in zip(references, *hypotheses)
        ]
    )
    words = np.array([len(reference) for reference in references])
    wer = tuple(float(rate) for rate in 100 * errors.sum(0) / words.sum())
    return Comparison(
        ids=ids,
        errors=errors,
        words=words,
        only=(len(a.references) - len(ids), len(b.references) - len(ids)),
        wer=wer,
        intervals=tuple(error_rate_interval(references, texts) for texts in hypotheses),
        difference=wer[1] - wer[0],
        difference_interval=bootstrap_interval(
            np.column_stack([errors, words]),
            lambda sums: 100 * (sums[..., 1] - sums[..., 0]) / sums[..., 2],
        ),
        probability=bootstrap_wer_ci(references, *hypotheses)["p_s2_improv_over_s1"],
    )


def report(a, b, result):
    """Write a comparison for people.

    Returns
    -------
    str
        Both error rates, their difference, and the ten utterances that differ most.
    """
    rate = ERROR_RATES[a.unit]
    lines = [f"A: {a.path}", f"B: {b.path}"]
    lines.append(f"{len(result.ids)} utterances of {_named(a)}, {result.words.sum()} {a.unit}s")
    for run, name, count in zip((a, b), "AB", result.only):
        if count:
            lines.append(f"skipped: {count} utterances that only {name} ({run.path}) scored")
    lines += [
        f"{rate} of A    {result.wer[0]:6.2f} %  {_interval(result.intervals[0])}",
        f"{rate} of B    {result.wer[1]:6.2f} %  {_interval(result.intervals[1])}",
        f"B less A    {result.difference:+6.2f} %  {_interval(result.difference_interval)}",
        f"B is better in {100 * result.probability:.1f} % of the draws (paired bootstrap)",
    ]
    gain = result.errors[:, 0] - result.errors[:, 1]
    # a stable sort: where gains are equal, the order of the test set stays
    order = [i for i in np.argsort(-np.abs(gain), kind="stable") if gain[i]][:MOST_DIFFERENT]
    if order:
        lines += ["", "Utterances that differ most:"]
    for index in order:
        key = result.ids[index]
        of_a, of_b = result.errors[index]
        lines += ["", f"{key}: {of_a} {a.unit} errors of A, {of_b} of B"]
        lines.append(f"    reference  {' '.join(a.references[key])}")
        lines.append(f"    A          {' '.join(a.hypotheses[key])}")
        lines.append(f"    B          {' '.join(b.hypotheses[key])}")
    return "\n".join(lines) + "\n"


def main(argv=None):
    """Command line: ``python -m summarymixing_sb.evaluation.compare RUN_A RUN_B``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name in ("RUN_A", "RUN_B"):
        parser.add_argument(name, help="a <test>.json file, or the folder of results it lies in")
    parser.add_argument("--test_set", help="which one, for folders that hold several")
    parser.add_argument("--output", help="folder for comparison.txt and wer_by_length.png")
    options = parser.parse_args(argv)
    try:
        a, b = (load_run(path, options.test_set) for path in (options.RUN_A, options.RUN_B))
        result = compare(a, b)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    text = report(a, b, result)
    print(text, end="")
    if options.output:
        folder = Path(options.output)
        folder.mkdir(parents=True, exist_ok=True)
        curves = {f"A: {a.path}": result.errors[:, 0], f"B: {b.path}": result.errors[:, 1]}
        plot_by_length(folder / "wer_by_length.png", curves, result.words, a.unit)
        with atomic_open(folder / "comparison.txt") as file:
            file.write(text)
        print(f"\nwrote {folder / 'comparison.txt'} and {folder / 'wer_by_length.png'}")


def _json_file(path, test_set):
    """Give the JSON file of a test set, from its own path or from its folder's."""
    if path.is_dir():
        names = sorted(file.stem for file in path.glob("*.json"))
        if test_set is None and len(names) != 1:
            raise ValueError(f"{path} holds {', '.join(names) or 'no result'}: add --test_set=...")
        path = path / f"{test_set or names[0]}.json"
    elif test_set is not None and path.stem != test_set:
        raise ValueError(f"{path} is not of test set {test_set}: leave --test_set away, or name it")
    if not path.is_file():
        raise FileNotFoundError(f"there is no result {path}")
    return path


def _read_texts(path):
    """Words by id, from lines of id, tab, text."""
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {path}, which tests write beside their JSON file: test again"
        )
    pairs = [line.partition("\t") for line in path.read_text(encoding="utf-8").split("\n")]
    return {key: text.split() for key, tab, text in pairs if tab}


def _named(run):
    """Name a test set with its data set."""
    return f"{run.dataset} {run.test_set}" if run.dataset else run.test_set


def _interval(interval):
    """Write an interval, where there is one."""
    return f"[{interval[0]:.2f}, {interval[1]:.2f}]" if interval else "(no interval)"


if __name__ == "__main__":
    main()
