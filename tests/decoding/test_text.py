"""Words and text of token ids."""

import pytest
import sentencepiece

from summarymixing_sb.decoding.text import Detokenizer, StreamingDetokenizer


def test_pieces_without_text(tokenizer):
    detokenizer = Detokenizer(tokenizer)
    assert detokenizer.words([0, 1, *tokenizer.encode("A CAB"), 2]) == ["A", "CAB"]
    assert detokenizer.writable([2, 5, 1, 0]) == [5]
    assert detokenizer.words([]) == []


def test_another_vocabulary(tokenizer):
    Detokenizer(tokenizer).check_outputs(12)
    with pytest.raises(ValueError, match=r"13 CTC outputs and the tokenizer 12 pieces"):
        Detokenizer(tokenizer).check_outputs(13)


@pytest.fixture(scope="module")
def byte_tokenizer(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("bytes") / "bytes"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["A BAD CAB", "DAD FED A CAFE"] * 5),
        model_prefix=str(prefix),
        vocab_size=275,
        bos_id=1,
        eos_id=2,
        unk_id=0,
        byte_fallback=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")


def test_text_has_one_space_between_words(byte_tokenizer):
    space = byte_tokenizer.piece_to_id("\N{LOWER ONE EIGHTH BLOCK}")
    letter_a, letter_b = (byte_tokenizer.piece_to_id(letter) for letter in "AB")
    pieces = [space, space, letter_a, space, space, letter_b, letter_a, space, letter_b, space]
    assert byte_tokenizer.is_unknown(space) is False
    for size in range(1, len(pieces) + 1):
        write = StreamingDetokenizer(byte_tokenizer)
        parts = [write(pieces[i : i + size]) for i in range(0, len(pieces), size)]
        assert "".join(parts) == "A BA B"


def test_text_keeps_spaces_and_characters_whole(byte_tokenizer):
    text = "A CAFÉ FED ¿DAD? CAB€"
    pieces = byte_tokenizer.encode(text)
    assert sum(byte_tokenizer.is_byte(piece) for piece in pieces) >= 6
    for size in (1, 2, 3, len(pieces)):
        write = StreamingDetokenizer(byte_tokenizer)
        parts = [write(pieces[i : i + size]) for i in range(0, len(pieces), size)]
        parts.append(write.finish())
        assert "".join(parts) == text
    write = StreamingDetokenizer(byte_tokenizer)
    assert write([0, 1, 2]) == ""  # unknown, begin, end
    assert write(pieces) + write.finish() == text  # which only begins here
