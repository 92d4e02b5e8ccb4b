"""Time, memory and real-time factor against length, and the published curves below.

``python -m results.benchmark.plots results/bench.csv results/published_efficiency.csv``
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from results.benchmark.rows import read_rows

#: Colour and line of a model in every panel; dashes are SpeechBrain's encoders.
STYLES = {
    "SummaryMixing": ("tab:blue", "-"),
    "SummaryMixing 8 heads": ("navy", "-"),
    "SummaryMixing-lite": ("tab:green", "-"),
    "SummaryMixing-fast": ("tab:purple", "-"),
    "RoPESDPA": ("tab:orange", "-"),
    "SpeechBrain RoPEMHA": ("tab:red", "--"),
    "SpeechBrain RelPosMHAXL": ("tab:brown", "--"),
    "self-attention": ("tab:brown", "--"),  # as published
}
#: mode, what was measured, published quantity, label of the axis
PANELS = (
    ("training", "time", "training time per sentence", "training time, s"),
    ("inference", "time", "decoding real-time factor", "real-time factor"),
    ("training", "memory", "peak training memory", "peak memory, GB"),
)
DPI, COLORS = 80, 64


def efficiency_plot(path, rows, published, title):
    """Draw figure 2 of arXiv 2307.07421: encoders of ours above, the published curves below.

    Parameters
    ----------
    path : str or Path
        PNG file to write.
    rows : list of dict
        Of one machine, from :func:`results.benchmark.rows.read_rows`.
    published : list of dict
        From :func:`read_published_curves`.
    title : str
        Which machine.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    """
    # who only measures needs no matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(13, 9), dpi=DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots(2, 3)
    for column, (mode, measured, quantity, label) in enumerate(PANELS):
        ours = curves_of(rows, mode, measured)
        _draw(axes[0, column], ours, f"measured: {title}", label)
        theirs = {
            row["mixer"]: [(length, value, value, value) for length, value in row["points"]]
            for row in published
            if row["quantity"] == quantity
        }
        _draw(axes[1, column], theirs, "published: read off 2307.07421, figure 2", label)
    axes[1, 0].legend(fontsize="small")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize="small", loc="outside upper center", ncols=7)
    canvas.draw()
    # few colours: a third of the size that matplotlib gives it
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    pixels.quantize(COLORS).save(path, optimize=True)


def curves_of(rows, mode, measured):
    """Find the curves of a panel: seconds, real-time factors in inference, or gigabytes.

    Returns
    -------
    dict of str to list of tuple of float
        By model, (seconds, median, first quartile, third quartile), the shortest first.
    """
    wanted = {"part": "encoder", "mode": mode, "measured": measured, "chunk": "0", "status": "ok"}
    curves = {}
    for row in rows:
        if row["model"] in STYLES and all(row[key] == value for key, value in wanted.items()):
            length = float(row["seconds"])
            if measured == "memory":
                values = [float(row["peak_mib"]) * 2**20 / 1e9] * 3
            else:
                values = [float(row[column]) for column in ("median_s", "q1_s", "q3_s")]
            if mode == "inference":
                values = [value / length for value in values]
            curves.setdefault(row["model"], []).append((length, *values))
    return {name: sorted(curves[name]) for name in STYLES if name in curves}


def read_published_curves(path):
    """Read the figures of others.

    Parameters
    ----------
    path : str or Path
        CSV file with columns quantity, unit, mixer and one for each length, such as 10s; an
        empty cell could not be read.

    Returns
    -------
    list of dict
        ``quantity``, ``mixer`` (str) and ``points``, a list of (seconds, value); a real-time
        factor in units of 1.
    """
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = []
    for row in rows:
        scale = 1e-5 if row["unit"] == "1e-5" else 1.0
        points = [
            (float(column.rstrip("s")), scale * float(value))
            for column, value in row.items()
            if column[0].isdigit() and value
        ]
        found.append({"quantity": row["quantity"], "mixer": row["mixer"], "points": points})
    return found


def main(argv=None):
    """Draw the plot of a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", help="CSV file of results.benchmark.speed")
    parser.add_argument("published", help="CSV file of published curves")
    parser.add_argument("--output", default="results/bench", help="folder of the PNG files")
    parser.add_argument("--device", default="cpu", help="whose rows are drawn")
    options = parser.parse_args(argv)
    try:
        rows, published = read_rows(options.rows), read_published_curves(options.published)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    shared = {"device": options.device, "precision": "fp32", "compiled": "False", "batch_size": "1"}
    rows = [row for row in rows if all(row[key] == value for key, value in shared.items())]
    if not rows:
        parser.error(f"{options.rows} holds no row of batches of one on {options.device} in fp32")
    machine = rows[0]["gpu"] or f"CPU, {rows[0]['threads']} thread"
    efficiency_plot(folder / f"efficiency_{options.device}.png", rows, published, machine)


def _draw(axes, curves, title, label):
    """One panel; both axes logarithmic, so that a straight line of slope 1 is linear time."""
    from matplotlib.ticker import LogLocator

    for name, points in curves.items():
        color, line = STYLES[name]
        lengths, medians, low, high = zip(*points)
        axes.plot(lengths, medians, color=color, linestyle=line, marker=".", label=name)
        axes.fill_between(lengths, low, high, color=color, alpha=0.2)
    axes.set(title=title, xlabel="length, s", ylabel=label, xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)


if __name__ == "__main__":
    main()
