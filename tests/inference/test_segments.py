"""Cuts lie in pauses before words, wherever the pieces put the boundary."""

import io
from itertools import chain, pairwise

import pytest
import sentencepiece
import torch

from summarymixing_sb.inference.splitting import cut_at_pauses


class Pieces:
    """As much of a tokenizer as is asked: the text of its pieces."""

    def __init__(self, *pieces):
        self.pieces = pieces

    def get_piece_size(self):
        return len(self.pieces)

    def id_to_piece(self, index):
        return self.pieces[index]


WORDS = Pieces("<unk>", "▁A", "B", "▁C")
CHARACTERS = Pieces("<unk>", "▁", "A", "B")


def log_probs(best, vocabulary):
    """Frames whose best pieces are these; a dot is the blank."""
    ids = torch.tensor([0 if char == "." else int(char) for char in best], dtype=torch.long)
    return torch.nn.functional.one_hot(ids, len(vocabulary.pieces)).float().log_softmax(-1)


def cut(best, longest, vocabulary=WORDS):
    segments = cut_at_pauses(log_probs(best, vocabulary), vocabulary, 0, longest)
    assert segments[0][0] == 0
    assert segments[-1][1] == len(best)
    assert all(one[1] == other[0] for one, other in pairwise(segments))
    return [best[start:end] for start, end in segments]


def test_short_ones_stay_whole():
    assert cut("..1122..3", 9) == ["..1122..3"]
    assert cut("", 9) == [""]


def test_in_the_middle_of_the_longest_pause():
    assert cut("1.2.3....1.3.2.1", 12) == ["1.2.3..", "..1.3.2.1"]


def test_not_within_a_word():
    assert cut("1....2....2..3..", 10) == ["1....2....2.", ".3.."]


def test_where_no_word_begins_in_time():
    assert cut("1.2.2.2.2.2.2.3.1", 6) == ["1.2.2.2.2.2.2", ".3.1"]
    assert cut("1.2.2.2.2.2.2.2", 6) == ["1.2.2.2.2.2.2.2"]
    assert cut("." * 30, 6) == ["." * 30]


@pytest.mark.parametrize("boundary", ["1....", "..1..", "....1"])
def test_a_boundary_that_is_a_piece_of_its_own(boundary):
    best = f"2.3.2{boundary}3.2.3"
    first, second = cut(best, 10, CHARACTERS)
    assert first + second == best
    assert first.startswith("2.3.2")
    assert second.endswith("3.2.3")
    assert len(first) == 7  # the middle of the pause


def test_greedy_words_are_those_of_the_whole():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["A BAD CAB", "DAD FED A CAFE"] * 5),
        model_writer=model,
        vocab_size=14,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    size = tokenizer.get_piece_size()
    scores = torch.randn(2000, size)
    scores[:, 0] += 2  # pauses

    def words(rows):
        ids = torch.unique_consecutive(rows.argmax(-1)).tolist()
        return tokenizer.decode([index for index in ids if index > 2]).split()

    segments = cut_at_pauses(scores, tokenizer, 0, 50)
    assert len(segments) > 30
    cut = chain.from_iterable(words(scores[start:end]) for start, end in segments)
    assert list(cut) == words(scores)
