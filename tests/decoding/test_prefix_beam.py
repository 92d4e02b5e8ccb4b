"""CTC prefix beam search against the sum over all paths, and hotwords."""

import math
from itertools import product

import pytest
import sentencepiece
import torch

from summarymixing_sb.decoding.hotwords import Hotwords
from summarymixing_sb.decoding.ngram import Ngram
from summarymixing_sb.decoding.prefix_beam import PrefixBeamSearch

WIDE = {"min_piece": -1e9, "min_beam": -1e9}


def written(path):
    """What a path writes: repetitions merged, blanks dropped."""
    kept = [piece for place, piece in enumerate(path) if place == 0 or piece != path[place - 1]]
    return tuple(piece for piece in kept if piece)


def all_sums(log_probs):
    """Log-probability of every sequence, over all paths; blank is 0."""
    sums = {}
    for path in product(range(log_probs.shape[1]), repeat=log_probs.shape[0]):
        score = sum(log_probs[time, piece] for time, piece in enumerate(path))
        sums.setdefault(written(path), []).append(score)
    return {text: torch.stack(scores).logsumexp(0) for text, scores in sums.items()}


def test_sums_all_paths():
    log_probs = torch.randn(3, 5, 4, dtype=torch.float64).log_softmax(-1)
    frames = torch.tensor([5, 3, 4])
    found = PrefixBeamSearch(0, 400, **WIDE)(log_probs, frames)
    for row, count, hypotheses in zip(log_probs, frames.tolist(), found):
        expected = all_sums(row[:count])
        assert len(hypotheses) == len(expected)
        for ids, score in hypotheses:
            assert score == pytest.approx(float(expected[tuple(ids)]), abs=1e-9)
        scores = [score for _, score in hypotheses]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("beam", [1, 2, 8])
def test_alone_and_in_a_batch(beam):
    """Narrow beams, sharp outputs, and an utterance that ends first."""
    log_probs = (3 * torch.randn(4, 30, 12)).log_softmax(-1)
    frames = torch.tensor([30, 1, 17, 29])
    search = PrefixBeamSearch(0, beam)
    together = search(log_probs, frames)
    for row, count, hypotheses in zip(log_probs, frames, together):
        [alone] = search(row[None, :count], count[None])
        assert [ids for ids, _ in alone] == [ids for ids, _ in hypotheses]
        assert [score for _, score in alone] == pytest.approx([s for _, s in hypotheses])
        assert 1 <= len(hypotheses) <= beam
        assert len({tuple(ids) for ids, _ in hypotheses}) == len(hypotheses)


def test_no_frame_writes_nothing():
    [found] = PrefixBeamSearch(0, 3)(torch.zeros(1, 4, 5), torch.tensor([0]))
    assert found == [([], 0.0)]


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    prefix = str(tmp_path_factory.mktemp("letters") / "char")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ABCD EFG", "GFE DCBA"] * 9),
        **{"model_prefix": prefix, "model_type": "char", "vocab_size": 11, "minloglevel": 2},
        **{"unk_id": 0, "bos_id": 1, "eos_id": 2, "pad_id": -1, "hard_vocab_limit": False},
    )
    return sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")


def total(hotwords, tokenizer, text):
    """What a text gains."""
    state = torch.zeros(1, 1, dtype=torch.int64)
    gained = 0.0
    for token in tokenizer.encode(text):
        gain, state = hotwords.extend(state, torch.tensor([[[token]]]))
        gained += float(gain)
        state = state[..., 0]
    return gained + float(hotwords.finish(state))


ARPA = """\\data\\
ngram 1=5
ngram 2=3

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.3
-0.9\t</s>
-0.6\tAB\t-0.2
-0.7\tAC\t-0.1

\\2-grams:
-0.2\t<s> AC
-0.4\tAC AB
-0.1\tAB </s>

\\end\\
"""


