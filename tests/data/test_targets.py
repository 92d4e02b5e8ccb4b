"""Training targets: pieces of texts, labels."""

import pytest
from speechbrain.dataio.dataset import DynamicItemDataset

from summarymixing_sb.data.targets import NO_LABEL, Labels
from summarymixing_sb.data.tokenizer import load_tokenizer, train_tokenizer


@pytest.fixture
def hparams(tmp_path):
    (tmp_path / "train.csv").write_text("ID,intent\na,play_music\nb,alarm_set\nc,play_music\n")
    return {"manifest_folder": str(tmp_path), "save_folder": str(tmp_path)}


def test_labels_of_the_training_data(hparams):
    labels = Labels.found(hparams, "intent")
    assert labels.size == 2
    assert labels.names() == ["alarm_set", "play_music"]
    labels.check({"output_neurons": 2})
    with pytest.raises(ValueError, match="output_neurons: the training data have 2 labels"):
        labels.check({"output_neurons": 60})


def test_unknown_label_is_no_target(hparams):
    labels = Labels.found(hparams, "intent")
    data = {"a": {"intent": "play_music"}, "b": {"intent": "news_query"}}
    items = DynamicItemDataset(data, [labels.pipeline(hparams)], ["id", *labels.keys])
    assert [item["label"] for item in items] == [1, NO_LABEL]
    assert [item["text"] for item in items] == ["play_music", "news_query"]


def test_labels_of_a_trained_model(hparams, tmp_path):
    Labels.found(hparams, "intent")
    overrides = {}
    assert Labels.given(hparams, overrides, "intent") is None
    assert overrides == {}
    (tmp_path / "CKPT+1").mkdir()
    assert Labels.given(hparams, overrides, "intent").names() == ["alarm_set", "play_music"]
    assert overrides == {"output_neurons": 2}


def test_symbols_are_pieces(tmp_path):
    texts = ["alarm_set | at [time : nine]", "play_music | a [song : ballad] at [time : nine]"]
    rows = "".join(f"{index},{text}\n" for index, text in enumerate(texts))
    (tmp_path / "train.csv").write_text(f"ID,semantics\n{rows}")
    symbols = (" alarm_set |", " play_music |", " [time :", " [song :", "]")
    arguments = (tmp_path / "train.csv", "char", 21, 1, 2, False, "semantics", symbols)
    tokenizer = load_tokenizer(train_tokenizer(tmp_path / "tokenizer", *arguments))
    for text in texts:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
    pieces = tokenizer.encode(texts[0], out_type=str)
    block = "\N{LOWER ONE EIGHTH BLOCK}"
    assert pieces[0] == f"{block}alarm_set{block}|"
    assert f"{block}[time{block}:" in pieces
