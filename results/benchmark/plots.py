"""Time, memory and real-time factor against length, and the published curves beside.

``python -m results.benchmark.plots results/bench.csv results/published_efficiency.csv``
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from results.benchmark.contestants import FLOOR
from results.benchmark.points import EIGHT_HEADS
from results.benchmark.rows import read_rows

# Of one contestant everywhere; dashes are SpeechBrain's encoders, dots the floors and plain forms.
STYLES = {
    "SummaryMixing full": ("tab:blue", "-"),
    EIGHT_HEADS: ("navy", "-"),
    "SummaryMixing full shared": ("tab:cyan", "-"),
    "SummaryMixing lite": ("tab:green", "-"),
    "SummaryMixing fast": ("tab:purple", "-"),
    "plain": ("tab:blue", ":"),
    FLOOR + "SummaryMixing full": ("black", ":"),
    "fastformer": ("tab:olive", "-"),
    "RoPESDPA": ("tab:orange", "-"),
    "RoPEMHA": ("tab:red", "-"),
    "stock RoPEMHA": ("tab:red", "--"),
    "stock RelPosMHAXL": ("tab:brown", "--"),
    "stock regularMHA": ("tab:pink", "--"),
    "stock hypermixing": ("tab:gray", "--"),
}
#: The names that the published figures have, and ours for the same.
PUBLISHED = {
    "self-attention": "stock RelPosMHAXL",
    "SummaryMixing": "SummaryMixing full",
    "SummaryMixing-lite": "SummaryMixing lite",
}
SOURCE = "read off 2307.07421, figure 2"
QUANTITIES = (
    ("training time per sentence", "training time, s"),
    ("decoding real-time factor", "real-time factor"),
    ("peak training memory", "peak training memory, GB"),
)
DPI, COLORS = 80, 64


def efficiency_plot(path, rows, published, encoder="conformer"):
    """Draw figure 2 of the paper: ours above, the published curves below.

    Parameters
    ----------
    path : str or Path
        PNG file to write.
    rows : list of dict
        From :func:`results.benchmark.rows.read_rows`.
    published : list of dict
        From :func:`read_published_curves`.
    encoder : str
        Whose rows are drawn: batches of one, eager, without chunks.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    """
    figure = _figure(13, 9)
    axes = figure.subplots(2, 3)
    ours = (
        ("step", "time", "median_s", 1),
        ("encoder", "time", "real_time_factor", 1),
        ("step", "memory", "peak_mib", 2**20 / 1e9),
    )
    for panel, (level, measured, column, scale), (_, label) in zip(axes[0], ours, QUANTITIES):
        curves = curves_of(rows, level, encoder, measured, column, scale)
        _draw(panel, curves, f"ours: {level}, {encoder}", label)
    for panel, (quantity, label) in zip(axes[1], QUANTITIES):
        curves = {row["mixer"]: row["points"] for row in published if row["quantity"] == quantity}
        _draw(panel, curves, f"published: {SOURCE}", label)
        _legend(panel, [panel])
    _legend(figure, axes[0], loc="outside upper center", ncols=6)
    _save(figure, path)


def inference_plot(path, rows, encoder="conformer"):
    """Draw the real-time factor of mixer, encoder and model against length.

    The parameters are those of :func:`efficiency_plot`.
    """
    figure = _figure(13, 4.8)
    panels = figure.subplots(1, 3)
    for panel, level in zip(panels, ("mixer", "encoder", "model")):
        curves = curves_of(rows, level, encoder, "time", "real_time_factor")
        _draw(panel, curves, f"inference, {level}, {encoder}", "real-time factor")
    _legend(figure, panels, loc="outside upper center", ncols=6)
    _save(figure, path)


def curves_of(rows, level, encoder, measured, column, scale=1):
    """Find the curves of a panel, of the most threads that were measured.

    Returns
    -------
    dict of str to list of tuple of float
        (seconds, value) by contestant, the shortest first.
    """
    wanted = {
        "level": level,
        "encoder": encoder,
        "measured": measured,
        "mode": "eager",
        "chunk": "0",
        "batch": "one",
        "status": "ok",
    }
    rows = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    most_threads = max((int(row["threads"]) for row in rows), default=0)
    curves = {}
    # Of a point that was measured with and without freed memory kept, the former is drawn.
    for row in sorted(rows, key=lambda row: row["freed_memory"] == "kept"):
        if int(row["threads"]) == most_threads:
            points = curves.setdefault(row["contestant"], {})
            points[float(row["seconds"])] = scale * float(row[column])
    return {name: sorted(curves[name].items()) for name in STYLES if name in curves}


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
    """Draw the plots of a CSV file."""
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
    rows = [row for row in rows if row["device"] == options.device]
    folder = Path(options.output)
    folder.mkdir(parents=True, exist_ok=True)
    efficiency_plot(folder / "efficiency.png", rows, published)
    inference_plot(folder / "inference.png", rows)


def _figure(width, height):
    # who only measures needs no matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure, path):
    """Write a PNG file of few colours, a third of the size that matplotlib gives it."""
    from PIL import Image  # matplotlib needs it, too

    figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("RGB")
    pixels.quantize(COLORS).save(path, optimize=True)


def _draw(axes, curves, title, label):
    """One panel; both axes logarithmic, so that a straight line of slope 1 is linear time."""
    from matplotlib.ticker import LogLocator

    for name, points in curves.items():
        color, line = STYLES[PUBLISHED.get(name, name)]
        axes.plot(*zip(*points), color=color, linestyle=line, marker=".", label=name)
    axes.set(title=title, xlabel="length, s", ylabel=label, xscale="log", yscale="log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.3)


def _legend(where, panels, **options):
    """Name every curve of some panels once."""
    lines = {line.get_label(): line for panel in panels for line in panel.get_lines()}
    if lines:
        where.legend(handles=list(lines.values()), fontsize="small", **options)


if __name__ == "__main__":
    main()