@pytest.mark.parametrize(
    ("text", "log10"),
    [
        ("AC AB", -0.2 - 0.4 - 0.1),
        ("AB", (-0.3 - 0.6) - 0.1),  # backed off from <s>
        ("AC", -0.2 + (-0.1 - 0.9)),
        ("AB G", (-0.3 - 0.6) + (-0.2 - 1.0) - 0.9),
        ("", -0.3 - 0.9),
    ],
)
def test_ngram_probabilities_of_words(letters, tmp_path, text, log10):
    (tmp_path / "lm.arpa").write_text(ARPA)
    ngram = Ngram(tmp_path / "lm.arpa", letters, weight=0.5, bonus=0.25)
    expected = 0.5 * math.log(10) * log10 + 0.25 * len(text.split())
    for _ in range(2):  # what was computed is kept
        assert total(ngram, letters, text) == pytest.approx(expected)


def test_ngrams_that_do_not_fit(letters, tmp_path):
    lower = tmp_path / "lower.arpa"
    lower.write_text(ARPA.replace("AB", "ab").replace("AC", "ac"))
    with pytest.raises(ValueError, match="can spell 0 of its 2 words, such as a"):
        Ngram(lower, letters)
    for content in (ARPA[:60], "no model", ""):
        (tmp_path / "bad.arpa").write_text(content)
        with pytest.raises(ValueError, match=r"bad\.arpa is no ARPA file"):
            Ngram(tmp_path / "bad.arpa", letters)
    with pytest.raises(FileNotFoundError):
        Ngram(tmp_path / "nowhere.arpa", letters)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("AB", 1),
        ("AB AB", 2),
        ("ABC", 0),
        ("CAB", 0),
        ("A B", 0),
        ("AB CD", 2),  # AB, and CD of two words
        ("D AB CD E", 2),
        ("AB C", 1),
        ("G", 0),
        ("AB AB CD", 3),
    ],
)
def test_whole_phrases_are_counted(letters, text, count):
    hotwords = Hotwords(["AB", "CD", "AB"], letters, 3.0)
    assert total(hotwords, letters, text) == pytest.approx(3.0 * count)


def test_the_longest_of_phrases_that_end_together_counts(letters):
    hotwords = Hotwords(["AB CD", "CD"], letters, 3.0)
    assert total(hotwords, letters, "AB CD") == pytest.approx(3.0)
    assert total(hotwords, letters, "AB CD E CD") == pytest.approx(6.0)


def test_a_hotword_or_an_ngram_flips_the_winner(letters, tmp_path):
    """And not where the sound says something else."""
    pieces = {letters.id_to_piece(index): index for index in range(letters.get_piece_size())}
    word = "\N{LOWER ONE EIGHTH BLOCK}"
    log_probs = torch.full((1, 3, len(pieces)), -9.0)
    log_probs[0, 0, pieces[word]] = 0.0
    log_probs[0, 1, pieces["A"]] = 0.0
    log_probs[0, 2, pieces["B"]], log_probs[0, 2, pieces["C"]] = -1.0, -0.5
    log_probs = log_probs.log_softmax(-1)

    def best(*phrases, boost=2.0):
        fusions = [Hotwords(phrases, letters, boost)] if phrases else []
        search = PrefixBeamSearch(0, 4, fusions=fusions)
        return letters.decode(search(log_probs, torch.tensor([3]))[0][0][0])

    assert best() == "AC"
    assert best("AB") == "AB"
    assert best("AB", boost=0.3) == "AC"
    assert best("GG") == "AC"
    assert best("ABC") == "AC"  # its beginning is not the phrase
    (tmp_path / "lm.arpa").write_text(ARPA.replace("-0.2\t<s> AC", "-3\t<s> AC"))
    search = PrefixBeamSearch(0, 4, fusions=[Ngram(tmp_path / "lm.arpa", letters)])
    assert letters.decode(search(log_probs, torch.tensor([3]))[0][0][0]) == "AB"


def test_hotwords_that_cannot_be_spelled(letters):
    with pytest.raises(ValueError, match="hotword 'ÜB': the tokenizer cannot spell it"):
        Hotwords(["AB", "ÜB"], letters, 1.0)
    with pytest.raises(ValueError, match="a hotword is empty"):
        Hotwords([" "], letters, 1.0)
