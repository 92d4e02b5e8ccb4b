"""Every YAML file: its keys are explained, it trains a step, it decodes, it has its size."""

from itertools import pairwise
from pathlib import Path

import pytest
import sentencepiece
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch

from summarymixing_sb.training.brain import ASRBrain
from summarymixing_sb.training.config import check_settings, load_hparams, read_settings

FOLDER = Path(__file__).resolve().parents[1] / "hparams" / "LibriSpeech"
FILES = sorted(FOLDER.glob("*.yaml"))
PIECES = 12
SMALL = {
    "output_neurons": PIECES,
    "d_model": 16,
    "nhead": 2,
    "num_encoder_layers": 1,
    "d_ffn": 32,
    "local_hidden": [16],
    "local_out": 16,
    "summary_hidden": [16],
    "summary_out": 16,
    "valid_beam_size": 2,
    "test_beam_size": 2,
    "lr": 0.1,
    "n_warmup_steps": 1,
}
# millions of parameters as published; the rest of the command line that makes each row
PUBLISHED = [
    ("branchformer", {}, 119.4),
    ("branchformer", {"nhead": 4}, 105.2),
    ("branchformer", {"mixer_form": "lite"}, 100.4),
    ("branchformer", {"attention_type": "none"}, 76.8),
    ("branchformer", {"attention_type": "RelPosMHAXL", "nhead": 8}, 109.9),
    ("conformer", {"nhead": 1, "mixer_preset": "interspeech2024"}, 112.3),
    ("conformer", {}, 101.3),
    ("conformer", {"attention_type": "RelPosMHAXL"}, 109.1),
]


def name(file):
    return file.stem


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("tokenizer") / "m"
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["A BAD CAB", "DAD FED A CAFE"] * 5),
        model_prefix=str(prefix),
        vocab_size=PIECES,
        model_type="unigram",
        bos_id=1,
        eos_id=2,
        unk_id=0,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")


def make_batch(tokenizer):
    """Two utterances of noise, 1.2 s and 0.7 s."""
    items = []
    for key, seconds, words in (("a", 1.2, "A CAB"), ("b", 0.7, "DAD")):
        tokens = tokenizer.encode(words)
        items.append(
            {
                "id": key,
                "sig": torch.randn(int(16000 * seconds)),
                "wrd": words,
                "tokens": torch.LongTensor(tokens),
                "tokens_bos": torch.LongTensor([1, *tokens]),
                "tokens_eos": torch.LongTensor([*tokens, 2]),
            }
        )
    return PaddedBatch(items)


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_key_is_explained(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ####")
    assert lines[1].startswith("# Model: ")
    for before, line in pairwise(lines):
        if line and not line.startswith((" ", "#")):
            assert before.startswith("# "), line


@pytest.mark.parametrize(
    ("file", "mixer"),
    [
        *((file, "SummaryMixing") for file in FILES),
        (FOLDER / "branchformer.yaml", "none"),
        (FOLDER / "conformer.yaml", "none"),
        (FOLDER / "conformer.yaml", "RelPosMHAXL"),
        (FOLDER / "conformer.yaml", "RoPEMHA"),
        (FOLDER / "conformer.yaml", "hypermixing"),
    ],
    ids=lambda value: getattr(value, "stem", value),
)
def test_trains_a_step_and_decodes(file, mixer, tokenizer, tmp_path):
    overrides = {**SMALL, "attention_type": mixer}
    overrides |= {"data_folder": str(tmp_path), "output_folder": str(tmp_path / "run")}
    if read_settings(file, overrides)["num_decoder_layers"]:
        overrides["num_decoder_layers"] = 1
    check_settings(read_settings(file, overrides))
    hparams = load_hparams(file, overrides)
    assert hparams["causal"] is False
    brain = ASRBrain(
        tokenizer,
        modules=hparams["modules"],
        opt_class=hparams["opt_class"],
        hparams=hparams,
        run_opts={"device": "cpu"},
    )
    brain.init_optimizers()
    batch = make_batch(tokenizer)
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    before = {key: p.clone() for key, p in hparams["model"].named_parameters()}
    brain.modules.train()
    brain.fit_batch(batch)
    for key, parameter in hparams["model"].named_parameters():
        assert not parameter.equal(before[key]), key

    brain.modules.eval()
    for stage in (sb.Stage.VALID, sb.Stage.TEST):
        brain.on_stage_start(stage, hparams["number_of_epochs"])
        loss = brain.evaluate_batch(batch, stage)
        assert torch.isfinite(loss)
        assert brain.ids == ["a", "b"]
        assert len(brain.hypotheses) == 2


@pytest.mark.parametrize(("file", "overrides", "millions"), PUBLISHED)
def test_published_parameter_counts(file, overrides, millions):
    overrides = {"data_folder": ".", "speed_perturb": None, "compute_features": None, **overrides}
    overrides["checkpointer"] = None
    with torch.device("meta"):
        hparams = load_hparams(FOLDER / f"{file}.yaml", overrides)
    count = sum(parameter.numel() for parameter in hparams["model"].parameters())
    # the published figures are rounded, some of them upwards
    assert abs(count / 1e6 - millions) < 0.06
