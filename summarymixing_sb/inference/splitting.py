"""Batches by length, overlapping windows, and segments between pauses.

Letters: T frames of the recording, V pieces of the vocabulary.
"""

from bisect import bisect_right
from itertools import pairwise

import torch

from summarymixing_sb.data.tokenizer import WORD_BOUNDARY


def batches_by_length(lengths, limit):
    """Group items of like length, so that little of a batch is padding.

    Parameters
    ----------
    lengths : sequence of float
        Length of each item.
    limit : float
        The most that a batch may take: its longest length times its size. An item that alone is
        longer is a batch of one.

    Returns
    -------
    list of list of int
        Indices; the longest first, so that a lack of memory shows at once.

    Examples
    --------
    >>> batches_by_length([1.0, 5.0, 2.0, 9.0, 4.5], limit=10.0)
    [[3], [1, 4], [2, 0]]
    """
    batches = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= limit:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches


def plan_windows(frames, length, overlap):
    """Cover frames with windows of one length, which start on whole frames.

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

    Of the frames that two windows share, each gives those that are farther from its own edge.

    Parameters
    ----------
    parts : list of torch.Tensor
        (frames, ...) of each window; frames behind its end are dropped.
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


def cut_at_pauses(log_probs, tokenizer, blank_index, longest):
    """Divide frames into segments that begin with a word.

    Where words begin, and how long the pauses before them are, is read from the best piece of each
    frame. Every cut lies in the middle of the longest pause of the second half of what a segment
    may take; a segment is longer only where no word begins in that time. So what decodes and
    aligns segments one by one is linear in time, and greedy decoding gives the same transcript as
    for all at once.

    Parameters
    ----------
    log_probs : torch.Tensor
        (T, V).
    tokenizer : sentencepiece.SentencePieceProcessor
    blank_index : int
    longest : int
        Frames of a segment.

    Returns
    -------
    list of (int, int)
        First frame of each segment and the one after its last; together, all T.
    """
    frames = len(log_probs)
    cuts = _word_starts(log_probs.argmax(-1).tolist(), tokenizer, blank_index)
    places = [place for place, _ in cuts]
    segments, start = [], 0
    while frames - start > longest:
        low = bisect_right(places, start + longest // 2)
        high = bisect_right(places, start + longest)
        if low == len(places):
            break
        # where no word begins in that time: the next one that does
        end = max(cuts[low:high] or cuts[low : low + 1], key=lambda cut: cut[1])[0]
        segments.append((start, end))
        start = end
    return [*segments, (start, frames)]


def _word_starts(best, tokenizer, blank_index):
    """Find where words begin: the middle of the pause before each and its length, in frames."""
    pieces = [tokenizer.id_to_piece(index) for index in range(tokenizer.get_piece_size())]
    pause_begins, boundary, previous, cuts = 0, False, blank_index, []
    for frame, index in enumerate(best):
        if index != blank_index and pieces[index] != WORD_BOUNDARY:
            if index != previous and (boundary or pieces[index].startswith(WORD_BOUNDARY)):
                cuts.append(((pause_begins + frame) // 2, frame - pause_begins))
            pause_begins, boundary = frame + 1, False
        elif index != blank_index:
            boundary = True
        previous = index
    return cuts
