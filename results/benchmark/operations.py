"""Operations of mixers and encoders: counted, so the same on every machine.

``python -m results.benchmark.operations --output results/operations.csv``
"""

import argparse
from dataclasses import replace

from torch.utils.flop_counter import FlopCounterMode

from results.benchmark.models import BASELINE, Case, build_model, make_inputs
from results.benchmark.rows import write_rows
from results.benchmark.speed import EVERY_MIXER, MAIN
from results.benchmark.timing import make_call

SECONDS = (10, 40, 80)
#: part, mode, encoder, models
POINTS = (
    ("mixer", "inference", "conformer", EVERY_MIXER),
    ("mixer", "training", "conformer", (BASELINE, "SummaryMixing shared dropout", "RoPESDPA")),
    ("encoder", "inference", "conformer", MAIN),
    ("encoder", "inference", "branchformer", (BASELINE, "RoPESDPA", "SpeechBrain RelPosMHAXL")),
)


def count_operations(name, case):
    """Count the multiplications and additions of one call.

    Parameters
    ----------
    name : str
        Of a model.
    case : Case
        Its device does not matter: nothing is computed.

    Returns
    -------
    int
        Of matrix products and convolutions, two for each pair of operands. Activations, norms,
        softmax and dropout are not counted.

    Examples
    --------
    >>> case = Case("mixer", "inference", 10, d_model=16)
    >>> count_operations(BASELINE, case)  # 5 products for 250 frames, and W_s
    640512
    """
    case = replace(case, device="meta")
    call = make_call(build_model(name, case), make_inputs(case), case)
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
        ``part``, ``mode``, ``encoder``, ``model``, ``seconds``, ``gflop`` and its ``ratio`` to that
        of SummaryMixing.
    """
    rows = []
    for part, mode, encoder, names in points:
        for length in seconds:
            case = Case(part, mode, length, encoder=encoder)
            counts = {name: count_operations(name, case) for name in names}
            shared = {"part": part, "mode": mode, "encoder": encoder}
            for name, count in counts.items():
                figures = {
                    "gflop": f"{count / 1e9:.4g}",
                    "ratio": f"{count / counts[BASELINE]:.3f}",
                }
                rows.append(shared | {"model": name, "seconds": length} | figures)
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
