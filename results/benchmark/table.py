"""The page of the benchmark: tables of its rows, and what SummaryMixing loses against.

``python -m results.benchmark.table results/bench.csv --output results/benchmark.md``
"""

import argparse
import csv
import sys
from pathlib import Path

from results.benchmark.contestants import FLOOR
from results.benchmark.points import BASELINE, LEVELS
from results.benchmark.rows import read_rows
from summarymixing_sb.files import atomic_open

#: What rows of one table have in common.
TABLE = (
    "measured",
    "level",
    "encoder",
    "mode",
    "chunk",
    "batch",
    "layers",
    "device",
    "threads",
    "freed_memory",
)

TITLES = {
    "mixer": "One mixer",
    "mixer_step": "One mixer, a training step",
    "encoder": "Encoder",
    "step": "Encoder, a training step",
    "model": "Model, from the waveform to CTC's output",
}

INTRODUCTION = """# Benchmark

Made by `make bench` from [bench.csv](bench.csv). Widths are those published for LibriSpeech (512,
feed-forward layers of 2048, kernel 31, gating units of 3072), unless the CSV file says otherwise;
frames are 40 ms apart, weights random, numbers float32. "stock" is SpeechBrain's encoder, called
as SpeechBrain calls it; "plain" is SummaryMixing written as its equations read (means repeated
and concatenated, dense weights for chunks, "decay" and "window"); RoPESDPA is our fast
self-attention; all else is our encoder, too. "shared" draws one dropout mask for each mean;
"interspeech2024" has none, but LayerNorms. "matrix products of" a model are its products alone, on
the same shapes. Freed memory was kept by the process while times were taken, unless a title says
otherwise.

A contestant has a time only if its outputs (in training steps, the gradient of the input, too)
agree with its reference to 1e-4; the columns `reference` and `error` of the CSV file say with
which, and how well. The contestants of a column that have the same `date` there ran in turn. A cell
is the median in milliseconds and, in brackets, its ratio to SummaryMixing full; of memory, in MiB,
how far one call raised the peak of its process. **Bold** are contestants that take less than
SummaryMixing full."""


OPERATIONS = """## Operations

Counted, not measured, by `python -m results.benchmark.operations`
([operations.csv](operations.csv)): billions of multiplications and additions of the matrix products
and convolutions of one call, and in brackets their ratio to SummaryMixing full. Times are farther
apart than that only where something else takes time, such as the softmax of attention."""


def losses(rows):
    """List the points at which a contestant takes less than SummaryMixing full.

    Parameters
    ----------
    rows : list of dict
        From :func:`results.benchmark.rows.read_rows`.

    Returns
    -------
    list of tuple
        (row, ratio), where the ratio of times, or of memory, rounds to less than 1.00. Other forms
        of SummaryMixing and floors are no contestants here.
    """
    found = []
    for table in _tables(rows).values():
        for row in table:
            ratio = _ratio(row, table)
            if _is_loss(row, ratio):
                found.append((row, ratio))
    return found


def _is_loss(row, ratio):
    own = row["contestant"].startswith(("SummaryMixing", FLOOR))
    return not own and ratio is not None and round(ratio, 2) < 1


def page(rows, plots=(), operations=()):
    """Write the page.

    Parameters
    ----------
    rows : list of dict
        From :func:`results.benchmark.rows.read_rows`.
    plots : list of str
        Paths of pictures, from the page.
    operations : list of dict
        From the CSV file of :mod:`results.benchmark.operations`.

    Returns
    -------
    str
        Markdown.
    """
    parts = [INTRODUCTION, "## Where SummaryMixing loses", _losses_text(rows)]
    parts += [f"![{Path(path).stem} against length]({path})" for path in plots]
    parts += _operations_text(operations)
    for shared, table in sorted(_tables(rows).items(), key=_order):
        parts += [f"## {_title(dict(zip(TABLE, shared)))}", _table_text(table)]
        parts += _remarks(table)
    parts += ["## Made with", _machines(rows)]
    return "\n\n".join(parts) + "\n"


def main(argv=None):
    """Write the page of a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", help="CSV file of results.benchmark.speed")
    parser.add_argument("--output", default="results/benchmark.md")
    parser.add_argument("--plots", default="bench", help="folder of PNG files beside the page")
    parser.add_argument(
        "--operations",
        default="results/operations.csv",
        help="CSV file of results.benchmark.operations; left out where there is none",
    )
    options = parser.parse_args(argv)
    try:
        rows = read_rows(options.rows)
    except ValueError as error:
        parser.error(str(error))
    if not rows:
        parser.error(f"{options.rows} holds no row: run results.benchmark.speed first")
    operations, counted = [], Path(options.operations)
    if counted.is_file():
        with open(counted, newline="", encoding="utf-8") as file:
            operations = list(csv.DictReader(file))
    output = Path(options.output)
    plots = [
        f"{options.plots}/{p.name}" for p in sorted((output.parent / options.plots).glob("*.png"))
    ]
    with atomic_open(output) as file:
        file.write(page(rows, plots, operations))


def _tables(rows):
    tables = {}
    for row in rows:
        tables.setdefault(tuple(row[column] for column in TABLE), []).append(row)
    return tables


def _value(row):
    """What a row measured, or None."""
    value = row["median_s" if row["measured"] == "time" else "growth_mib"]
    return float(value) if row["status"] == "ok" and value else None


def _ratio(row, table):
    """A row's value divided by that of SummaryMixing full at the same length, or None."""
    if row["measured"] == "time" and row["baseline"] == BASELINE:
        return float(row["ratio"]) if row["ratio"] else None
    for other in table:
        if (other["contestant"], other["seconds"]) == (BASELINE, row["seconds"]):
            value, divisor = _value(row), _value(other)
            return value / divisor if value is not None and divisor else None
    return None


