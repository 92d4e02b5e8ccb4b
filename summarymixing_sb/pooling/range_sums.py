"""Sums over ranges of time.

Letters: B batch, T entries, M ranges, N blocks, L entries of a block, d summary width.
"""

import torch.nn.functional as F


def range_sums(values, first, end, size):
    """Sum a range of entries for each of several places, in linear time.

    A range lies in one block of ``size`` entries or in two that follow each other, so prefix sums
    that start anew in each block are enough. They stay small, however long T is, and what is lost
    by subtracting them is small, too.

    Parameters
    ----------
    values : torch.Tensor
        (B, T, d).
    first, end : torch.Tensor
        (M,) int64: the first entry of each range, and the one after its last.
    size : int
        Entries of the longest range.

    Returns
    -------
    torch.Tensor
        (B, M, d).

    Examples
    --------
    >>> import torch
    >>> values = torch.tensor([[[1.0], [2.0], [4.0], [8.0]]])
    >>> range_sums(values, torch.tensor([0, 1]), torch.tensor([2, 4]), size=3).flatten()
    tensor([ 3., 14.])
    """
    blocks = F.pad(values, (0, 0, 0, -values.size(1) % size)).unflatten(1, (-1, size))
    # A zero first: entry k of a block is the sum of its first k frames.
    prefix = F.pad(blocks, (0, 0, 1, 0)).cumsum(2).flatten(1, 2)  # (B, N (L + 1), d)

    def of_first(frames, block):
        return prefix.index_select(1, block * (size + 1) + frames)

    start_block, end_block = first // size, (end - 1) // size
    in_start_block = size * (end_block > start_block)  # all of it, if the range goes on
    sums = of_first(end - end_block * size, end_block)
    sums = sums - of_first(first - start_block * size, start_block)
    return sums + of_first(in_start_block, start_block)
