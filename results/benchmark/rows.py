"""The rows of benchmarks as CSV: files to which each run appends, and tables written at once."""

import csv
from pathlib import Path

from summarymixing_sb.files import atomic_open

#: What tells one measurement from another, on whatever commit it was made.
KEY = (
    "measured",
    "level",
    "encoder",
    "contestant",
    "mode",
    "batch",
    "seconds",
    "chunk",
    "layers",
    "d_model",
    "threads",
    "device",
    "freed_memory",
    "cpu",
    "gpu",
)
COLUMNS = (
    *KEY,
    "batch_size",
    "frames",
    "reference",
    "error",
    "rounds",
    "median_s",
    "q1_s",
    "q3_s",
    "baseline",
    "ratio",
    "ratio_floor",
    "real_time_factor",
    "peak_mib",
    "growth_mib",
    "status",
    "cores",
    "versions",
    "commit",
    "date",
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
    """What tells a row from another, as a tuple of str."""
    return tuple(str(row[column]) for column in KEY)


def append_row(path, row):
    """Add a row to a file, at once; without a path, do nothing.

    Parameters
    ----------
    path : str, Path or None
    row : dict
        Columns that it lacks stay empty.
    """
    if path is None:
        return
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


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


def measured_seconds(rows, **wanted):
    """Find the times of rows that have certain values.

    Returns
    -------
    dict of float to float
        Median seconds by the length in seconds, of the rows with ``status`` ok.
    """
    wanted = {column: str(value) for column, value in wanted.items()}
    return {
        float(row["seconds"]): float(row["median_s"])
        for row in rows
        if row["status"] == "ok"
        and row["median_s"]
        and all(str(row[column]) == value for column, value in wanted.items())
    }
