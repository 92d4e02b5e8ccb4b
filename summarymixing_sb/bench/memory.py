"""Peak memory of one chunked forward and backward of a mixer, against the number of frames.

``python -m summarymixing_sb.bench.memory --output results/mixer_memory.csv``
"""

import argparse
import csv
import multiprocessing
import sys

import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

import summarymixing_sb
from summarymixing_sb.evaluation import environment_record, peak_memory_mb

BATCH, D_MODEL, NHEAD = 4, 512, 1
CHUNKS = DynChunkTrainConfig(chunk_size=16, left_context_size=4)
FRAMES = (2000, 4000, 8000)
MIXERS = ("SummaryMixing", "RoPESDPA")


def training_step_memory(mixer, frames):
    """Measure the memory of a process that does a forward and a backward.

    Parameters
    ----------
    mixer : str
        Name of the mixer.
    frames : int
        Number of frames T.

    Returns
    -------
    float
        MiB, the highest resident memory of the process, Python and torch included: only how it
        grows from one length to the next says something of the mixer.
    """
    # A fresh process, since the highest resident memory of a process never falls.
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_step, (mixer, frames))


def _step(mixer, frames):
    torch.manual_seed(0)
    model = summarymixing_sb.build_mixer(mixer, D_MODEL, NHEAD, dropout=0.1).train()
    x = torch.randn(BATCH, frames, D_MODEL, requires_grad=True)
    model(x, chunks=CHUNKS).sum().backward()
    return peak_memory_mb("cpu")


def main(argv=None):
    """Measure every mixer at every length and write a CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=FRAMES)
    parser.add_argument("--mixers", nargs="+", default=MIXERS)
    parser.add_argument("--output", help="CSV file; without it, the rows are printed only")
    options = parser.parse_args(argv)

    record = environment_record()
    constants = {
        "batch": BATCH,
        "d_model": D_MODEL,
        "chunk_size": CHUNKS.chunk_size,
        "left_context_chunks": CHUNKS.left_context_size,
        "torch": record["versions"]["torch"],
        "commit": record["commit"],
        "cpu": record["machine"]["cpu"],
        "seed": 0,
    }
    rows = []
    for mixer in options.mixers:
        previous = None
        for frames in options.frames:
            peak = training_step_memory(mixer, frames)
            growth = "" if previous is None else f"{peak - previous:+9.1f} MiB"
            print(f"{mixer:15} {frames:6} frames {peak:9.1f} MiB {growth}")
            previous = peak
            row = {"mixer": mixer, "frames": frames, "peak_mib": round(peak, 1)}
            rows.append(row | constants)
    if options.output:
        with open(options.output, "w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, rows[0])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
