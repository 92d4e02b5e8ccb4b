#!/usr/bin/env python3
"""Convert CommonVoice's MP3 clips to FLAC at 16 kHz, once, so that every epoch reads them faster.

    python recipes/CommonVoice/convert.py /data/CommonVoice /data/CommonVoice16k fr nl

The result has CommonVoice's own layout: training takes it as ``--data_folder``. Started again, it
goes on with the clips that are not there yet.
"""

import argparse
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import soundfile
import torch
from speechbrain.utils.parallel import get_available_cpu_count, parallel_map
from tables import language_folder, read_table

from summarymixing_sb.data.audio import read_audio

SAMPLE_RATE = 16000  # Hz
SPLITS = ("train", "dev", "test")


def convert_language(data_folder, language, output, splits=SPLITS, workers=None):
    """Convert the clips of one language and copy its TSV files.

    Parameters
    ----------
    data_folder : str or Path
        The folder that holds the languages' folders, or the language's own.
    language : str
        CommonVoice's code, such as ``fr``.
    output : str or Path
        The folder in which ``<language>/clips/*.flac`` and ``<language>/*.tsv`` are written.
    splits : sequence of str
        TSV files whose clips are wanted.
    workers : int, optional
        Threads; as many as there are cores if None.

    Returns
    -------
    written : int
        Clips converted now; those that were there before are left as they are.
    failed : dict[str, str]
        Clips that are missing or do not decode, and why.

    Raises
    ------
    FileNotFoundError, ValueError
        For data that `tables` cannot find or read.
    ValueError
        If the output is the language's own folder.
    """
    folder = language_folder(data_folder, language, splits)
    target = Path(os.path.abspath(output)) / language
    if target.resolve() == folder.resolve():
        raise ValueError(f"The output {target} is where the MP3 files are: name another folder.")
    rows = [row for split in splits for row in read_table(folder, split, language)]
    failed = {row.clip: f"{row.problem}: {row.file}" for row in rows if row.problem}
    files = sorted({row.file for row in rows if not row.problem})
    (target / "clips").mkdir(parents=True, exist_ok=True)

    torch.set_num_threads(1)  # each of the threads here is one already
    with ThreadPoolExecutor(workers or get_available_cpu_count()) as pool:
        outcomes = parallel_map(
            partial(_convert, folder=target / "clips"),
            files,
            executor=pool,
            progress_bar_kwargs={"desc": language, "unit": "clip", "disable": None},
        )
        outcomes = dict(zip(files, outcomes))
    for split in splits:  # last, so that the folder is of use only once it is whole
        shutil.copyfile(folder / f"{split}.tsv", target / f"{split}.tsv")
    failed |= {Path(file).stem: text for file, text in outcomes.items() if text}
    return sum(text == "" for text in outcomes.values()), failed


def _convert(path, folder):
    """Convert one clip; returns what is wrong with it, "" if nothing, None if it was there."""
    target = folder / f"{Path(path).stem}.flac"
    if target.exists():
        return None
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        samples = read_audio(path, SAMPLE_RATE).numpy()
        soundfile.write(temporary, samples, SAMPLE_RATE, "PCM_16", format="FLAC")
        os.replace(temporary, target)  # whole or not at all
    except (RuntimeError, ValueError) as error:
        return str(error)
    finally:
        temporary.unlink(missing_ok=True)
    return ""


def main(argv):
    """Convert languages and say what failed.

    Returns
    -------
    int
        The exit status: 1 if a clip could not be converted.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_folder", help="the folder that holds the languages' folders")
    parser.add_argument("output", help="folder to write to, which becomes the new data_folder")
    parser.add_argument("languages", nargs="+", help="codes such as fr")
    parser.add_argument(
        "--splits", nargs="+", default=SPLITS, help="TSV files (default: %(default)s)"
    )
    parser.add_argument("--workers", type=int, help="threads (default: one per core)")
    options = parser.parse_args(argv)
    status = 0
    for language in options.languages:
        written, failed = convert_language(
            options.data_folder, language, options.output, options.splits, options.workers
        )
        for clip, problem in failed.items():
            print(f"{language}: {clip} not converted: {problem}", file=sys.stderr)
        print(f"{language}: {written} clips converted, {len(failed)} failed")
        status = 1 if failed else status
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
