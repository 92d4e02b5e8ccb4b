"""Overlapping windows of a long recording, and how their frames become one row again.

T frames of the recording. Windows start on whole frames, so that the frames of all of them lie on
one grid; of the frames that two windows share, each takes those that are farther from its own edge.
"""

from itertools import pairwise

import torch


def plan_windows(frames, length, overlap):
    """Cover frames with windows of one length.

    Parameters
    ----------
    frames : int
        T.
    length : int
        Frames of a window; a recording that is not longer is one window.
    overlap : int
        Frames that neighbours share, at least; below `length`.

    Returns
    -------
    list of (int, int)
        First frame of each window and the one after its last.

    Examples
    --------
    >>> plan_windows(100, 40, 10)
    [(0, 40), (30, 70), (60, 100)]
    >>> plan_windows(90, 40, 10)  # the last one is as long as the others
    [(0, 40), (30, 70), (50, 90)]
    >>> plan_windows(30, 40, 10)
    [(0, 30)]
    """
    if frames <= length:
        return [(0, frames)]
    last = frames - length
    starts = [*range(0, last, length - overlap), last]
    return [(start, start + length) for start in starts]


def join_windows(parts, windows):
    """Put the frames of windows together.

    Parameters
    ----------
    parts : list of torch.Tensor
        (frames, ...) of each window; frames behind its end are left out.
    windows : list of (int, int)
        From :func:`plan_windows`.

    Returns
    -------
    torch.Tensor
        (T, ...).

    Examples
    --------
    >>> parts = [torch.full((4,), 1), torch.full((4,), 2)]
    >>> join_windows(parts, [(0, 4), (2, 6)])
    tensor([1, 1, 1, 2, 2, 2])
    """
    cuts = [(end + start) // 2 for (_, end), (start, _) in pairwise(windows)]
    edges = [windows[0][0], *cuts, windows[-1][1]]
    kept = [
        part[begin - start : end - start]
        for part, (start, _), (begin, end) in zip(parts, windows, pairwise(edges))
    ]
    return torch.cat(kept)
