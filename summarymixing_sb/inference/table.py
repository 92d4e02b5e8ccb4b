"""A table of transcripts: a row an utterance, which ``recipes/Folder`` trains on."""

import csv
import os
import sys

from summarymixing_sb.inference.transcripts import SILENCE_SECONDS, group_words

#: The longest utterance of a table, and what it has of the silence around it at most.
UTTERANCE_SECONDS = 16.0
MARGIN_SECONDS = 0.2
#: Columns of a table of utterances, which ``recipes/Folder`` trains on.
COLUMNS = ("audio", "start", "end", "text")


def as_rows(transcript):
    """Divide a recording into utterances to train on.

    Parameters
    ----------
    transcript : Transcript

    Yields
    ------
    dict of str to str
        By `COLUMNS`; start and end, in seconds, are empty where the recording is one utterance.
        One without words is none.
    """
    audio = os.path.abspath(transcript.file)
    if transcript.seconds <= UTTERANCE_SECONDS:
        groups, whole = [transcript.words] if transcript.words else [], True
    else:
        groups, whole = group_words(transcript.words, _same_utterance), False
    for place, group in enumerate(groups):
        before = groups[place - 1][-1].end if place else 0.0
        after = groups[place + 1][0].start if place + 1 < len(groups) else transcript.seconds
        start = max(group[0].start - MARGIN_SECONDS, (before + group[0].start) / 2)
        end = min(group[-1].end + MARGIN_SECONDS, (group[-1].end + after) / 2)
        times = ("", "") if whole else (f"{start:.2f}", f"{end:.2f}")
        yield dict(zip(COLUMNS, (audio, *times, " ".join(word.word for word in group))))


def _same_utterance(words, word):
    """Whether a word belongs to an utterance: not too long, and no pause when it is long enough."""
    pause, seconds = word.start - words[-1].end, word.end - words[0].start
    return seconds <= UTTERANCE_SECONDS and (
        pause <= SILENCE_SECONDS or seconds < UTTERANCE_SECONDS / 4
    )


class TranscriptTable:
    """The table of all recordings of a command; what is in it stays if the command is killed.

    Parameters
    ----------
    folder : Path or None
        ``transcripts.csv`` is written into it; to standard output without it.
    """

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        """Write the header."""
        self._file = sys.stdout
        if self.folder is not None:
            path = self.folder / "transcripts.csv"
            self._file = open(path, "w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, COLUMNS, lineterminator="\n")
        self._writer.writeheader()
        return self

    def write(self, transcript):
        """Add the utterances of a recording."""
        self._writer.writerows(as_rows(transcript))
        self._file.flush()

    def __exit__(self, *error):
        """Close the file."""
        if self.folder is not None:
            self._file.close()
