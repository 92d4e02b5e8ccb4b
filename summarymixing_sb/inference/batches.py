"""Groups of like length."""


def batches_by_length(lengths, limit):
    """Group things so that little of a batch is padding.

    Parameters
    ----------
    lengths : sequence of float
        Of each thing.
    limit : float
        The most that a batch may take: its longest length times its size. What alone is longer is
        a batch of one.

    Returns
    -------
    list of list of int
        Indices; the longest first, so that memory that does not suffice shows at once.

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
