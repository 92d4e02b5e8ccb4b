"""Streaming: speed and latency, what is kept after a minute and an hour, equality with one pass.

``python -m results.benchmark.streaming RUN AUDIO... --output results/streaming.csv``
"""

import argparse

import torch
from tqdm import tqdm

from results.benchmark.rows import machine_columns, write_rows
from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.stream_meter import StreamMeter
from summarymixing_sb.inference.streaming import StreamingRecogniser
from summarymixing_sb.models.parts import ModelParts

MINUTE = 60  # seconds


def measure(run, recording, seconds, chunk_ms, left_context=None):
    """Stream a recording, again and again, until it has lasted long enough.

    Parameters
    ----------
    run : TrainedRun
        From :func:`summarymixing_sb.inference.run.load_run`.
    recording : torch.Tensor
        (samples,) at the run's sample rate.
    seconds : float
        How long, a minute at least.
    chunk_ms, left_context
        See :class:`summarymixing_sb.inference.streaming.StreamingRecogniser`.

    Returns
    -------
    dict
        ``seconds`` streamed; ``state_bytes_1_minute`` and ``state_bytes_end``, kept then;
        ``real_time_factor``; milliseconds ``algorithmic_ms``, ``lookahead_ms``, and to compute a
        chunk ``median_ms``, ``p95_ms``, ``max_ms``; and those of :func:`differences` over the first
        minute.

    Raises
    ------
    ValueError
        If it is to last less than a minute, or what `StreamingRecogniser` refuses.
    """
    if seconds < MINUTE:
        raise ValueError(f"the state is measured after a minute: stream longer than {seconds} s")
    differing = differences(run, recording[: MINUTE * run.sample_rate], chunk_ms, left_context)
    recogniser = StreamingRecogniser(run, chunk_ms, left_context)
    meter = StreamMeter(recogniser, run.sample_rate)
    after_a_minute = None
    with tqdm(total=round(seconds), unit="s of sound", disable=None) as progress:
        while meter.samples < seconds * run.sample_rate:
            start = meter.samples % len(recording)
            piece = recording[start : start + recogniser.missing]
            meter.feed(piece)
            progress.update(len(piece) / run.sample_rate)
            if after_a_minute is None and meter.samples >= MINUTE * run.sample_rate:
                after_a_minute = recogniser.state_bytes
    report = meter.report()
    return {
        "seconds": round(report["seconds"], 1),
        "state_bytes_1_minute": after_a_minute,
        "state_bytes_end": report["state_bytes"],
        "real_time_factor": round(report["real_time_factor"], 5),
        **{key: round(value, 3) for key, value in report["latency"].items()},
        **differing,
    }


@torch.no_grad()
def differences(run, recording, chunk_ms, left_context=None):
    """Hold the encoder's output, chunk by chunk, against one masked pass over the recording.

    Parameters
    ----------
    run, chunk_ms, left_context
        See :func:`measure`.
    recording : torch.Tensor
        (samples,).

    Returns
    -------
    dict
        ``difference``: the largest, when both know of loudness what has been heard.
        ``difference_loudest_known``: when the one pass knows the loudest of the whole recording, as
        tests of the run do, see ``CausalFeatures`` in ``inference/streaming_features.py``.
        ``largest_output``: the largest number of the one pass, for scale.
    """
    recogniser = StreamingRecogniser(run, chunk_ms, left_context)
    streamed = torch.cat([*recogniser.encode(recording), *recogniser.encode_rest()], dim=1)
    at_once = recogniser.encode_at_once(recording)
    features = run.hparams["compute_features"](recording[None].to(run.device))
    as_in_tests = run.modules["Transformer"].encode(
        run.modules["CNN"](run.modules["normalize"](features)),
        dynchunktrain_config=recogniser.chunks,
    )
    return {
        "difference": f"{float((streamed - at_once).abs().max()):.3g}",
        "difference_loudest_known": f"{float((streamed - as_in_tests).abs().max()):.3g}",
        "largest_output": f"{float(at_once.abs().max()):.3g}",
    }


def main(argv=None):
    """Measure chunks of every given length and write a CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", help="output folder of a training")
    parser.add_argument("audio", nargs="+", help="files that are joined, and repeated as needed")
    parser.add_argument("--chunk_ms", type=int, nargs="+", default=[320], help="default: 320")
    parser.add_argument("--left_context", type=int, help="chunks; all of them if not given")
    parser.add_argument("--hours", type=float, default=1.0, help="how long to stream; default: 1")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", help="CSV file; without it, the rows are printed only")
    options = parser.parse_args(argv)

    run = load_run(options.run, options.device)
    recording = torch.cat([read_audio(file, run.sample_rate) for file in options.audio])
    constants = {
        "threads": torch.get_num_threads(),
        "device": run.device.type,
    } | machine_columns()
    rows = []
    for chunk_ms in options.chunk_ms:
        figures = measure(run, recording, 3600 * options.hours, chunk_ms, options.left_context)
        chunks = {"chunk_ms": chunk_ms, "left_context_chunks": options.left_context}
        rows.append(describe(run) | chunks | figures | constants)
        print("  ".join(f"{key} {value}" for key, value in figures.items()))
    if options.output:
        write_rows(options.output, rows)


def describe(run):
    """Say which model streams."""
    keys = ("task", "encoder_module", "attention_type", "d_model", "num_encoder_layers")
    parameters = sum(weight.numel() for weight in ModelParts(run.modules).parameters())
    return {key: run.hparams[key] for key in keys} | {
        "parameters": parameters,
        "frame_ms": 1000 * run.frame_seconds,
    }


if __name__ == "__main__":
    main()
