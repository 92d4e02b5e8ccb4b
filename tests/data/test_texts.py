"""Texts as token ids on disk, and batches of them."""

import gzip

import numpy as np
import pytest

from summarymixing_sb.data.texts import POOL, TokenBatches, TokenTexts, read_lines, tokenize_texts


@pytest.fixture
def files(tmp_path):
    plain = tmp_path / "plain.txt"
    plain.write_text("A BAD CAB\n\n  DAD FED   A CAFE \n")
    packed = tmp_path / "packed.txt.gz"
    with gzip.open(packed, "wt") as stream:
        stream.write("A CAB\n")
    transcripts = tmp_path / "1-2.trans.txt"
    transcripts.write_text("1-2-0000 a cab\n1-2-0001\n")
    return [str(plain), str(packed), str(transcripts)]


TEXTS = ["A BAD CAB", "DAD FED A CAFE", "A CAB", "A CAB"]


def test_lines_of_every_kind(files):
    assert [line for file in files for line in read_lines(file)] == TEXTS


def test_tokens_come_back(files, tokenizer, tokenizer_file, tmp_path):
    folder = tmp_path / "texts"
    tokenize_texts(folder, "train", files, tokenizer_file, tokenizer, 100)
    texts = TokenTexts(folder, "train", 1, 2)
    assert len(texts) == 4
    for index, text in enumerate(TEXTS):
        ids = tokenizer.encode(text)
        item = texts[index]
        assert item["id"] == f"train:{index}"
        assert item["tokens_bos"].tolist() == [1, *ids]
        assert item["tokens_eos"].tolist() == [*ids, 2]
        assert texts.lengths[index] == len(ids) + 1


def test_again_only_when_something_changed(files, tokenizer, tokenizer_file, tmp_path, caplog):
    def prepare(longest=100):
        caplog.clear()
        tokenize_texts(tmp_path / "texts", "train", files, tokenizer_file, tokenizer, longest)
        return caplog.text

    with caplog.at_level("INFO"):
        assert "nothing prepared" in prepare()
        assert prepare() == ""
        assert "changed since: longest" in prepare(4)
        assert "texts left out (longer)" in caplog.text
        with open(files[0], "a") as stream:
            stream.write("QQQ\n")
        assert "texts changed since" in prepare(4)
        assert "unknown to the tokenizer" in caplog.text
        (tmp_path / "texts" / "train.tokens.npy").write_bytes(b"cut")
        assert "train.tokens.npy was changed" in prepare(4)


def test_bad_input(tokenizer, tokenizer_file, tmp_path):
    damaged = tmp_path / "damaged.gz"
    damaged.write_bytes(b"no gzip")
    latin = tmp_path / "latin.txt"
    latin.write_bytes("CAFÉ\n".encode("latin-1"))
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    for file, message in (
        (damaged, "damaged.gz is no text"),
        (latin, "latin.txt is no text in UTF-8"),
        (empty, "there is no text in"),
        (tmp_path / "nowhere.txt", "there is no text file"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            tokenize_texts(tmp_path, "train", [str(file)], tokenizer_file, tokenizer, 9)


@pytest.mark.parametrize("seed", [None, 3])
def test_batches_hold_every_text_once(seed):
    lengths = np.random.default_rng(0).integers(1, 60, POOL + 500)
    batches = TokenBatches(lengths, 600, seed)
    epochs = []
    for epoch in (1, 2):
        batches.set_epoch(epoch)
        made = list(batches)
        assert len(made) == len(batches)
        assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
        assert all(len(batch) * lengths[batch].max() <= 600 for batch in made)
        epochs.append(made)
    assert (epochs[0] == epochs[1]) is (seed is None)
    padding = sum(len(b) * lengths[b].max() for b in epochs[0]) / lengths.sum()
    assert padding < 1.02
