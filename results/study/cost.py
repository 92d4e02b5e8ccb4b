"""What the encoders of a study cost: operations, and milliseconds on one thread, in one run."""

import statistics

import torch
from torch.utils.flop_counter import FlopCounterMode

from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.timing import interleave
from summarymixing_sb.hyperparameters import load_hparams

SECONDS, ROUNDS = (10, 40, 100), 9


def measure_costs(output, yaml, systems, frame_ms):
    """Measure what encoding one utterance costs, without the front end.

    Parameters
    ----------
    output : Path
        CSV file, written whole: ``system``, ``seconds``, ``gflop``, ``ms`` (median of the rounds,
        in which the systems take turns), ``q1_ms``, ``q3_ms``, and the machine.
    yaml : str or Path
    systems : list of System
    frame_ms : float
        From one frame behind the front end to the next.
    """
    torch.set_num_threads(1)
    constants, rows = machine_columns(), []
    encoders = {system.name: _encoder(yaml, system) for system in systems}
    for seconds in SECONDS:
        calls, operations = {}, {}
        for name, (encoder, width) in encoders.items():
            frames = torch.randn(1, round(1000 * seconds / frame_ms), width)
            calls[name] = lambda encoder=encoder, frames=frames: encoder.encode(frames)
            with torch.no_grad(), FlopCounterMode(display=False) as counter:
                calls[name]()
            operations[name] = counter.get_total_flops()
        with torch.no_grad():
            taken, failures = interleave(calls, ROUNDS)
        if failures:
            raise RuntimeError(f"{seconds} s: {failures}")
        for name, times in taken.items():
            low, median, high = statistics.quantiles(times, n=4, method="inclusive")
            rows.append(
                {
                    "system": name,
                    "seconds": seconds,
                    "gflop": f"{operations[name] / 1e9:.4g}",
                    "ms": f"{1000 * median:.4g}",
                    "q1_ms": f"{1000 * low:.4g}",
                    "q3_ms": f"{1000 * high:.4g}",
                    "rounds": ROUNDS,
                    **constants,
                }
            )
    write_rows(output, rows)


def _encoder(yaml, system):
    """Build a system's TransformerASR, and give the width of its input."""
    hparams = load_hparams(yaml, {"data_folder": ".", **system.overrides})
    model = hparams["modules"]["Transformer"].eval()
    return model, model.custom_src_module.layers[0].w.in_features
