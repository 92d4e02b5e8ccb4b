"""Tokenizers: trained, found again, trained anew, kept, refused."""

import csv
import logging

import pytest
from speechbrain.tokenizers.SentencePiece import SentencePiece

from summarymixing_sb.data import tokenizer as module
from summarymixing_sb.data.tokenizer import (
    check_tokenizer,
    fetch_tokenizer,
    load_tokenizer,
    train_tokenizer,
)


def write_csv(path, texts):
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["ID", "wrd"])
        writer.writeheader()
        writer.writerows({"ID": str(index), "wrd": text} for index, text in enumerate(texts))
    return path


def train(folder, texts, kind="char", size=9, keep=False):
    folder.mkdir(exist_ok=True)
    manifest = write_csv(folder / "train.csv", texts)
    return train_tokenizer(folder / "tokenizer", manifest, kind, size, 1, 2, keep)


def test_trains_anew_when_transcripts_change(tmp_path):
    file = train(tmp_path, ["ABC AB", "CBA DA"])
    made = file.stat().st_mtime_ns
    assert load_tokenizer(file).get_piece_size() == 8
    assert train(tmp_path, ["ABC AB", "CBA DA"]) == file
    assert file.stat().st_mtime_ns == made
    train(tmp_path, ["ABC AB", "CBA DE"])
    assert load_tokenizer(file).get_piece_size() == 9


def test_tokenizers_of_two_sizes_share_a_folder(tmp_path):
    texts = ["ABC AB", "CBA DA"]
    small, large = train(tmp_path, texts), train(tmp_path, texts, "bpe", 10)
    made = [file.stat().st_mtime_ns for file in (small, large)]
    assert [train(tmp_path, texts), train(tmp_path, texts, "bpe", 10)] == [small, large]
    assert [file.stat().st_mtime_ns for file in (small, large)] == made


def test_keeps_the_tokenizer_of_a_trained_model(tmp_path, caplog):
    file = train(tmp_path, ["ABC AB", "CBA DA"])
    with caplog.at_level(logging.WARNING, module.__name__):
        train(tmp_path, ["ABC AB", "CBA DE"], keep=True)
    assert load_tokenizer(file).get_piece_size() == 8
    assert "training transcripts changed" in caplog.text

    caplog.clear()
    file.with_suffix(".json").unlink()  # as an earlier version left it
    train(tmp_path, ["ABC AB", "CBA DE"], keep=True)
    assert load_tokenizer(file).get_piece_size() == 8
    assert "WARNING" not in caplog.text
    (tmp_path / "train.csv").unlink()
    assert train_tokenizer(file.parent, tmp_path / "train.csv", "char", 9, 1, 2, True) == file


def test_vocabulary_too_large(tmp_path):
    with pytest.raises(ValueError, match="output_neurons: no unigram tokenizer of 500 pieces"):
        train(tmp_path, ["ABC AB", "CBA DA"], "unigram", 500)
    assert not list(tmp_path.rglob("*.model"))


def test_size_of_the_model(tokenizer, caplog):
    settings = {"output_neurons": 12, "num_decoder_layers": 2, "bos_index": 1, "eos_index": 2}
    check_tokenizer(tokenizer, "t.model", settings)
    with pytest.raises(ValueError, match=r"t.model has 12 pieces and the model 500 outputs"):
        check_tokenizer(tokenizer, "t.model", {**settings, "output_neurons": 500})
    with caplog.at_level(logging.WARNING, module.__name__):
        check_tokenizer(tokenizer, "t.model", {**settings, "eos_index": 3})
    assert "eos_index is 3" in caplog.text


def test_fetch(tokenizer_file, tmp_path, monkeypatch):
    assert fetch_tokenizer(str(tokenizer_file), tmp_path) == tokenizer_file
    for missing in ("/no/such.model", "no.model", "./no/such.model", "a/b/c/d.model"):
        with pytest.raises(FileNotFoundError, match="tokenizer_file: there is no file"):
            fetch_tokenizer(missing, tmp_path)
    asked = {}
    monkeypatch.setattr(module, "fetch", lambda **arguments: asked.update(arguments))
    assert fetch_tokenizer("owner/name/t.ckpt", tmp_path) == tmp_path / "t.ckpt"
    assert asked == {"filename": "t.ckpt", "source": "owner/name", "savedir": tmp_path}


def test_no_tokenizer(tmp_path):
    file = tmp_path / "t.model"
    file.write_text("nothing of the kind")
    with pytest.raises(ValueError, match=r"t.model is no SentencePiece model"):
        load_tokenizer(file)


def test_is_the_one_that_speechbrain_trains(tmp_path):
    texts = ["THE CAT SAT ON THE MAT", "A DOG RAN", "THE DOG SAT", "A CAT RAN ON"] * 3
    for kind, size in (("unigram", 19), ("bpe", 24), ("char", 24)):
        ours = load_tokenizer(train(tmp_path / kind, texts, kind, size))
        SentencePiece(
            str(tmp_path / "theirs"),
            size,
            annotation_train=str(tmp_path / kind / "train.csv"),
            annotation_read="wrd",
            model_type=kind,
            bos_id=1,
            eos_id=2,
        )
        theirs = load_tokenizer(tmp_path / "theirs" / f"{size}_{kind}.model")
        pieces = [ours.id_to_piece(i) for i in range(ours.get_piece_size())]
        assert pieces == [theirs.id_to_piece(i) for i in range(theirs.get_piece_size())]
        assert ours.encode(texts) == theirs.encode(texts)


def test_symbols_and_folders_with_commas_and_spaces(tmp_path):
    folder = tmp_path / "a, b #2"
    manifest = write_csv(tmp_path / "train.csv", ["set,alarm | WAKE ME", "play | A SONG"])
    symbols = ["set,alarm |", 'say "it" |', "play |"]
    file = train_tokenizer(folder, manifest, "bpe", 30, 1, 2, False, symbols=symbols)
    tokenizer = load_tokenizer(file)
    assert [file.name for file in folder.iterdir()] == ["30_bpe.json", "30_bpe.model"]
    pieces = tokenizer.encode("set,alarm | WAKE ME", out_type=str)
    assert "set,alarm\u2581|" in pieces
