"""A training step of wav2vec 2.0 (base, random weights) with its attention replaced.

``python -m results.benchmark.replaced_attention --output results/replaced_attention.csv``

One utterance, CTC, on one thread of a CPU. Each measurement is of a process of its own, whose first
step gives the peak of the memory and whose second one the time; models take turns, in rounds, whose
medians are written. Ratios are to the original by torch's scaled_dot_product_attention, without
dropout of the attention: with it, as it was trained, torch's kernels for CPUs hold all pairs of
frames. A process may ask for 14 GiB; where that is too little, cells are empty.
"""

import argparse
import ctypes
import multiprocessing
import random
import resource
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from types import SimpleNamespace

import torch

from results.benchmark.memory import M_MMAP_THRESHOLD
from results.benchmark.rows import machine_columns, read_table, write_rows
from results.benchmark.timing import timed
from summarymixing_sb.evaluation import peak_memory_mb
from summarymixing_sb.models.ssl_encoder import Samples, SSLEncoder, WaveformFrontEnd

SECONDS = (10, 40, 100)
WIDTH, PIECES = 768, 1000
SIZES = {"local_hidden": [WIDTH], "local_out": WIDTH, "summary_hidden": [WIDTH]}
WINDOW = {"SummaryMixing": {**SIZES, "summary_out": WIDTH, "pooling": "window", "window": 15}}
#: Dropout of the attention, layers that are replaced, and whether the rest is trained, too.
SYSTEMS = {
    "attention": (0.1, [], True),
    "attention without dropout": (0.0, [], True),
    "window SummaryMixing in half of the layers": (0.0, list(range(6, 12)), True),
    "window SummaryMixing": (0.0, "all", True),
    "window SummaryMixing, trained alone": (0.0, "all", False),
}
MEASURED = ("step_s", "time_ratio", "peak_mb", "memory_ratio")
BASELINE = "attention without dropout"
LIMIT = 14 * 2**30  # bytes that a process may ask for


def make_step(name, seconds):
    """Make a training step.

    Parameters
    ----------
    name : str
        A key of `SYSTEMS`.
    seconds : float

    Returns
    -------
    callable
    """
    # takes seconds to import, and is needed here alone
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    dropout, replaced, whole = SYSTEMS[name]
    torch.manual_seed(0)
    config = Wav2Vec2Config(attn_implementation="sdpa", attention_dropout=dropout)
    model = Wav2Vec2Model(config)
    ssl = SimpleNamespace(model=model, normalize_wav=False)
    front_end, encoder = WaveformFrontEnd(ssl), SSLEncoder(ssl, replaced, mixer_options=WINDOW)
    head = torch.nn.Linear(WIDTH, PIECES)
    front_end.requires_grad_(False)
    if not whole:
        encoder.requires_grad_(False)
        encoder.mixers.requires_grad_(True)
    features = Samples()(torch.randn(1, round(16000 * seconds)))
    tokens = torch.randint(1, PIECES, (1, round(4 * seconds)))

    def step():
        encoded, _ = encoder(front_end(features))
        scores = head(encoded).log_softmax(-1).transpose(0, 1)
        frames, count = torch.tensor([len(scores)]), torch.tensor([tokens.shape[1]])
        torch.nn.functional.ctc_loss(scores, tokens, frames, count).backward()

    return step


def measure(name, seconds):
    """Measure two steps, the first in a process that did nothing before.

    Returns
    -------
    tuple of float
        Seconds of the second step, and MiB by which the first raised the peak of the memory.
    """
    if hasattr(ctypes.pythonapi, "mallopt"):
        ctypes.pythonapi.mallopt(M_MMAP_THRESHOLD, 2**16)
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    step = make_step(name, seconds)
    before = peak_memory_mb("cpu")
    step()
    peak = peak_memory_mb("cpu") - before
    return timed(step), peak


def _measures(own, of_baseline, column, ratio, digits):
    return {column: f"{own:.{digits}f}", f"{ratio}_ratio": f"{own / of_baseline:.3f}"}


def main(argv=None):
    """Measure, print and write a CSV file; rows of other lengths in it stay."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=SECONDS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    context = multiprocessing.get_context("forkserver")
    constants, rows, orders = machine_columns(), [], random.Random(0)
    for seconds in options.seconds:
        measured, failed = {}, set()
        for _ in range(options.rounds):
            for name in orders.sample(list(SYSTEMS), len(SYSTEMS)):
                if name not in failed:
                    with ProcessPoolExecutor(1, mp_context=context) as pool:
                        try:
                            found = pool.submit(measure, name, seconds).result()
                            measured.setdefault(name, []).append(found)
                        except RuntimeError as error:
                            print(f"{name}, {seconds:g} s: {error}", flush=True)
                            failed.add(name)
        for name in SYSTEMS:
            row = {"model": name, "seconds": f"{seconds:g}", **dict.fromkeys(MEASURED, "")}
            if name in measured:
                own, of_baseline = (
                    [median(values) for values in zip(*measured[key])] for key in (name, BASELINE)
                )
                row |= _measures(own[0], of_baseline[0], "step_s", "time", 3)
                row |= _measures(own[1], of_baseline[1], "peak_mb", "memory", 0)
            rows.append({**row, **constants})
            print(*row.values(), sep="\t", flush=True)
    lengths = {row["seconds"] for row in rows}
    others = [row for row in read_table(options.output) if row["seconds"] not in lengths]
    write_rows(options.output, [*others, *rows])


if __name__ == "__main__":
    main()
