"""Training of a language model, from transcripts to a recogniser's test with it."""

import json
import math
import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import sentencepiece
import torch
from recipe_modules import load_recipe
from ruamel.yaml import YAML
from tones import make_librispeech, train

from summarymixing_sb.data.texts import read_lines
from summarymixing_sb.decoding.language_model import load_language_model, sequence_log_probs
from summarymixing_sb.training.config import load_hparams, read_settings
from summarymixing_sb.training.keys import KEYS
from summarymixing_sb.training.language_model import run_language_model

HPARAMS = Path(__file__).resolve().parents[2] / "hparams" / "LibriSpeech" / "lm"
FILES = sorted(HPARAMS.glob("*.yaml"))
SIZES = {"train-mini": 24, "dev-mini": 4, "test-mini": 6}
SPLITS = {
    "train_splits": "[train-mini]",
    "valid_splits": "[dev-mini]",
    "test_splits": "[test-mini]",
}
ASR = {**SPLITS, "token_type": "char", "output_neurons": 16, "avg_checkpoints": 1}
SMALL = {"d_model": 16, "nhead": 2, "num_encoder_layers": 1, "d_ffn": 32, "dropout": 0.0}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_librispeech(tmp_path_factory.mktemp("corpus") / "LibriSpeech", SIZES)


@pytest.fixture(scope="module")
def recogniser(corpus, tmp_path_factory):
    """A run with its tokenizer."""
    folder = tmp_path_factory.mktemp("recogniser")
    train("LibriSpeech", "conformer_ctc.yaml", corpus, folder, number_of_epochs=1, **ASR)
    return folder


@pytest.fixture(scope="module")
def tokenizer_file(recogniser):
    return recogniser / "save" / "tokenizer" / "char.model"


def train_lm(corpus, folder, tokenizer_file, *flags, **values):
    values = {**SMALL, **SPLITS, "lr": 0.01, "max_batch_tokens": 200, "device": "cpu", **values}
    values |= {"data_folder": corpus, "output_folder": folder, "tokenizer_file": tokenizer_file}
    options = [f"--{key}={value}" for key, value in values.items()]
    find_texts = load_recipe("LibriSpeech", "train_lm").find_texts
    hook = sys.excepthook
    try:
        return run_language_model(
            [str(HPARAMS / "demo.yaml"), *options, "--noprogressbar", *flags], find_texts
        )
    finally:
        sys.excepthook = hook


def test_perplexity_is_that_of_whole_texts(corpus, tmp_path, tokenizer_file):
    more = tmp_path / "more.txt"
    more.write_text("ABLE BAKER\n" * 9)
    train_lm(corpus, tmp_path, tokenizer_file, number_of_epochs=8, train_texts=f"[{more}]")
    record = json.loads((tmp_path / "results" / "test.json").read_text())
    lm = load_language_model(tmp_path, None)
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_file))
    [file] = (corpus / "test-mini").rglob("*.trans.txt")
    texts = [tokenizer.encode(line) for line in read_lines(file)]
    tokens = sum(map(len, texts)) + len(texts)
    nats = -sequence_log_probs(lm, texts, 1, 2).sum()
    assert record["tokens"] == tokens
    assert record["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert record["perplexity"] < 4  # of 16 pieces; the second letter of a word is sure
    assert "valid perplexity" in (tmp_path / "train_log.txt").read_text()


def test_resumed_is_as_if_never_stopped(corpus, tmp_path, tokenizer_file):
    def weights(folder):
        return torch.load(folder / "lm.ckpt", weights_only=True)

    train_lm(corpus, tmp_path / "a", tokenizer_file, number_of_epochs=2)
    train_lm(corpus, tmp_path / "b", tokenizer_file, number_of_epochs=1)
    first = weights(tmp_path / "b")
    train_lm(corpus, tmp_path / "b", tokenizer_file, number_of_epochs=2)
    expected, found = weights(tmp_path / "a"), weights(tmp_path / "b")
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
    assert any(not torch.equal(found[name], value) for name, value in first.items())
    with pytest.raises(ValueError, match="another model"):
        train_lm(corpus, tmp_path / "b", tokenizer_file, number_of_epochs=3, d_ffn=48)


def test_a_recogniser_is_tested_with_it(corpus, recogniser, tokenizer_file, tmp_path):
    train_lm(corpus, tmp_path / "lm", tokenizer_file, number_of_epochs=1)
    options = {"lm_source": tmp_path / "lm", "test_decoding": "ctc_prefix_beam"}
    options["results_folder"] = tmp_path / "results"
    train("LibriSpeech", "conformer_ctc.yaml", corpus, recogniser, "--test_only", **ASR, **options)
    record = json.loads((tmp_path / "results" / "test-mini.json").read_text())
    assert record["decoding"]["lm_source"] == str(tmp_path / "lm")
    kept = recogniser / "save" / "language_model"
    assert {file.name for file in kept.iterdir()} == {"lm.ckpt", "lm.json"}


def test_bad_input(corpus, tmp_path, tokenizer_file):
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "lm.ckpt").touch()
    (tmp_path / "damaged" / "lm.json").write_text('{"layers": 3}')
    with pytest.raises(ValueError, match=r"lm\.json describes no language model"):
        load_language_model(tmp_path / "damaged", None)
    for values, message in (
        ({"output_neurons": 5}, "output_neurons is 5 and the tokenizer .* has 16 pieces"),
        ({"train_splits": "[other]"}, "holds no <speaker>/<chapter>/"),
        ({"train_texts": "[nowhere.txt]"}, "there is no text file nowhere.txt"),
        ({"max_batch_tokens": 0}, "max_batch_tokens: give an int of at least 1"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            train_lm(corpus, tmp_path, tokenizer_file, **values)
    with pytest.raises(ValueError, match="tokenizer_file: name the tokenizer of the recogniser"):
        train_lm(corpus, tmp_path, "null")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_keys_of_yaml_files(file):
    """Each is explained, in the table, and of a value that it may have."""
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    for before, line in pairwise(lines):
        if line and not line.startswith((" ", "#")):
            assert before.startswith("# "), line
    knobs = YAML().load(text.split("Objects: nothing to change below")[0])
    settings = read_settings(file, {"data_folder": "."})
    for name in knobs:
        if not name.startswith("__"):
            assert KEYS[name].problem(name, settings[name]) is None
            assert re.search(rf"^# {re.escape(KEYS[name].comment)}.*\n{name}:", text, re.M), name
    model = load_hparams(file, {"data_folder": "."})["lm"]
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    if file.stem == "transformer":
        assert parameters == pytest.approx(93.3, abs=0.05)
