"""Rows of one group of contestants: built, checked, then measured in turn."""

import gc
import statistics

import torch

from results.benchmark.allocator import return_kept, touch
from results.benchmark.contestants import CONTESTANTS, FLOOR, build_contestant
from results.benchmark.correctness import TOLERANCE, reference_error
from results.benchmark.floor import record_products
from results.benchmark.limits import available_bytes, estimated_bytes, reason_to_skip
from results.benchmark.memory import group_inputs, peak_in_child
from results.benchmark.points import BASELINE, EIGHT_HEADS
from results.benchmark.rows import measured_seconds
from results.benchmark.timing import FAILURES, interleave, make_call, timed

# A floor is another pass over the model and all of its shapes in memory.
LONGEST_FLOOR = 100  # s


class Builder:
    """Builds and checks contestants; those of one kind are kept until another kind is asked for.

    Parameters
    ----------
    build : callable
        From the name of a contestant and a :class:`Kind` to its model.
    """

    def __init__(self, build=build_contestant):
        self._build, self._kind, self._built, self._errors = build, None, {}, {}

    def get(self, name, kind):
        """Give a contestant's model, compiled or not, its reference's name and its error.

        Raises
        ------
        ValueError, RuntimeError, AssertionError
            If it cannot be built, compiled or run.
        """
        if kind != self._kind:
            self._kind, self._built = kind, {}
            gc.collect()
        if name not in self._built:
            model, run = self._build(name, kind), None
            if kind.mode == "compiled":
                run = torch.compile(model, dynamic=True)
            if (name, kind) not in self._errors:
                self._errors[name, kind] = reference_error(name, model, kind, run)
            self._built[name] = model if run is None else run
        return self._built[name], *self._errors[name, kind]


def time_group(group, rows, builder, options):
    """Measure the times of a group.

    Parameters
    ----------
    group : Group
    rows : list of dict
        What was measured before, to tell what would take too long.
    builder : Builder
    options : argparse.Namespace
        ``limit``, ``min_time``, ``slow`` (s), ``baseline`` and ``threads``.

    Returns
    -------
    list of dict
        A row for each contestant, whatever became of it, and for each floor.
    """
    kind, results, calls, inputs = group.kind, {}, {}, group_inputs(group)
    return_kept()
    for name in group.who:
        results[name] = {"status": "ok"}
        reason = _reason(name, group, rows, options.limit, options.threads)
        if reason:
            results[name]["status"] = f"skipped: {reason}"
            continue
        try:
            entered = _enter(name, group, inputs, builder, results[name])
        except FAILURES as failure:
            results[name]["status"] = _failed(failure)
            continue
        calls |= entered
        results |= {floor: {"status": "ok"} for floor in entered if floor != name}
    if kind.device == "cpu":
        needed = [estimated_bytes(name, group) for name in group.who if name in calls]
        touch(min(max(needed, default=0), available_bytes(kind.device) / 2))
    seconds, failures = interleave(
        calls, options.min_time, options.slow, lambda call: timed(call, kind.device)
    )
    for name, failure in failures.items():
        results[name]["status"] = _failed(failure)
    for name, taken in seconds.items():
        results[name] |= _statistics(taken, group)
    _add_ratios(results, options.baseline)
    return [describe_row(name, group, "time") | result for name, result in results.items()]


def memory_group(group, options):
    """Measure the peak memory of a group, every contestant in a process of its own.

    Parameters and results are those of :func:`time_group`.
    """
    found = []
    for name in group.who:
        row = describe_row(name, group, "memory")
        reason = _reason(name, group, (), options.limit, options.threads)
        try:
            if reason:
                row["status"] = f"skipped: {reason}"
            else:
                peak, growth = peak_in_child(name, group, options.threads)
                row |= {
                    "status": "ok",
                    "peak_mib": f"{peak:.1f}",
                    "growth_mib": f"{growth:.1f}",
                }
        except FAILURES as failure:  # a killed process is one of them
            row["status"] = _failed(failure)
        found.append(row)
    return found


def _enter(name, group, inputs, builder, result):
    """Give the calls that are timed: of a contestant if it is right, and of its floor if wanted."""
    kind = group.kind
    model, result["reference"], error = builder.get(name, kind)
    result["error"] = f"{error:.1e}"
    if not error <= TOLERANCE:  # NaN is wrong, too
        result["status"] = "wrong"
        return {}
    calls = {name: make_call(model, inputs, kind)}
    if kind.mode == "compiled":
        calls[name]()  # the compiler looks at each new shape
    if _wants_floor(name, group):
        calls[FLOOR + name] = record_products(model, inputs, kind).run
    return calls


def _wants_floor(name, group):
    """Whether a model's products are measured, too: of stacks of layers only the full form's."""
    kind = group.kind
    chosen = CONTESTANTS[name].has_floor and (kind.layers == 1 or name in (BASELINE, EIGHT_HEADS))
    return chosen and kind.mode == "eager" and group.seconds <= LONGEST_FLOOR


def _reason(name, group, rows, limit, threads):
    kind = group.kind
    measured = measured_seconds(
        rows,
        measured="time",
        contestant=name,
        batch=group.batch,
        threads=threads,
        **_describe_kind(kind),
    )
    return reason_to_skip(name, group, measured, limit, available_bytes(kind.device))


def _failed(failure):
    first_line = (str(failure).strip().splitlines() or [""])[0]
    return f"failed: {type(failure).__name__}: {first_line}"


def _statistics(taken, group):
    """Median and quartiles; of one or two rounds, the quartiles are the extremes."""
    median = statistics.median(taken)
    low, high = min(taken), max(taken)
    if len(taken) > 2:
        low, _, high = statistics.quantiles(taken, n=4, method="inclusive")
    return {
        "rounds": len(taken),
        "median_s": f"{median:.6g}",
        "q1_s": f"{low:.6g}",
        "q3_s": f"{high:.6g}",
        "real_time_factor": f"{median / (group.seconds * group.batch_size):.4g}",
    }


def _add_ratios(results, baseline):
    """Divide times by the baseline's, and by those of a model's own products."""

    def median(name):
        return float(results.get(name, {}).get("median_s", "nan"))

    for name, result in results.items():
        if "median_s" not in result:
            continue
        for column, divisor in (("ratio", baseline), ("ratio_floor", FLOOR + name)):
            if median(divisor) > 0:
                result[column] = f"{median(name) / median(divisor):.3f}"
        result["baseline"] = baseline


def _describe_kind(kind):
    return {
        "level": kind.level,
        "encoder": kind.encoder,
        "mode": kind.mode,
        "chunk": kind.chunk,
        "layers": kind.layers,
        "d_model": kind.sizes.d_model,
        "device": kind.device,
    }


def describe_row(name, group, measured):
    """The columns that say what a row is of.

    Parameters
    ----------
    name : str
        Of a contestant.
    group : Group
    measured : str
        "time" or "memory".

    Returns
    -------
    dict
    """
    return {
        "measured": measured,
        "contestant": name,
        "batch": group.batch,
        "batch_size": group.batch_size,
        "seconds": f"{group.seconds:g}",
        "frames": group.frames,
        **_describe_kind(group.kind),
    }
