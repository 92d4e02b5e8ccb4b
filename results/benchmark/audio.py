"""Time to read recordings as waveforms, for the same clips kept in several formats.

``python -m results.benchmark.audio MP3_FOLDER FLAC_FOLDER --output results/audio_reading.csv``
"""

import argparse
import random
import statistics
from functools import partial
from pathlib import Path

import soundfile
import torch

from results.benchmark.rows import machine_columns, write_rows
from results.benchmark.timing import interleave
from summarymixing_sb.data.audio import read_audio

SAMPLE_RATE = 16000  # Hz, of the waveforms
SUFFIXES = (".mp3", ".flac", ".wav", ".ogg")


def common_clips(folders):
    """Find the clips that every folder holds.

    Parameters
    ----------
    folders : list of str or Path
        Searched with all that is below them.

    Returns
    -------
    list of list of Path
        For each folder its files, in the same order of clips. A clip is known by its name without
        suffix.

    Raises
    ------
    ValueError
        If no clip is in all of them.
    """
    found = []
    for folder in folders:
        paths = (path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES)
        found.append({path.stem: path for path in paths})
    names = sorted(set.intersection(*(set(clips) for clips in found)))
    if not names:
        counts = ", ".join(f"{folder}: {len(clips)}" for folder, clips in zip(folders, found))
        raise ValueError(f"no clip is in all folders; clips found: {counts}")
    return [[clips[name] for name in names] for clips in found]


def read_all(files):
    """Read files one after the other, in one thread."""
    for file in files:
        read_audio(file, SAMPLE_RATE)


def describe(files):
    """Say what the files are.

    Parameters
    ----------
    files : list of Path

    Returns
    -------
    dict
        ``format`` and ``sample_rates`` (Hz) of the files, ``seconds_of_audio`` and ``mib``.
    """
    infos = [soundfile.info(file) for file in files]
    return {
        "format": " ".join(sorted({info.format for info in infos})),
        "sample_rates": " ".join(str(rate) for rate in sorted({i.samplerate for i in infos})),
        "seconds_of_audio": round(sum(info.duration for info in infos), 1),
        "mib": round(sum(file.stat().st_size for file in files) / 2**20, 2),
    }


def main(argv=None):
    """Time the folders and write a CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="each with the same clips; the first is 1.0")
    parser.add_argument("--clips", type=int, default=200, help="at most so many, drawn at random")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output", help="CSV file; without it, the rows are printed only")
    options = parser.parse_args(argv)

    torch.set_num_threads(1)  # as in a worker of a data loader
    folders = common_clips(options.folders)
    chosen = list(range(len(folders[0])))
    random.Random(0).shuffle(chosen)
    chosen = sorted(chosen[: options.clips])
    folders = [[files[i] for i in chosen] for files in folders]
    constants = {
        "repeats": options.repeats,
        "soundfile": soundfile.__version__,
        "libsndfile": soundfile.__libsndfile_version__,
    } | machine_columns()
    rows, first = [], None
    calls = {str(number): partial(read_all, files) for number, files in enumerate(folders)}
    seconds, _ = interleave(calls, options.repeats)
    for number, files in enumerate(folders):
        per_100 = [100 * value / len(files) for value in seconds[str(number)]]
        median = statistics.median(per_100)
        first = median if first is None else first
        row = {
            **describe(files),
            "clips": len(files),
            "seconds_per_100_clips": round(median, 4),
            "fastest": round(min(per_100), 4),
            "slowest": round(max(per_100), 4),
            "ratio": round(median / first, 3),
        }
        rows.append(row | constants)
        print(
            f"{row['format']:5} {row['sample_rates']:>18} Hz {row['clips']:5} clips "
            f"{median:8.3f} s per 100 clips  x {row['ratio']}"
        )
    if options.output:
        write_rows(options.output, rows)


if __name__ == "__main__":
    main()
