"""Words get the frames of their pieces, whatever pieces spell."""

import io

import pytest
import sentencepiece
import torch
from speechbrain.decoders import ctc_greedy_decode

from summarymixing_sb.decoding.alignment import align_words
from summarymixing_sb.decoding.text import Detokenizer


@pytest.fixture(scope="module")
def tokenizer():
    """Pieces of bytes, a boundary alone, and one with a space inside."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ABBA BAB [x : BA]", "AB BA"] * 9),
        model_writer=model,
        vocab_size=300,
        byte_fallback=True,
        user_defined_symbols=["▁[x▁:"],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def ids(tokenizer, *pieces):
    found = [tokenizer.piece_to_id(piece) for piece in pieces]
    assert 0 not in found
    return found


def spelled(tokenizer, *pieces):
    return Detokenizer(tokenizer).word_spans(ids(tokenizer, *pieces))


def test_words_of_pieces(tokenizer):
    assert spelled(tokenizer, "▁", "A", "B", "▁", "B") == [("AB", 1, 2), ("B", 4, 4)]
    assert spelled(tokenizer, "A", "▁", "▁", "B", "▁") == [("A", 0, 0), ("B", 3, 3)]
    # é is two bytes
    assert spelled(tokenizer, "A", "<0xC3>", "<0xA9>", "▁", "B") == [("Aé", 0, 2), ("B", 4, 4)]
    assert spelled(tokenizer, "▁", "A", "▁[x▁:", "▁", "B") == [
        ("A", 1, 1),
        ("[x", 2, 2),
        (":", 2, 2),
        ("B", 4, 4),
    ]
    assert spelled(tokenizer, "▁") == []


def test_frames_of_a_known_path(tokenizer):
    space, a, b = ids(tokenizer, "▁", "A", "B")
    path = [0, space, a, a, 0, a, 0, 0, space, 0, b, b, 0]
    probability = 0.9
    log_probs = torch.full((len(path), tokenizer.get_piece_size()), -9.0)
    log_probs[range(len(path)), path] = torch.tensor(probability).log()
    words = align_words(
        [space, a, a, space, b], log_probs, Detokenizer(tokenizer), 0, 0.08, first_frame=100
    )
    assert [word.word for word in words] == ["AA", "B"]
    assert [word.start / 0.08 for word in words] == pytest.approx([101.5, 109.5])
    assert [word.end / 0.08 for word in words] == pytest.approx([105.5, 111.5])
    assert [word.score for word in words] == pytest.approx([probability] * 2)


def test_the_path_of_greedy_decoding_is_found_again(tokenizer):
    a, b = ids(tokenizer, "▁", "A")
    scores = torch.randn(400, 3) * 2
    log_probs = torch.full((400, tokenizer.get_piece_size()), -99.0)
    log_probs[:, [0, a, b]] = scores.log_softmax(-1)
    (found,) = ctc_greedy_decode(log_probs[None], torch.ones(1), 0)
    words = align_words(found, log_probs, Detokenizer(tokenizer), 0, 1.0)
    best = log_probs.argmax(-1)
    begins = [t for t in range(400) if best[t] == b and (t == 0 or best[t - 1] != b)]
    assert len(words) > 10
    assert {word.start for word in words} <= {max(t - 0.5, 0) for t in begins}
    for word in words:
        frames = log_probs[round(word.start + 0.5) : round(word.end + 0.5)].amax(-1).exp()
        assert word.score == pytest.approx(float(frames.mean()), abs=1e-5)


def test_nothing_said(tokenizer):
    assert align_words([], torch.randn(10, 300), Detokenizer(tokenizer), 0, 0.08) == []


def test_more_pieces_than_frames(tokenizer):
    """Which only a transducer can write."""
    a, b = (ids(tokenizer, letter)[0] for letter in "AB")
    log_probs = torch.randn(4, tokenizer.get_piece_size()).log_softmax(-1)
    [word] = align_words([a, a, b, a, a], log_probs, Detokenizer(tokenizer), 0, 0.08)
    assert word.word == "AABAA"
    assert 0 <= word.start < word.end <= 4 * 0.08
