"""A tokenizer of twelve pieces and a Brain around a tiny model."""

from pathlib import Path

import pytest
import sentencepiece
import torch

from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.training.config import load_hparams
from summarymixing_sb.training.tasks.asr import ASRBrain

HPARAMS = Path(__file__).resolve().parents[1] / "hparams" / "LibriSpeech"
TINY = {
    "output_neurons": 12,
    "d_model": 16,
    "nhead": 2,
    "num_encoder_layers": 1,
    "num_decoder_layers": 1,
    "d_ffn": 32,
    "local_hidden": [16],
    "local_out": 16,
    "summary_hidden": [16],
    "summary_out": 16,
    "num_workers": 0,
    "number_of_epochs": 20,
    "max_batch_length_train": 80,
    "avoid_if_longer_than": 20.0,
    "valid_beam_size": 2,
    "test_beam_size": 2,
}


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory):
    """Pieces 0 to 2 are unknown, begin and end."""
    prefix = tmp_path_factory.mktemp("tokenizer") / "twelve"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["A BAD CAB", "DAD FED A CAFE"] * 5),
        model_prefix=str(prefix),
        vocab_size=12,
        bos_id=1,
        eos_id=2,
        unk_id=0,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return prefix.with_suffix(".model")


@pytest.fixture(scope="session")
def tokenizer(tokenizer_file):
    return sentencepiece.SentencePieceProcessor(model_file=str(tokenizer_file))


@pytest.fixture
def targets(tokenizer):
    return Tokens(tokenizer, "wrd")


@pytest.fixture
def brain(targets, tmp_path):
    """A CTC/attention model, not trained."""
    overrides = {**TINY, "data_folder": ".", "output_folder": str(tmp_path)}
    hparams = load_hparams(HPARAMS / "conformer.yaml", overrides)
    brain = ASRBrain(
        targets,
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts={"device": "cpu"},
        checkpointer=hparams["checkpointer"],
    )
    brain.init_optimizers()
    return brain


def make_item(tokenizer, key, seconds, words):
    """What a dataset gives for noise of some seconds."""
    tokens = tokenizer.encode(words)
    return {
        "id": key,
        "sig": torch.randn(round(16000 * seconds)),
        "text": words,
        "tokens": torch.LongTensor(tokens),
        "tokens_bos": torch.LongTensor([1, *tokens]),
        "tokens_eos": torch.LongTensor([*tokens, 2]),
    }


@pytest.fixture
def items(tokenizer):
    """Three utterances of different lengths."""
    return [
        make_item(tokenizer, "a", 1.21, "A CAB"),
        make_item(tokenizer, "b", 0.7, "DAD FED A CAFE"),
        make_item(tokenizer, "c", 0.43, "BAD"),
    ]
