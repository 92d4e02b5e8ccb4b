"""Strings of spoken digits, in LibriSpeech's layout, from recordings of single digits.

The recordings are those of the Free Spoken Digit Dataset: ``{digit}_{speaker}_{index}.wav``.
"""

import random
from pathlib import Path

import soundfile
import torch

from summarymixing_sb.data.audio import read_audio

NAMES = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
RATE = 16000  # Hz, as the recipe wants it
PAUSE = 0.1  # s between digits
LENGTHS = (3, 4, 5, 6, 7)  # digits of a string


def make_digits(recordings, output):
    """Join the recordings of each speaker into strings, each recording in one string.

    Parameters
    ----------
    recordings : str or Path
        Folder of WAV files.
    output : str or Path
        Gets a folder for each speaker, which is a split of its own.

    Returns
    -------
    list of str
        The speakers.

    Raises
    ------
    FileNotFoundError
        If there are no such recordings.
    """
    files, output = sorted(Path(recordings).glob("?_*_*.wav")), Path(output)
    if not files:
        raise FileNotFoundError(
            f"{recordings}: there are no recordings {{digit}}_{{speaker}}_*.wav"
        )
    by_speaker = {}
    for file in files:
        by_speaker.setdefault(file.stem.split("_")[1], []).append(file)
    for number, (speaker, own) in enumerate(by_speaker.items(), 1):
        chapter = output / speaker / str(number) / "1"
        if (chapter / f"{number}-1.trans.txt").is_file():
            continue
        chapter.mkdir(parents=True, exist_ok=True)
        draw, lines = random.Random(speaker), []
        draw.shuffle(own)
        while own:
            count = draw.choice(LENGTHS)
            string, own = own[:count], own[count:]
            pause = torch.zeros(round(PAUSE * RATE))
            sound = [part for file in string for part in (read_audio(file, RATE), pause)]
            name = f"{number}-1-{len(lines):04d}"
            soundfile.write(chapter / f"{name}.flac", torch.cat(sound).numpy(), RATE)
            lines.append(f"{name} {' '.join(NAMES[int(file.name[0])] for file in string)}\n")
        # last: a folder that has it is whole
        (chapter / f"{number}-1.trans.txt").write_text("".join(lines), encoding="utf-8")
    return list(by_speaker)
