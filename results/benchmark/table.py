"""The benchmark page: tables of its rows, and where SummaryMixing loses.

``python -m results.benchmark.table results/bench.csv --output results/benchmark.md``
"""

import argparse
import csv
from pathlib import Path

from results.benchmark.models import BASELINE
from results.benchmark.rows import read_rows
from summarymixing_sb.files import atomic_open

#: What rows of one table have in common.
TABLE = (
    *("measured", "part", "mode", "encoder", "chunk", "batch_size", "layers", "d_model"),
    *("device", "gpu", "precision", "compiled", "threads"),
)
INTRODUCTION = """# Benchmark

Made by `make bench` from [bench.csv](bench.csv). Widths are those published for LibriSpeech (512,
feed-forward layers of 2048, kernel 31); frames are 40 ms apart, weights random, batches of one.
"SpeechBrain" models are SpeechBrain's encoders, called as its TransformerASR calls them; RoPESDPA
is our self-attention with fused kernels; all else is our encoder, too. "SummaryMixing reference" is
the slow definition with dense weights, without dropout.

A model with a reference has a time only if its outputs (in training, the gradient of the input,
too) agree with it to 1e-4, in float32 and without dropout; the columns `reference` and `error` of
the CSV file say with which, and how well. SpeechBrain's own and fastformer have none here: tests
hold our encoders against the former, and the latter against its equations.
The models of one column are measured in turn, round by round, in an order drawn for each round. A
cell is the median in milliseconds and, in brackets, its ratio to SummaryMixing; of memory, in MiB,
how far one call raised the peak of its process. On GPUs, float32 is TF32 in products and
convolutions, as SpeechBrain sets it. **Bold** are models that take less than
SummaryMixing."""
OPERATIONS = """## Operations

Counted by `python -m results.benchmark.operations` ([operations.csv](operations.csv)): billions of
multiplications and additions of the matrix products and convolutions of one call, and in brackets
their ratio to SummaryMixing."""


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
    tables = {}
    for row in rows:
        tables.setdefault(tuple(row[column] for column in TABLE), []).append(row)
    # GPUs first, peaks of memory last
    order = sorted(
        tables, key=lambda key: (key[0] == "memory", key[TABLE.index("device")] == "cpu")
    )
    titled = {title(dict(zip(TABLE, key))): tables[key] for key in order}
    parts = [INTRODUCTION, "## Where SummaryMixing loses", losses(titled)]
    parts += [f"![{Path(path).stem} against length]({path})" for path in plots]
    for name, table in titled.items():
        cells = {(row["model"], float(row["seconds"])): _cell(row, table) for row in table}
        parts += [f"## {name}", _grid(cells)]
        failed = [row for row in table if row["status"] != "ok"]
        if failed:
            parts.append(
                "\n".join(f"- {r['model']}, {_length(r['seconds'])}: {r['status']}" for r in failed)
            )
    parts += _operations(operations)
    parts += ["## Made with", _machines(rows)]
    return "\n\n".join(parts) + "\n"


def losses(tables):
    """List where another model takes less than SummaryMixing, by the tables' titles."""
    lines = []
    for name, table in tables.items():
        by_model = {}
        for row in table:
            if _is_loss(row, table):
                at = f"{_length(row['seconds'])} ({_ratio(row, table):.2f})"
                by_model.setdefault(row["model"], []).append(at)
        if by_model:
            listed = "; ".join(f"{model} at {', '.join(at)}" for model, at in by_model.items())
            lines.append(f"- {name}: {listed}.")
    if not lines:
        return "Nowhere in these tables does another model take less than SummaryMixing."
    head = "Other models take less than SummaryMixing here (ratios in brackets):"
    return "\n".join([head, "", *lines])


def title(shared):
    """Name a table by what its rows have in common."""
    measured = "peak memory" if shared["measured"] == "memory" else "time"
    what = "One mixer" if shared["part"] == "mixer" else f"Encoder of {shared['layers']} layers"
    parts = [
        f"{what}, {shared['mode']}, {measured}",
        f"chunks of {shared['chunk']} frames" if shared["chunk"] != "0" else "",
        shared["encoder"].capitalize() if shared["encoder"] != "conformer" else "",
        f"batches of {shared['batch_size']}" if shared["batch_size"] != "1" else "",
        f"width {shared['d_model']}" if shared["d_model"] != "512" else "",
        shared["precision"] if shared["precision"] != "fp32" else "",
        "compiled" if shared["compiled"] == "True" else "",
        shared["gpu"] if shared["device"] == "cuda" else f"CPU, threads: {shared['threads']}",
    ]
    return ", ".join(filter(None, parts))


def _ratio(row, table):
    """Give a row's value divided by that of SummaryMixing at the same length, or None."""
    if row["measured"] == "time":
        return float(row["ratio"]) if row["ratio"] not in ("", "nan") else None
    growth = {r["model"]: r["growth_mib"] for r in table if r["seconds"] == row["seconds"]}
    pair = growth.get(row["model"]), growth.get(BASELINE)
    return float(pair[0]) / float(pair[1]) if all(pair) else None


def _is_loss(row, table):
    ratio = _ratio(row, table)
    own = row["model"].startswith("SummaryMixing") and "reference" not in row["model"]
    return not own and ratio is not None and round(ratio, 2) < 1


def _cell(row, table):
    if row["status"] != "ok":
        return row["status"].split(":")[0]
    memory = row["measured"] == "memory"
    value = float(row["growth_mib"]) if memory else 1000 * float(row["median_s"])
    text = f"{value:.3g}" if value < 100 else f"{value:.0f}"
    ratio = _ratio(row, table)
    text += f" ({ratio:.2f})" if ratio is not None else ""
    return f"**{text}**" if _is_loss(row, table) else text


def _operations(rows):
    """Give a table for each part, mode and encoder, if there are rows."""
    tables = {}
    for row in rows:
        cell = f"{row['gflop']} ({float(row['ratio']):.2f})"
        key = (row["part"], row["mode"], row["encoder"])
        tables.setdefault(key, {})[row["model"], float(row["seconds"])] = cell
    parts = [OPERATIONS] if tables else []
    for (part, mode, encoder), cells in tables.items():
        parts += [f"{part.capitalize()}, {mode}, {encoder.capitalize()}:", _grid(cells)]
    return parts


def _grid(cells):
    """Lay out cells by (model, length): models down, lengths across."""
    lengths = sorted({length for _, length in cells})
    lines = ["| | " + " | ".join(map(_length, lengths)) + " |", "|---|" + "---:|" * len(lengths)]
    for name in dict.fromkeys(name for name, _ in cells):
        found = [cells.get((name, length), "") for length in lengths]
        lines.append(f"| {name} | " + " | ".join(found) + " |")
    return "\n".join(lines)


def _length(seconds):
    seconds = float(seconds)
    return f"{seconds:g} s" if seconds < 600 else f"{seconds / 60:g} min"


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
        where = f"commit {commit or 'unknown'}; {days}: {len(dates)} rows"
        lines.append(f"- {machine}; {versions}; {where}")
    return "\n".join(lines)


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
    operations = []
    if Path(options.operations).is_file():
        with open(options.operations, newline="", encoding="utf-8") as file:
            operations = list(csv.DictReader(file))
    output = Path(options.output)
    plots = sorted((output.parent / options.plots).glob("*.png"))
    with atomic_open(output) as file:
        file.write(page(rows, [f"{options.plots}/{path.name}" for path in plots], operations))


if __name__ == "__main__":
    main()
