"""Error rate against the length of the utterance."""

import numpy as np

from summarymixing_sb.evaluation.scoring import ERROR_RATES

SMALLEST_BIN = 20
MOST_BINS = 10


def length_bins(words):
    """Sort utterances by length into bins of about equal counts, those of one length together.

    Parameters
    ----------
    words : numpy.ndarray
        (utterances,). Words of each.

    Returns
    -------
    list of numpy.ndarray
        Indices of the utterances, the shortest first: at most 10 bins, and at most one for every
        20 utterances.

    Examples
    --------
    >>> [len(indices) for indices in length_bins(np.arange(45))]
    [23, 22]
    """
    count = min(MOST_BINS, max(1, len(words) // SMALLEST_BIN))
    order = np.argsort(words, kind="stable")
    sizes = [len(part) for part in np.array_split(order, count)]
    # back to where the length begins that a cut would part
    cuts = np.searchsorted(words[order], words[order][np.cumsum(sizes)[:-1]])
    return [part for part in np.split(order, np.unique(cuts)) if len(part)]


def plot_by_length(path, errors, words, unit="word"):
    """Draw the error rate of runs against the length of the utterance, in bins, see `length_bins`.

    Parameters
    ----------
    path : str or Path
        PNG file to write.
    errors : dict of str to numpy.ndarray
        Word errors per utterance, (utterances,), by the name of the run.
    words : numpy.ndarray
        (utterances,). Words of the references.
    unit : str
        ``word``, or ``character`` where errors and lengths are of those.

    Raises
    ------
    ModuleNotFoundError
        When matplotlib is not installed.
    """
    # who only trains and tests needs no matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # a bin of empty references has no rate
    bins = [indices for indices in length_bins(words) if words[indices].sum()]
    lengths = [words[indices].mean() for indices in bins]
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for (name, of_run), marker in zip(errors.items(), "os"):
        rates = [100 * of_run[indices].sum() / words[indices].sum() for indices in bins]
        axes.plot(lengths, rates, marker=marker, label=name)
    axes.set_xlabel(f"{unit}s of the reference, mean of the utterances of a point")
    axes.set_ylabel(f"{ERROR_RATES[unit]}, %")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150, metadata={"Software": None})
