"""Streams that one core keeps up with, of models by mixer and left context, and bytes of each.

``python -m results.benchmark.many_streams --output results/many_streams.csv``

A chunk of every stream is encoded in one batch, from mel features to CTC's best pieces, on one
thread. Streams double until a chunk takes longer to encode than to speak; between the last two
counts, the time is taken to be a line.
"""

import argparse
from functools import partial
from statistics import median

import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from results.benchmark.models import build_yaml
from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.timing import timed
from summarymixing_sb.encoders.state import state_bytes
from summarymixing_sb.lengths import subsampling_factor

CHUNK_MS, ROUNDS, MOST = 320, 5, 4096
MODELS = ("demo_transducer", "conformer_transducer")  # YAML files
#: Mixer and chunks of left context; None for all.
SYSTEMS = (
    ("SummaryMixing", None),
    *(("SummaryMixing", left) for left in (4, 16, 64)),
    *(("RoPESDPA", left) for left in (4, 16, 64)),
)


def make_stream(yaml, mixer, left, count):
    """Start streams, and make what encodes their next chunk.

    Parameters
    ----------
    yaml : str
        Of a file in ``hparams/LibriSpeech``.
    mixer : str
    left : int or None
        Chunks of left context.
    count : int
        Streams.

    Returns
    -------
    callable, float
        The call, and the bytes of each stream's state, which does not grow.
    """
    hparams = build_yaml(yaml, attention_type=mixer)
    modules, frames = hparams["modules"], CHUNK_MS // hparams["hop_length"]
    transformer = modules["Transformer"]
    size = frames // subsampling_factor(modules["CNN"])
    context = transformer.make_streaming_context(DynChunkTrainConfig(size, left))
    features = torch.randn(count, frames, hparams["n_mels"])

    def step():
        encoded = transformer.encode_streaming(modules["CNN"](features), context)
        return modules["ctc_lin"](encoded).argmax(-1)

    step()
    return step, state_bytes(context) / count


@torch.no_grad()
def time_streams(make, count):
    """Measure the seconds that a chunk of so many streams takes, and the bytes of each."""
    step, size = make(count)
    return median(timed(step) for _ in range(ROUNDS)), size


def streams_in_real_time(make, seconds, most=MOST):
    """Find how many streams one core keeps up with.

    Parameters
    ----------
    make : callable
        From a count to :func:`make_stream`'s result.
    seconds : float
        Of a chunk.
    most : int
        Where to stop.

    Returns
    -------
    int, float, float
        Streams (`most` for so many or more), seconds of a chunk of one stream, bytes of each.
    """
    count, (alone, size) = 1, time_streams(make, 1)
    below, taken = (0, 0.0), alone
    while taken <= seconds and count < most:
        below, count = (count, taken), 2 * count
        taken, _ = time_streams(make, count)
    if taken > seconds:
        share = (seconds - below[1]) / (taken - below[1])
        count = int(below[0] + share * (count - below[0]))
    return count, alone, size


@torch.no_grad()
def main(argv=None):
    """Measure, print and write a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", required=True)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    constants, rows = machine_columns(), []
    for yaml in MODELS:
        for mixer, left in SYSTEMS:
            make = partial(make_stream, yaml, mixer, left)
            count, alone, size = streams_in_real_time(make, CHUNK_MS / 1000)
            row = {
                "yaml": yaml,
                "mixer": mixer,
                "left_context_chunks": "" if left is None else left,
            }
            row |= {"chunk_ms": CHUNK_MS, "streams": count, "one_stream_ms": f"{1000 * alone:.3g}"}
            row["bytes_per_stream"] = round(size)
            print(*row.values(), sep="  ", flush=True)
            rows.append(row | constants)
    write_rows(options.output, rows)


if __name__ == "__main__":
    main()
