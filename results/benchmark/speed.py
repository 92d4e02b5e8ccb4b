"""Time, real-time factor and peak memory of mixers, encoders, models and training steps.

``python -m results.benchmark.speed --output results/bench.csv`` measures times, the most
important ones first; with ``--memory``, peak memory. Rows are added to the file one by one, and
those that it holds of this commit are not measured again. ``--levels`` and its like choose other
points than those that are measured by default.
"""

import argparse
import itertools
import time

import torch

from results.benchmark.allocator import use_policy
from results.benchmark.contestants import CONTESTANTS
from results.benchmark.measuring import (
    Builder,
    describe_row,
    memory_group,
    time_group,
)
from results.benchmark.points import (
    BASELINE,
    BATCHES,
    ENCODERS,
    LEVELS,
    MODES,
    SECONDS,
    Group,
    Kind,
    Sizes,
    default_sweep,
)
from results.benchmark.rows import append_row, read_rows, row_key
from summarymixing_sb.evaluation import environment_record

#: What --levels and its like choose from where they are not given.
CHOICES = {
    "levels": ["encoder"],
    "encoders": ["conformer"],
    "modes": ["eager"],
    "batches": ["one"],
    "seconds": [10.0, 40.0, 100.0],
    "chunks": [0],
    "who": [BASELINE, "plain", "RoPESDPA", "stock RoPEMHA", "stock RelPosMHAXL"],
}


def make_groups(options):
    """List what is to be measured.

    Parameters
    ----------
    options : argparse.Namespace

    Returns
    -------
    list of Group
        The default sweep; or, where one of :data:`CHOICES` is given, all combinations.
    """
    sizes = Sizes(**{name: getattr(options, name) for name in ("layers", "d_model", "d_ffn")})
    given = {name: getattr(options, name) for name in CHOICES if getattr(options, name)}
    if not given:
        return default_sweep(options.memory, sizes, options.device)
    chosen = CHOICES | given
    shapes = itertools.product(
        *(chosen[name] for name in ("levels", "encoders", "modes", "chunks", "batches")),
        sorted(chosen["seconds"]),
    )
    return [
        Group(
            Kind(level, encoder, mode, chunk, sizes, options.device),
            seconds,
            tuple(chosen["who"]),
            batch,
        )
        for level, encoder, mode, chunk, batch, seconds in shapes
    ]


def main(argv=None, builder=None):
    """Measure and write a CSV file.

    Parameters
    ----------
    argv : list of str, optional
    builder : Builder, optional
        What builds and checks the contestants.
    """
    options = parse(argv)
    torch.set_num_threads(options.threads)
    builder = builder or Builder()
    options.freed_memory = "returned" if options.memory else use_policy(options.freed_memory)
    constants = describe_machine(options)
    rows = read_rows(options.output) if options.output else []
    end = time.monotonic() + 60 * options.minutes
    for group in make_groups(options):
        measured = "memory" if options.memory else "time"
        wanted = {row_key(describe_row(name, group, measured) | constants) for name in group.who}
        known = {row_key(row) for row in rows if row["commit"] == constants["commit"]}
        if not options.again and wanted <= known:
            continue
        if time.monotonic() > end:
            print(f"--minutes {options.minutes:g} are over; run again to go on")
            return
        made = (
            memory_group(group, options)
            if options.memory
            else time_group(group, rows, builder, options)
        )
        for row in made:
            row |= constants
            append_row(options.output, row)
            rows.append({"median_s": ""} | row)
            print(summary(row), flush=True)


def parse(argv):
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", help="CSV file; without it, the rows are printed only")
    parser.add_argument("--memory", action="store_true", help="peak memory instead of time")
    parser.add_argument("--again", action="store_true", help="measure what the file holds, too")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no group after")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device)
    parser.add_argument(
        "--baseline", default=BASELINE, choices=CONTESTANTS, help="ratios are to it"
    )
    parser.add_argument(
        "--freed_memory",
        default="kept",
        choices=("kept", "system"),
        help="what the CPU's allocator does with it while times are taken",
    )
    parser.add_argument("--limit", type=float, default=400, help="s, of a call that is tried")
    parser.add_argument("--min_time", type=float, default=3, help="s, of all rounds of a group")
    parser.add_argument(
        "--slow", type=float, default=10, help="s, after which a call takes no turn"
    )
    for name in ("layers", "d_model", "d_ffn"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Sizes, name))
    points = parser.add_argument_group("instead of the default sweep, all combinations of")
    points.add_argument("--levels", nargs="+", choices=LEVELS)
    points.add_argument("--encoders", nargs="+", choices=ENCODERS)
    points.add_argument("--modes", nargs="+", choices=MODES)
    points.add_argument("--batches", nargs="+", choices=BATCHES)
    points.add_argument("--seconds", nargs="+", type=float, help=f"such as {SECONDS}")
    points.add_argument("--chunks", nargs="+", type=int, help="frames of a chunk; 0 for none")
    points.add_argument("--who", nargs="+", choices=CONTESTANTS)
    return parser.parse_args(argv)


def describe_machine(options):
    """The columns that all rows of a run share."""
    record = environment_record()
    versions = {name: value for name, value in record["versions"].items() if value}
    return {
        "threads": options.threads,
        "freed_memory": options.freed_memory,
        "cpu": record["machine"]["cpu"],
        "gpu": record["machine"]["gpu"] or "",
        "cores": record["machine"]["cores"],
        "versions": " ".join(f"{name}={value}" for name, value in versions.items()),
        "commit": record["commit"] or "",
        "date": record["date"],
    }


def summary(row):
    """Say what a row holds, in a line."""
    where = (
        f"{row['level']:10} {row['encoder']:11} {row['mode']:8} chunk {row['chunk']:<3} "
        f"{row['batch_size']} x {row['seconds']} s  {row['contestant']:42}"
    )
    if row["status"] != "ok":
        return f"{where} {row['status']}"
    if row["measured"] == "memory":
        return f"{where} {row['peak_mib']:>9} MiB, {row['growth_mib']} in the call"
    ratios = "".join(f"  {k} {row[k]}" for k in ("ratio", "ratio_floor") if k in row)
    return f"{where} {1000 * float(row['median_s']):10.2f} ms{ratios}"


if __name__ == "__main__":
    main()
