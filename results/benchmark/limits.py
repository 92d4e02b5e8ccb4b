"""What is left out before it is tried: what would take too long, or more memory than there is.

Letters: B batch, T frames, H heads.
"""

from pathlib import Path

import torch

from results.benchmark.contestants import CONTESTANTS

GIB = 2**30


def available_bytes(device):
    """Memory that can still be had, on a GPU or of the machine."""
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if not meminfo.is_file():  # not Linux: then a contestant may fail, which is told, too
        return float("inf")
    values = dict(line.split(":") for line in meminfo.read_text(encoding="utf-8").splitlines())
    return 1024 * int(values["MemAvailable"].split()[0])


def estimated_bytes(name, group):
    """Estimate what a call needs, beside its parameters.

    Parameters
    ----------
    name : str
        Of a contestant.
    group : Group

    Returns
    -------
    float
        Of the (T, T) tensors and of those that feed-forward layers and convolutions keep, in
        training for every layer. Good to a factor of two.

    Examples
    --------
    >>> from results.benchmark.points import Group, Kind
    >>> hour = Group(Kind("encoder"), 3600, ())
    >>> estimated_bytes("SummaryMixing full", hour) < 4 * GIB < 200 * GIB
    True
    >>> estimated_bytes("stock RelPosMHAXL", hour) > 200 * GIB
    True
    """
    contestant, kind, sizes = CONTESTANTS[name], group.kind, group.kind.sizes
    if kind.training:
        widths = kind.layers * (8 * sizes.d_ffn + 25 * sizes.d_model)  # dropout's masks, too
        pairs = contestant.trained_squares * kind.layers * sizes.nhead
    else:
        widths = 2 * sizes.d_ffn + 2 * sizes.d_model
        pairs = (contestant.squares + contestant.kept * kind.layers) * sizes.nhead
    if _has_dense_weights(contestant, group):
        pairs += 2
    return 4.0 * group.batch_size * (group.frames * widths + group.frames**2 * pairs)


def _has_dense_weights(contestant, group):
    return contestant.plain and (group.kind.chunk > 0 or contestant.pooling != "utterance")


def reason_to_skip(name, group, measured, limit, available):
    """Tell why a contestant is not tried, or None.

    Parameters
    ----------
    name : str
    group : Group
    measured : dict of float to float
        Seconds that it took at other lengths, by the length.
    limit : float
        What a call may take, in seconds.
    available : float
        Memory that can still be had, in bytes.

    Returns
    -------
    str or None
    """
    needed = estimated_bytes(name, group)
    if needed > available:
        return (
            f"it would need about {needed / GIB:.0f} GiB, of {max(0, available) / GIB:.0f} GiB "
            "available"
        )
    shorter = [length for length in measured if length < group.seconds]
    if not shorter:
        return None
    contestant = CONTESTANTS[name]
    quadratic = contestant.trained_squares > 0 or _has_dense_weights(contestant, group)
    growth = (group.seconds / max(shorter)) ** (2 if quadratic and group.batch == "one" else 1)
    predicted = measured[max(shorter)] * growth
    if predicted > limit:
        return f"it would take about {predicted:.0f} s, more than --limit {limit:g}"
    return None
