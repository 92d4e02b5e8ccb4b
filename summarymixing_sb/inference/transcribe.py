"""Transcribe recordings of any length with a trained run, or a stream as it comes.

``python -m summarymixing_sb.inference.transcribe RUN FILE_OR_FOLDER... --format srt --output DIR``

The exit status is 0, 1 when a recording could not be read, 2 for what cannot work at all.
"""

import argparse
import sys

import torch

from summarymixing_sb.decoding.build import METHODS
from summarymixing_sb.inference.jobs import FilesJob, StreamingJob
from summarymixing_sb.inference.writers import FORMATS


def main(argv=None):
    """Transcribe what the command line names; return the exit status."""
    options = make_parser().parse_args(argv)
    try:
        job = (FilesJob if options.streaming is None else StreamingJob)(options)
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return int(job.do() > 0)


def make_parser():
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m summarymixing_sb.inference.transcribe",
        description=__doc__.splitlines()[0],
    )
    parser.add_argument("run", metavar="RUN", help="folder of a training, its output_folder")
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="FILE_OR_FOLDER",
        help="recordings; all audio files of a folder; - is standard input, with --streaming",
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=list(FORMATS),
        help="of what is written, can be repeated: text (if not given), JSON or subtitles",
    )
    parser.add_argument(
        "--output", help="folder for a file per recording and format; else standard output"
    )
    parser.add_argument("--decoding", choices=METHODS, default="ctc_greedy", help="(%(default)s)")
    parser.add_argument(
        "--window",
        type=float,
        help="seconds encoded in one pass, 0 for all; as many as half of the free memory holds, if "
        "not given",
    )
    parser.add_argument(
        "--overlap", type=float, default=4.0, help="seconds that two windows share (%(default)s)"
    )
    parser.add_argument(
        "--batch_seconds",
        type=float,
        default=60.0,
        help="seconds of sound that go together (%(default)s)",
    )
    parser.add_argument(
        "--device", type=_device, default="cpu", help="cpu (if not given), cuda or cuda:0"
    )
    parser.add_argument(
        "--streaming",
        type=int,
        metavar="CHUNK_MS",
        help="write text as the sound comes in, in chunks of so many milliseconds",
    )
    parser.add_argument(
        "--left_context", type=int, metavar="CHUNKS", help="that a chunk sees; all, if not given"
    )
    return parser


def _device(name):
    """Check the name of a device, and that it is there."""
    try:
        torch.empty(0, device=name)
    except (AssertionError, RuntimeError) as error:
        raise argparse.ArgumentTypeError(f"no device {name}: {error}") from error
    return name


if __name__ == "__main__":
    sys.exit(main())
