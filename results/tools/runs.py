"""The table of our own runs: a row for each test set of each run, made from its JSON file."""

import argparse
import csv
import json
from pathlib import Path

from summarymixing_sb.files import atomic_open

SCORES = (
    "wer",
    "cer",
    "accuracy",
    "scenario_accuracy",
    "action_accuracy",
    "intent_accuracy",
    "entity_f1",
    "slu_f1",
)
COLUMNS = (
    *("dataset", "test_set", "task", "yaml", "overrides", "encoder", "mixer", "preset"),
    *("parameters", "decoding", "beam", "lm"),
    *(f"{score}{end}" for score in SCORES for end in ("", "_low", "_high")),
    *("utterances", "annotated_utterances", "training_seconds", "real_time_factor"),
    *("peak_memory_mb", "seed", "versions", "commit", "machine", "date", "json"),
)
# What every JSON file of a run has had from the first version on
REQUIRED = ("test_set", "yaml", "overrides", "mixer", "parameters", "versions", "machine", "date")
COPIED = (
    *("test_set", "task", "encoder", "mixer", "preset", "parameters", "utterances"),
    *("annotated_utterances", "training_seconds", "real_time_factor", "peak_memory_mb"),
    *("seed", "commit", "date"),
)


def run_row(path, folder):
    """Make the row of one run from the JSON file of a test set.

    Parameters
    ----------
    path : str or Path
        What :func:`summarymixing_sb.evaluation.write_test_results` wrote; files of older versions
        lack some keys, and their cells stay empty.
    folder : str or Path
        The folder of the table. `path` must lie in it, so that whoever reads a figure in the table
        finds the file it comes from beside it.

    Returns
    -------
    dict of str to str
        A cell for each of `COLUMNS`.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When it is no result of a run, or lies outside `folder`.
    """
    path, folder = Path(path), Path(folder)
    record = _read(path)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{path} is not in {folder}: copy it there first, it has to be kept too")
    decoding = record.get("decoding") or {}
    cells = {key: record.get(key) for key in COPIED}
    yaml, dataset = yaml_name(record["yaml"])
    cells |= {"yaml": yaml, "dataset": record.get("dataset") or dataset}
    cells["overrides"] = json.dumps(record["overrides"], ensure_ascii=False)
    cells |= {"decoding": decoding.get("method"), "beam": decoding.get("beam")}
    cells["lm"] = decoding.get("lm_source")
    for score in SCORES:
        low, high = record.get(f"{score}_interval") or (None, None)
        cells |= {score: record.get(score), f"{score}_low": low, f"{score}_high": high}
    cells["versions"] = ", ".join(f"{key} {value}" for key, value in record["versions"].items())
    cells["machine"] = _machine(record["machine"])
    cells["json"] = path.resolve().relative_to(folder.resolve()).as_posix()
    return {key: _cell(cells[key]) for key in COLUMNS}


def yaml_name(path):
    """Shorten the path of a YAML file to how this repository names it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    name : str
        From ``hparams/`` on; `path` itself where no part of it is ``hparams``.
    dataset : str or None
        The folder below ``hparams``.

    Examples
    --------
    >>> yaml_name("/home/me/summarymixing_sb/hparams/SLURP/demo_slu.yaml")
    ('hparams/SLURP/demo_slu.yaml', 'SLURP')
    """
    parts = Path(path).parts
    if "hparams" not in parts[:-2]:
        return Path(path).as_posix(), None
    start = len(parts) - 1 - parts[::-1].index("hparams")
    return "/".join(parts[start:]), parts[start + 1]


def read_runs(table):
    """Read the table.

    Parameters
    ----------
    table : str or Path

    Returns
    -------
    list of dict of str to str
        Empty where there is no such file yet.

    Raises
    ------
    ValueError
        When its columns are not `COLUMNS`.
    """
    if not Path(table).is_file():
        return []
    with open(table, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(f"{table}: its columns must be {', '.join(COLUMNS)}")
        return list(reader)


def append_runs(paths, table):
    """Put runs into the table, which is written whole or not at all.

    A run that is there already, from the same file or from a copy of it, is replaced.

    Parameters
    ----------
    paths : sequence of str or Path
        JSON files, see :func:`run_row`.
    table : str or Path
        The CSV file; begun where there is none.

    Returns
    -------
    added, replaced : int

    Raises
    ------
    FileNotFoundError, ValueError
        See :func:`run_row` and :func:`read_runs`; the table is then left as it was.
    """
    rows, added = read_runs(table), 0
    for path in paths:
        row = run_row(path, Path(table).parent)
        same = [index for index, other in enumerate(rows) if _same_run(row, other)]
        added += not same
        place = same[0] if same else len(rows)
        others = [other for index, other in enumerate(rows) if index not in same]
        rows = [*others[:place], row, *others[place:]]
    with atomic_open(table) as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return added, len(paths) - added


def main(argv=None):
    """Command line: ``python -m results.tools.runs RESULT.json ...``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("results", nargs="+", metavar="RESULT.json", help="JSON files of test sets")
    parser.add_argument("--table", default="results/runs.csv", help="default: %(default)s")
    options = parser.parse_args(argv)
    try:
        added, replaced = append_runs(options.results, options.table)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{options.table}: {added} added, {replaced} replaced")


def _read(path):
    """Give the JSON file of a run, with the keys that make it one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON file: {error}") from error
    missing = [key for key in REQUIRED if not isinstance(record, dict) or key not in record]
    if missing:
        raise ValueError(f"{path} is no result of a run: it lacks {', '.join(missing)}")
    return record


def _machine(machine):
    """Name a machine in a few words, its GPU first."""
    cpu = f"{machine['cpu']}, {machine['cores']} cores"
    return f"{machine['gpu']}; {cpu}" if machine.get("gpu") else cpu


def _cell(value):
    """Write a value for a table; finer than 4 digits after the point nothing is measured."""
    if value is None:
        return ""
    return str(round(value, 4)) if isinstance(value, float) else str(value)


def _same_run(row, other):
    """Whether two rows come from one file, or from copies of it."""
    if row["json"] == other["json"]:
        return True
    return all(row[key] == other[key] for key in COLUMNS if key != "json")


if __name__ == "__main__":
    main()
