"""Time, real-time factor and peak memory of mixers and encoders, in inference and training.

``python -m results.benchmark.speed --output results/bench.csv`` measures what is on the results
page, ``--memory`` its peaks. Rows that the file holds of this machine are not measured again.
With ``--parts`` and its like, other points are measured; ``--models`` also takes a mixer of your
own by its dotted path.
"""

import argparse
import itertools
import statistics
from dataclasses import asdict, replace

import torch

from results.benchmark.correctness import TOLERANCE, compiled_error, reference_error
from results.benchmark.memory import peak_memory
from results.benchmark.models import BASELINE, ENCODERS, MODELS, Case, build_model, make_inputs
from results.benchmark.rows import append_rows, machine_columns, read_rows, row_key
from results.benchmark.timing import FAILURES, interleave, make_call, timed

ATTENTION = ("RoPESDPA", "SpeechBrain RoPEMHA", "SpeechBrain RelPosMHAXL")
MAIN = (BASELINE, "SummaryMixing 8 heads", "SummaryMixing-lite", "SummaryMixing-fast", *ATTENTION)
CHUNKED = (BASELINE, "SummaryMixing reference", "RoPESDPA")
EVERY_MIXER = tuple(name for name in MODELS if name != "SummaryMixing reference")
LENGTHS = (10, 20, 40, 80)  # s
#: (part, mode, frames of a chunk, seconds, models) of the results page.
TIMES = (
    ("mixer", "inference", 0, LENGTHS, EVERY_MIXER),
    ("mixer", "training", 0, LENGTHS, EVERY_MIXER),
    ("mixer", "training", 16, (50, 100, 200), CHUNKED),
    ("encoder", "inference", 0, LENGTHS, MAIN),
    ("encoder", "training", 0, LENGTHS[:3], MAIN),
)
PEAKS = (
    ("encoder", "training", 0, LENGTHS, MAIN),
    ("mixer", "training", 16, (50, 100, 200), CHUNKED),
)


def cases(options):
    """List what is to be measured, as pairs of a case and names of models."""
    base = Case(
        *("encoder", "inference", 10),
        layers=options.layers,
        d_model=options.d_model,
        device=options.device,
        precision=options.precision,
        compiled=options.compiled,
        encoder=options.encoder,
        batch_size=options.batch_size,
    )
    chosen = (options.parts, options.modes, options.chunks, options.seconds, options.models)
    if any(chosen):
        parts, modes, chunks, seconds, models = (
            given or default
            for given, default in zip(chosen, (["encoder"], ["inference"], [0], LENGTHS, MAIN))
        )
        table = [(*one, seconds, models) for one in itertools.product(parts, modes, chunks)]
    else:
        table = PEAKS if options.memory else TIMES
    return [
        (replace(base, part=part, mode=mode, chunk=chunk, seconds=length), models)
        for part, mode, chunk, lengths, models in table
        for length in sorted(lengths)
    ]


def time_models(case, names, rounds, build=build_model):
    """Measure the times of models in turn.

    Parameters
    ----------
    case : Case
    names : sequence of str
    rounds : int
    build : callable
        Makes a model from its name and a case.

    Returns
    -------
    dict of str to dict
        Columns of each model's row, whatever became of it; ``ratio`` is to the first of `names`.
    """
    found, calls, inputs = {name: {"status": "ok"} for name in names}, {}, make_inputs(case)
    for name, row in found.items():
        try:
            model = build(name, case)
            row["reference"], error = reference_error(name, model, replace(case, precision="fp32"))
            row["error"] = f"{error:.1e}"
            if error > TOLERANCE or (row["reference"] != "none" and error != error):
                row["status"] = "wrong"
                continue
            run = torch.compile(model) if case.compiled else model
            if case.compiled and not compiled_error(model, run, case) <= TOLERANCE:
                row["status"] = "wrong"
                continue
            calls[name] = make_call(run, inputs, case)
        except FAILURES as failure:
            row["status"] = f"failed: {_first_line(failure)}"
    seconds, failures = interleave(calls, rounds, lambda call: timed(call, case.device))
    for name, failure in failures.items():
        found[name]["status"] = f"failed: {_first_line(failure)}"
    baseline = statistics.median(seconds.get(names[0], [float("nan")]))
    for name, taken in seconds.items():
        low, median, high = statistics.quantiles(taken, n=4, method="inclusive")
        found[name] |= {
            "rounds": len(taken),
            "median_s": f"{median:.6g}",
            "q1_s": f"{low:.6g}",
            "q3_s": f"{high:.6g}",
            "ratio": f"{median / baseline:.3f}",
            "real_time_factor": f"{median / (case.seconds * case.batch_size):.4g}",
        }
    return found


