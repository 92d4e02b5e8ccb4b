"""Operations of mixers, encoders and training steps: counted, so the same on every machine.

``python -m results.benchmark.operations --output results/operations.csv``
"""

import argparse
from dataclasses import replace

from torch.utils.flop_counter import FlopCounterMode

from results.benchmark.contestants import build_contestant
from results.benchmark.memory import group_inputs
from results.benchmark.points import BASELINE, EIGHT_HEADS, Group, Kind
from results.benchmark.rows import write_rows
from results.benchmark.timing import make_call

SECONDS = (10, 40, 100)
INFERENCE = (
    *(BASELINE, EIGHT_HEADS, "SummaryMixing lite", "SummaryMixing fast", "plain", "fastformer"),
    *("stock hypermixing", "stock regularMHA", "stock RoPEMHA", "stock RelPosMHAXL"),
)
#: What is counted: level, encoder, contestants.
POINTS = (
    ("encoder", "conformer", INFERENCE),
    ("mixer", "conformer", INFERENCE),
    ("mixer_step", "conformer", (BASELINE, "SummaryMixing full shared", "plain")),
    ("encoder", "branchformer", (BASELINE, "SummaryMixing lite", "RoPESDPA", "stock RelPosMHAXL")),
)


def count_operations(name, group):
    """Count the multiplications and additions of one call.

    Parameters
    ----------
    name : str
        Of a contestant.
    group : Group
        Where its kind's device is does not matter: nothing is computed.

    Returns
    -------
    int
        Of matrix products and convolutions, two for each pair of operands. Activations, norms,
        softmax and dropout are not counted.

    Examples
    --------
    >>> from results.benchmark.points import Sizes
    >>> mixer = Kind("mixer", sizes=Sizes(d_model=16))
    >>> count_operations(BASELINE, Group(mixer, 10, ()))  # 5 products for 250 frames, and W_s
    640512
    """
    group = replace(group, kind=replace(group.kind, device="meta"))
    call = make_call(build_contestant(name, group.kind), group_inputs(group), group.kind)
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def count_points(points, seconds):
    """Count points at the published widths.

    Parameters
    ----------
    points : sequence of tuple
        As in :data:`POINTS`.
    seconds : sequence of float
        Lengths of the one utterance.

    Returns
    -------
    list of dict
        ``level``, ``encoder``, ``contestant``, ``seconds``, ``gflop`` and its ``ratio`` to that of
        SummaryMixing full.
    """
    rows = []
    for level, encoder, names in points:
        for length in seconds:
            group = Group(Kind(level, encoder), length, names)
            counts = {name: count_operations(name, group) for name in names}
            rows += [
                {
                    "level": level,
                    "encoder": encoder,
                    "contestant": name,
                    "seconds": length,
                    "gflop": f"{count / 1e9:.4g}",
                    "ratio": f"{count / counts[BASELINE]:.3f}",
                }
                for name, count in counts.items()
            ]
    return rows


def main(argv=None):
    """Count, print and write a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="CSV file; without it, the rows are printed only")
    options = parser.parse_args(argv)
    rows = count_points(POINTS, SECONDS)
    for row in rows:
        print(*row.values(), sep="  ")
    if options.output:
        write_rows(options.output, rows)


if __name__ == "__main__":
    main()
