"""The charts of a page about a run, as SVG."""

import io

import numpy as np

from summarymixing_sb.evaluation.by_length import length_bins
from summarymixing_sb.evaluation.scoring import ERROR_RATES


def training_curves(epochs):
    """Draw losses, error rates and learning rate over optimiser steps.

    Parameters
    ----------
    epochs : list of dict of str to float
        See :class:`summarymixing_sb.report.record.RunRecord`.

    Returns
    -------
    str
        SVG.
    """
    steps = [epoch.get("steps", epoch["epoch"]) for epoch in epochs]
    names = dict.fromkeys(name for epoch in epochs for name in epoch)
    panels = {
        "loss": [name for name in names if name.endswith(" loss")],
        "%": [name for name in names if name.split(" ")[-1] in ("WER", "CER", "error_rate")],
        "learning rate": ["lr"],
    }
    panels = {label: shown for label, shown in panels.items() if {*shown} & {*names}}
    figure, axes = _figure(1, len(panels))
    for axis, (label, shown) in zip(axes, panels.items()):
        for name in shown:
            points = [(x, e[name]) for x, e in zip(steps, epochs) if name in e]
            axis.plot(*zip(*points), marker=".", label=name)
        axis.set(xlabel="optimiser steps", ylabel=label)
        if len(shown) > 1:
            axis.legend()
        axis.set_ylim(bottom=0)
    return _svg(figure)


def rates_by_length(utterances, unit="word"):
    """Draw the error rate against the length of the utterance.

    Parameters
    ----------
    utterances : list of summarymixing_sb.report.record.Utterance
    unit : str
        ``word`` or ``character``.

    Returns
    -------
    str
        SVG; empty if the references hold no word.
    """
    words = np.array([len(utterance.reference) for utterance in utterances])
    errors = np.array([utterance.errors for utterance in utterances])
    bins = [indices for indices in length_bins(words) if words[indices].sum()]
    if not bins:
        return ""
    figure, [axis] = _figure(1, 1)
    lengths = [words[indices].mean() for indices in bins]
    rates = [100 * errors[indices].sum() / words[indices].sum() for indices in bins]
    axis.plot(lengths, rates, marker="o")
    axis.set(xlabel=f"{unit}s of the reference, mean of each bin", ylabel=f"{ERROR_RATES[unit]}, %")
    axis.set_ylim(bottom=0)
    return _svg(figure)


def _figure(rows, columns):
    # who does not look at pages needs no matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * columns, 3.2 * rows), layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)[0]


def _svg(figure):
    """Give the SVG element alone, for HTML."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]
