"""Sums over ranges of time, by prefix sums of blocks.

Letters: B batch, T entries, M ranges, N blocks, L entries of a block, d summary width.
"""

import torch.nn.functional as F


def range_sums(values, first, end, size):
    """Sum several ranges of entries, in linear time.

    A range lies in one block of ``size`` entries or in two neighbouring ones, so each block has
    prefix sums of its own. They stay small for any T, and so does the rounding error of their
    differences.

    Parameters
    ----------
    values : torch.Tensor
        (B, T, d).
    first, end : torch.Tensor
        (M,) int64, the first entry of each range and the one after its last.
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
    # With a leading zero, entry k of a block is the sum of its first k values.
    prefix = F.pad(blocks, (0, 0, 1, 0)).cumsum(2).flatten(1, 2)  # (B, N (L + 1), d)

    def sum_of_first(count, block):
        return prefix.index_select(1, block * (size + 1) + count)

    start_block, end_block = first // size, (end - 1) // size
    in_start_block = size * (end_block > start_block)  # the whole block, if there are two
    sums = sum_of_first(end - end_block * size, end_block)
    sums = sums - sum_of_first(first - start_block * size, start_block)
    return sums + sum_of_first(in_start_block, start_block)
