"""When each word was said: the best CTC path of the pieces that were decoded.

T frames, V pieces of the vocabulary.
"""

from dataclasses import dataclass, replace

import torch
from torchaudio.functional import forced_align, merge_tokens


@dataclass(frozen=True)
class Word:
    """A word of a transcript.

    Parameters
    ----------
    word : str
    start, end : float
        Seconds from the beginning of the recording.
    score : float
        Mean probability, between 0 and 1, of the frames from `start` to `end`.
    """

    word: str
    start: float
    end: float
    score: float


def align_words(ids, log_probs, detokenizer, blank_index, frame_seconds, first_frame=0):
    """Find the words that pieces spell, and when they were said.

    A word begins with the first frame of its first piece and ends with the last of its last one,
    on the most probable CTC path that spells the pieces (for those of greedy decoding, its own).
    A frame reaches half a frame to both sides of its time, since features are centred.
    Time and memory grow with T times the number of pieces.

    Parameters
    ----------
    ids : list of int
        Pieces, without blanks.
    log_probs : torch.Tensor
        (T, V).
    detokenizer : Detokenizer
    blank_index : int
    frame_seconds : float
        Time from one frame to the next.
    first_frame : int
        Where in the recording the frames begin.

    Returns
    -------
    list of Word

    Raises
    ------
    RuntimeError
        When there are more pieces than CTC can write in T frames.
    """
    if not ids:
        return []
    targets = torch.tensor([ids], dtype=torch.int32)
    path, scores = forced_align(log_probs[None].float().cpu(), targets, blank=blank_index)
    probabilities = scores[0].exp()
    spans = merge_tokens(path[0], probabilities, blank=blank_index)  # one for each piece
    words = []
    for text, first, last in detokenizer.word_spans(ids):
        start, end = spans[first].start, spans[last].end
        score = float(probabilities[start:end].mean())
        times = (max(first_frame + frame - 0.5, 0) * frame_seconds for frame in (start, end))
        words.append(Word(text, *times, score))
    return words


def end_with(words, seconds):
    """End words with their recording, behind which its last frame may reach.

    >>> end_with([Word("end", 0.88, 1.04, 0.9)], 1.0)
    [Word(word='end', start=0.88, end=1.0, score=0.9)]
    """
    return [replace(word, end=min(word.end, seconds)) for word in words]
