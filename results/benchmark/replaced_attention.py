"""A training step of wav2vec 2.0 (base, random weights) with its attention replaced.

``python -m results.benchmark.replaced_attention --output results/replaced_attention.csv``

One utterance, CTC, on one thread of a CPU. Times are medians of rounds in which the models take
turns, memory is the peak of a process that does one step. Ratios are to the original by torch's
scaled_dot_product_attention, without dropout of the attention: with it, as it was trained, torch's
kernels for CPUs hold all pairs of frames. A process may ask for 20 GiB; where that is too little,
cells are empty.
"""

import argparse
import ctypes
import multiprocessing
import resource
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from types import SimpleNamespace

import torch

from results.benchmark.memory import M_MMAP_THRESHOLD
from results.benchmark.rows import machine_columns, read_table, write_rows
from results.benchmark.timing import interleave
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
LIMIT = 20 * 2**30  # bytes that a process may ask for


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


def peak_of_step(name, seconds):
    """Give the MiB by which a step raises the peak memory of a process that did nothing before."""
    if hasattr(ctypes.pythonapi, "mallopt"):
        ctypes.pythonapi.mallopt(M_MMAP_THRESHOLD, 2**16)
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    step = make_step(name, seconds)
    before = peak_memory_mb("cpu")
    step()
    return peak_memory_mb("cpu") - before


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
    torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    constants, rows = machine_columns(), []
    for seconds in options.seconds:
        steps = {name: make_step(name, seconds) for name in SYSTEMS}
        taken, failures = interleave(steps, options.rounds)
        for name, failure in failures.items():
            print(f"{name}: {seconds:g} s: {failure}", flush=True)
        peaks = {}
        for name in taken:
            with ProcessPoolExecutor(1, mp_context=context) as pool:
                peaks[name] = pool.submit(peak_of_step, name, seconds).result()
        for name in SYSTEMS:
            row = {"model": name, "seconds": f"{seconds:g}", **dict.fromkeys(MEASURED, "")}
            if name in taken:
                row |= _measures(median(taken[name]), median(taken[BASELINE]), "step_s", "time", 3)
                row |= _measures(peaks[name], peaks[BASELINE], "peak_mb", "memory", 0)
            rows.append({**row, **constants})
            print(*row.values(), sep="\t", flush=True)
    lengths = {row["seconds"] for row in rows}
    others = [row for row in read_table(options.output) if row["seconds"] not in lengths]
    write_rows(options.output, [*others, *rows])


if __name__ == "__main__":
    main()
