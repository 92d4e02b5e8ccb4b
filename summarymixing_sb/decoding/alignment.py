"""Times of words, by CTC.

Letters: T frames, V pieces of the vocabulary.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

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
        Mean probability, between 0 and 1, of the frames from ``start`` to ``end``.
    """

    word: str
    start: float
    end: float
    score: float


def align_words(ids, log_probs, detokenizer, blank_index, frame_seconds, first_frame=0):
    """Find the words that token ids spell, and their times.

    A word begins with the first frame of its first piece and ends with the last of its last one,
    on the most probable CTC path that spells the pieces (for those of greedy decoding, its own).
    A frame reaches half a frame to both sides of its time, since features are centred.
    Where a transducer wrote more pieces than CTC can in T frames, frames are cut in parts.
    Time and memory grow with T times the number of pieces.

    Parameters
    ----------
    ids : list of int
        Token ids, without blanks.
    log_probs : torch.Tensor
        (T, V).
    detokenizer : summarymixing_sb.decoding.text.Detokenizer
    blank_index : int
    frame_seconds : float
        Time from one frame to the next.
    first_frame : int
        Where in the recording the frames begin.

    Returns
    -------
    list of Word
    """
    if not ids:
        return []
    needed = len(ids) + sum(one == two for one, two in pairwise(ids))
    parts = math.ceil(needed / len(log_probs))
    log_probs = log_probs.repeat_interleave(parts, dim=0)
    targets = torch.tensor([ids], dtype=torch.int32)
    path, scores = forced_align(log_probs[None].float().cpu(), targets, blank=blank_index)
    probabilities = scores[0].exp()
    spans = merge_tokens(path[0], probabilities, blank=blank_index)  # one for each piece
    words = []
    for text, first, last in detokenizer.word_spans(ids):
        start, end = spans[first].start, spans[last].end
        score = float(probabilities[start:end].mean())
        frames = (first_frame + part / parts - 0.5 for part in (start, end))
        words.append(Word(text, *(max(frame, 0) * frame_seconds for frame in frames), score))
    return words
