"""The rows of benchmarks as CSV files: some are added to one by one, some written at once."""

import csv
from dataclasses import fields
from pathlib import Path

from results.benchmark.models import Case
from summarymixing_sb.evaluation import environment_record
from summarymixing_sb.files import atomic_open

#: What tells one measurement from another.
KEY = ("measured", "model", *(field.name for field in fields(Case)), "threads", "cpu", "gpu")
COLUMNS = (
    *KEY,
    *("reference", "error", "rounds", "median_s", "q1_s", "q3_s", "ratio", "real_time_factor"),
    *("peak_mib", "growth_mib", "status", "cores", "versions", "commit", "date"),
)


def read_rows(path):
    """Read a file of rows; of those of one key, the last counts.

    Parameters
    ----------
    path : str or Path
        It need not exist.

    Returns
    -------
    list of dict of str to str

    Raises
    ------
    ValueError
        If its columns are not those of this benchmark.
    """
    path = Path(path)
    if not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError(
                f"{path} has not the columns of this benchmark ({', '.join(COLUMNS)}): "
                "give another --output, or move it away"
            )
        return list({row_key(row): row for row in reader}.values())


def row_key(row):
    """Give the cells that tell a row from another."""
    return tuple(str(row[column]) for column in KEY)


def append_rows(path, rows):
    """Add rows to a file; columns that they lack stay empty.

    Parameters
    ----------
    path : str or Path
    rows : list of dict
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerows(rows)


def read_table(table):
    """Read the rows of any table.

    Parameters
    ----------
    table : Path
        It need not exist.

    Returns
    -------
    list of dict of str to str
    """
    if not Path(table).is_file():
        return []
    with open(table, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows):
    """Write a table of its own, whole or not at all, with the columns of its first row.

    Parameters
    ----------
    path : str or Path
    rows : list of dict
    """
    with atomic_open(path) as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def machine_columns():
    """Give the columns that say with what, where and when rows were made."""
    record = environment_record()
    versions = {name: value for name, value in record["versions"].items() if value}
    return {
        "cpu": record["machine"]["cpu"],
        "gpu": record["machine"]["gpu"] or "",
        "cores": record["machine"]["cores"],
        "versions": " ".join(f"{name}={value}" for name, value in versions.items()),
        "commit": record["commit"] or "",
        "date": record["date"],
    }
