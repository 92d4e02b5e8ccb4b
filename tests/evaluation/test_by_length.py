"""Error rates by the length of the utterance."""

from itertools import pairwise

import numpy as np
import pytest

from summarymixing_sb.evaluation.by_length import length_bins, plot_by_length


@pytest.mark.parametrize(
    ("count", "bins"), [(1, 1), (19, 1), (39, 1), (40, 2), (205, 10), (5000, 10)]
)
def test_bins_of_equal_counts(count, bins):
    words = np.random.default_rng(0).permutation(count)
    found = length_bins(words)
    assert len(found) == bins
    assert sorted(np.concatenate(found)) == list(range(count))
    sizes = [len(indices) for indices in found]
    assert max(sizes) - min(sizes) <= 1
    for shorter, longer in pairwise(found):
        assert words[shorter].max() < words[longer].min()


def test_one_length_is_in_one_bin():
    words = np.random.default_rng(0).integers(5, 9, 200)
    found = [np.unique(words[indices]).tolist() for indices in length_bins(words)]
    assert found == [[5], [6], [7], [8]]
    assert len(length_bins(np.full(100, 7))) == 1


def test_the_points_of_the_plot(tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = {}

    def plot(axes, x, y, label, **_):
        drawn[label] = (x, y)
        return original(axes, x, y, label=label)

    original = Axes.plot
    monkeypatch.setattr(Axes, "plot", plot)
    # an empty reference each has no rate: that bin is left out
    words = np.array([0] * 20 + [2] * 20 + [10] * 20)
    errors = {"A": np.array([1] * 20 + [1] * 20 + [1] * 20), "B": np.zeros(60)}
    plot_by_length(tmp_path / "plot.png", errors, words)
    assert drawn == {"A": ([2, 10], [50, 10]), "B": ([2, 10], [0, 0])}
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