def measure_peaks(case, names, threads):
    """Measure the peak memory of models, each in a process of its own; see :func:`time_models`."""
    found = {}
    for name in names:
        try:
            peak, growth = peak_memory(name, case, threads)
            row = {"status": "ok", "peak_mib": f"{peak:.1f}", "growth_mib": f"{growth:.1f}"}
        except FAILURES as failure:  # a killed process is one of them
            row = {"status": f"failed: {_first_line(failure)}"}
        found[name] = row
    return found


def _first_line(failure):
    return f"{type(failure).__name__}: {(str(failure).strip().splitlines() or [''])[0]}"


def main(argv=None):
    """Measure, print and write a CSV file."""
    options = parse(argv)
    torch.set_num_threads(options.threads)
    constants = machine_columns() | {"threads": options.threads}
    constants["measured"] = "memory" if options.memory else "time"
    known = {row_key(row) for row in read_rows(options.output)} if options.output else set()
    for case, names in cases(options):
        shared = constants | asdict(case) | {"seconds": f"{case.seconds:g}"}
        if {row_key(shared | {"model": name}) for name in names} <= known:
            continue
        if options.memory:
            found = measure_peaks(case, names, options.threads)
        else:
            found = time_models(case, names, options.rounds)
        rows = [shared | {"model": name} | row for name, row in found.items()]
        if options.output:
            append_rows(options.output, rows)
        for row in rows:
            print(summary(row), flush=True)


def parse(argv):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="CSV file; without it, the rows are printed only")
    parser.add_argument("--memory", action="store_true", help="peak memory instead of time")
    parser.add_argument("--rounds", type=int, default=9, help="times that each model is measured")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16", "fp16"))
    parser.add_argument("--compiled", action="store_true", help="with torch.compile")
    parser.add_argument("--encoder", default="conformer", choices=ENCODERS)
    parser.add_argument("--layers", type=int, default=Case.layers)
    parser.add_argument("--d_model", type=int, default=Case.d_model)
    parser.add_argument("--batch_size", type=int, default=1)
    points = parser.add_argument_group("instead of what is on the results page, combinations of")
    points.add_argument("--parts", nargs="+", choices=("mixer", "encoder"))
    points.add_argument("--modes", nargs="+", choices=("inference", "training"))
    points.add_argument("--chunks", nargs="+", type=int, help="frames of a chunk; 0 for none")
    points.add_argument("--seconds", nargs="+", type=float)
    points.add_argument("--models", nargs="+", help=f"{', '.join(MODELS)}, or a mixer")
    return parser.parse_args(argv)


def summary(row):
    """Say what a row holds, in a line."""
    where = f"{row['part']:8}{row['mode']:10} chunk {row['chunk']:<3}{row['seconds']:>4} s"
    if row["status"] != "ok":
        figures = row["status"]
    elif row["measured"] == "memory":
        figures = f"{row['peak_mib']:>9} MiB, {row['growth_mib']} in the call"
    else:
        figures = f"{1000 * float(row['median_s']):10.2f} ms  ratio {row['ratio']}"
    return f"{where}  {row['model']:30} {figures}"


if __name__ == "__main__":
    main()