def _losses_text(rows):
    found = losses(rows)
    if not found:
        return "Nowhere in these tables does another contestant take less than SummaryMixing full."
    by_table = {}
    for row, ratio in found:
        shared = {column: row[column] for column in TABLE}
        length = f"{_length(row['seconds'])} ({ratio:.2f})"
        by_table.setdefault(_title(shared), {}).setdefault(row["contestant"], []).append(length)
    lines = ["Other contestants take less than SummaryMixing full here (ratios in brackets):", ""]
    for title, contestants in by_table.items():
        listed = "; ".join(f"{name} at {', '.join(at)}" for name, at in contestants.items())
        lines.append(f"- {title}: {listed}.")
    return "\n".join(lines)


def _operations_text(rows):
    """A table for each level and encoder, if there are rows."""
    tables = {}
    for row in rows:
        tables.setdefault((row["level"], row["encoder"]), []).append(row)
    parts = [OPERATIONS] if tables else []
    for (level, encoder), table in tables.items():
        cells = {}
        for row in table:
            count = f"{row['gflop']} ({float(row['ratio']):.2f})"
            cells[row["contestant"], float(row["seconds"])] = count
        parts += [f"{TITLES[level]}, {encoder.capitalize()}:", _grid(cells)]
    return parts


def _table_text(table):
    """Contestants down, lengths across."""
    return _grid({(row["contestant"], float(row["seconds"])): _cell(row, table) for row in table})


def _grid(cells):
    """Lay out cells, by (contestant, seconds)."""
    lengths = sorted({length for _, length in cells})
    lines = [
        "| | " + " | ".join(_length(length) for length in lengths) + " |",
        "|---|" + "---:|" * len(lengths),
    ]
    for name in dict.fromkeys(name for name, _ in cells):
        found = [cells.get((name, length), "") for length in lengths]
        lines.append(f"| {name} | " + " | ".join(found) + " |")
    return "\n".join(lines)


def _cell(row, table):
    value = _value(row)
    if value is None:
        return row["status"].split(":")[0]
    text = _digits(1000 * value if row["measured"] == "time" else value)
    ratio = _ratio(row, table)
    if ratio is None:
        return text
    text = f"{text} ({ratio:.2f})"
    return f"**{text}**" if _is_loss(row, ratio) else text


def _remarks(table):
    """Why a contestant has no value, each reason once."""
    reasons = {}
    for row in table:
        if row["status"] != "ok":
            reasons.setdefault((row["contestant"], row["status"]), []).append(row["seconds"])
    lines = [
        f"- {name}, {', '.join(map(_length, lengths))}: {status}"
        for (name, status), lengths in reasons.items()
    ]
    return ["\n".join(lines)] if lines else []


def _machines(rows):
    """Machine, versions, commit and days of the rows."""
    made = {}
    for row in rows:
        key = tuple(row[column] for column in ("cpu", "cores", "gpu", "versions", "commit"))
        made.setdefault(key, []).append(row["date"][:10])
    lines = []
    for (cpu, cores, gpu, versions, commit), dates in made.items():
        days = " to ".join(dict.fromkeys((min(dates), max(dates))))
        machine = ", ".join(filter(None, (f"{cpu} ({cores} cores)", gpu)))
        lines.append(
            f"- {machine}; {versions}; commit {commit or 'unknown'}; {days}: {len(dates)} rows"
        )
    return "\n".join(lines)


def _title(shared):
    layers = "" if shared["level"].startswith("mixer") else f", {shared['layers']} layers"
    parts = [
        f"{TITLES[shared['level']]}, {shared['encoder'].capitalize()}{layers}",
        "peak memory" if shared["measured"] == "memory" else "",
        "compiled" if shared["mode"] == "compiled" else "",
        f"chunks of {shared['chunk']} frames" if shared["chunk"] != "0" else "",
        "batches of 80 s" if shared["batch"] == "constant" else "",
        shared["device"] if shared["device"] != "cpu" else _threads(shared["threads"]),
        "glibc's own allocation" if shared["freed_memory"] == "system" else "",
    ]
    return ", ".join(filter(None, parts))


def _threads(count):
    return f"{count} thread" + "s" * (count != "1")


def _order(item):
    shared = dict(zip(TABLE, item[0]))
    by_level = LEVELS.index(shared["level"])
    return shared["measured"] == "memory", by_level, item[0]


def _length(seconds):
    seconds = float(seconds)
    return f"{seconds:g} s" if seconds < 600 else f"{seconds / 60:g} min"


def _digits(value):
    """Three significant digits, or all before the point."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


if __name__ == "__main__":
    main(sys.argv[1:])
