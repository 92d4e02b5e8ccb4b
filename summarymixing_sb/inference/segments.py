"""Cuts a long recording at its pauses, so that what decodes and aligns it stays linear in time.

T frames, V pieces of the vocabulary.
"""

from bisect import bisect_right

from summarymixing_sb.data.tokenizer import WORD_BOUNDARY


def cut_at_pauses(log_probs, tokenizer, blank_index, longest):
    """Divide frames into segments that begin with a word.

    Where words begin, and how long the pauses before them are, is read from the best piece of each
    frame. Every cut lies in the middle of the longest pause of the second half of what a segment
    may take; a segment is longer only where no word begins in that time. Decoding segments one by
    one gives the same greedy transcript as all at once.

    Parameters
    ----------
    log_probs : torch.Tensor
        (T, V).
    tokenizer : sentencepiece.SentencePieceProcessor
    blank_index : int
    longest : int
        Frames of a segment.

    Returns
    -------
    list of (int, int)
        First frame of each segment and the one after its last; together, all T.
    """
    frames = len(log_probs)
    cuts = _word_starts(log_probs.argmax(-1).tolist(), tokenizer, blank_index)
    places = [place for place, _ in cuts]
    segments, start = [], 0
    while frames - start > longest:
        low = bisect_right(places, start + longest // 2)
        high = bisect_right(places, start + longest)
        if low == len(places):
            break
        # where no word begins in that time: the next one that does
        end = max(cuts[low:high] or cuts[low : low + 1], key=lambda cut: cut[1])[0]
        segments.append((start, end))
        start = end
    return [*segments, (start, frames)]


def _word_starts(best, tokenizer, blank_index):
    """Find where words begin: the middle of the pause before each and its length, in frames."""
    pieces = [tokenizer.id_to_piece(index) for index in range(tokenizer.get_piece_size())]
    pause_begins, boundary, previous, cuts = 0, False, blank_index, []
    for frame, index in enumerate(best):
        if index != blank_index and pieces[index] != WORD_BOUNDARY:
            if index != previous and (boundary or pieces[index].startswith(WORD_BOUNDARY)):
                cuts.append(((pause_begins + frame) // 2, frame - pause_begins))
            pause_begins, boundary = frame + 1, False
        elif index != blank_index:
            boundary = True
        previous = index
    return cuts
