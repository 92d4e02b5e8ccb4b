"""A transcript as text, JSON or subtitles (SubRip)."""

import json
import textwrap
from dataclasses import asdict, dataclass

from summarymixing_sb.files import atomic_open
from summarymixing_sb.inference.words import Word

# What a reader of subtitles can follow
LINE_CHARACTERS = 42
CUE_LINES = 2
CUE_SECONDS = 7.0
#: A longer silence than this, in seconds, ends a cue.
SILENCE_SECONDS = 0.6


@dataclass(frozen=True)
class Transcript:
    """What was said in a recording.

    Parameters
    ----------
    file : str
    seconds : float
        Of the recording.
    words : list of Word
    model : str
        Folder of the run that wrote it.
    decoding : str
        How.
    """

    file: str
    seconds: float
    words: list[Word]
    model: str
    decoding: str

    @property
    def text(self):
        """The words with single spaces."""
        return " ".join(word.word for word in self.words)


def as_txt(transcript):
    """The words in a line.

    >>> as_txt(Transcript("a.wav", 1.0, [Word("a", 0.0, 0.1, 1.0), Word("b", 0.2, 1, 1)], "", ""))
    'a b\\n'
    """
    return f"{transcript.text}\n"


def as_json(transcript):
    """An object of ``file``, ``seconds``, ``text``, ``words`` (each with ``word``, ``start``,
    ``end``, ``score``), ``model`` and ``decoding``; times in milliseconds at the finest."""
    words = [
        {
            key: round(value, 3) if isinstance(value, float) else value
            for key, value in asdict(word).items()
        }
        for word in transcript.words
    ]
    record = {
        "file": transcript.file,
        "seconds": round(transcript.seconds, 3),
        "text": transcript.text,
        "words": words,
        "model": transcript.model,
        "decoding": transcript.decoding,
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def as_srt(transcript):
    """Numbered cues of two lines at most, each with its times.

    >>> words = [Word("hello", 0.5, 0.9, 1.0), Word("there", 1.0, 1.24, 1.0)]
    >>> print(as_srt(Transcript("a.wav", 2.0, words, "", "")), end="")
    1
    00:00:00,500 --> 00:00:01,240
    hello there
    """
    blocks = []
    for number, words in enumerate(_cues(transcript.words), 1):
        start, end = words[0].start, min(words[-1].end, words[0].start + CUE_SECONDS)
        lines = "\n".join(_lines(words))
        blocks.append(f"{number}\n{_timestamp(start)} --> {_timestamp(end)}\n{lines}\n")
    return "\n".join(blocks)


FORMATS = {"txt": as_txt, "json": as_json, "srt": as_srt}


def write_transcript(transcript, folder, name, formats):
    """Write a transcript, each file whole or not at all.

    Parameters
    ----------
    transcript : Transcript
    folder : Path
        Made where missing.
    name : PurePath
        Of the files in it, without suffix; may name folders.
    formats : list of str
        Keys of `FORMATS`, which are the suffixes too.
    """
    for suffix in formats:
        file = folder / f"{name}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        with atomic_open(file) as stream:
            stream.write(FORMATS[suffix](transcript))


def _cues(words):
    """Group words: what is on the screen at the same time."""
    cues = []
    for word in words:
        if cues and _fits(cues[-1], word):
            cues[-1].append(word)
        else:
            cues.append([word])
    return cues


def _fits(cue, word):
    return (
        word.start - cue[-1].end <= SILENCE_SECONDS
        and word.end - cue[0].start <= CUE_SECONDS
        and len(_lines([*cue, word])) <= CUE_LINES
    )


def _lines(words):
    return textwrap.wrap(" ".join(word.word for word in words), LINE_CHARACTERS)


def _timestamp(seconds):
    """Hours to milliseconds, as SubRip writes them.

    >>> _timestamp(3661.5)
    '01:01:01,500'
    """
    milliseconds = round(1000 * seconds)
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02},{milliseconds:03}"
