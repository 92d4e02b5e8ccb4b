"""Error rates against counts made by hand."""

import pytest

from summarymixing_sb.evaluation import score


def test_counts_by_hand():
    # A -> X substituted, C deleted, E inserted; five reference words
    result = score(["A B C", "D F"], ["X B", "D E F"])
    assert (result["substitutions"], result["deletions"], result["insertions"]) == (1, 1, 1)
    assert result["wer"] == pytest.approx(100 * 3 / 5)
    # characters, spaces included: "A B C" -> "X B" 3 edits of 5, "D F" -> "D E F" 2 edits of 3
    assert result["characters"] == 8
    assert result["cer"] == pytest.approx(100 * 5 / 8)
    assert (result["words"], result["utterances"]) == (5, 2)


def test_words_and_text_score_alike():
    assert score([["A", "B"]], [["A", "C"]]) == score(["A  B "], [" A C"])


def test_empty_hypothesis_is_all_deletions():
    result = score(["A B C"], [""])
    assert (result["wer"], result["deletions"]) == (100.0, 3)


def test_empty_reference_counts_insertions():
    result = score(["", "A B"], [["C"], "A B"])
    assert (result["insertions"], result["wer"]) == (1, 50.0)


def test_no_reference_words_gives_no_rate():
    result = score(["", ""], ["A", ""])
    assert (result["wer"], result["cer"], result["insertions"]) == (None, None, 1)


def test_refuses_what_it_cannot_score():
    with pytest.raises(ValueError, match="1 predictions for 2 utterances"):
        score(["A", "B"], ["A"])
    with pytest.raises(ValueError, match="there are no utterances to score"):
        score([], [])
