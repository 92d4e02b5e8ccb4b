"""Models that start from another one: a run, an exported model, some parts, frozen parts."""

import shutil

import pytest
import torch
from tones import make_librispeech, train

from summarymixing_sb.export.command import export
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.models.adapters import merge_lora

SIZES = {"train-mini": 24, "dev-mini": 4, "test-mini": 6}
OPTIONS = {
    "train_splits": "[train-mini]",
    "valid_splits": "[dev-mini]",
    "test_splits": "[test-mini]",
    "token_type": "char",
    "output_neurons": 16,
    "number_of_epochs": 1,
    "lr": 1e-9,  # so that weights stay those of the start
    "avg_checkpoints": 1,
}
HEAD = ("ctc_lin.",)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_librispeech(tmp_path_factory.mktemp("corpus") / "LibriSpeech", SIZES)


@pytest.fixture(scope="module")
def first(corpus, tmp_path_factory):
    """A run and its parameters."""
    folder = tmp_path_factory.mktemp("first") / "run"
    brain = run(corpus, folder)
    return folder, parameters(brain)


def run(corpus, folder, *flags, **values):
    options = {**OPTIONS, **values}
    return train("LibriSpeech", "conformer_ctc.yaml", corpus, folder, *flags, **options)


def parameters(brain):
    return {name: value.clone() for name, value in brain.model.state_dict().items()}


def same(one, other):
    """Names of parameters that are equal, but for a step of next to nothing."""
    return {name for name, value in one.items() if torch.allclose(value, other[name], atol=1e-6)}


def drawn(values):
    """Names of parameters that another seed draws anew."""
    return {name for name, value in values.items() if value.dim() > 1 and value.std() > 1e-6}


def tokenizer(folder):
    return folder / "save" / "tokenizer" / "char.model"


@pytest.mark.parametrize("source", ["run", "export"])
def test_all_of_a_model(corpus, first, tmp_path, source):
    folder, expected = first
    options = {"pretrained_model": folder, "tokenizer_file": tokenizer(folder)}
    if source == "export":
        export(folder, tmp_path / "model", "model")
        moved = shutil.move(tmp_path / "model", tmp_path / "moved")
        options = {"pretrained_model": moved, "tokenizer_file": tmp_path / "moved/tokenizer.ckpt"}
    brain = run(corpus, tmp_path / "second", seed=1, **options)
    assert same(expected, parameters(brain)) == expected.keys()
    report = (tmp_path / "second" / "pretrained_model.txt").read_text()
    assert report.startswith(f"{len(expected)} matched:\n")


def test_another_tokenizer_has_other_outputs(corpus, first, tmp_path):
    """Of the same size, and all the same not the same pieces."""
    folder, expected = first
    brain = run(corpus, tmp_path, seed=1, pretrained_model=folder, token_type="bpe")
    different = drawn(expected) - same(expected, parameters(brain))
    assert different == {name for name in drawn(expected) if name.startswith(HEAD)}
    report = (tmp_path / "pretrained_model.txt").read_text()
    assert "ctc_lin.w.weight: of another tokenizer" in report


def test_some_parts(corpus, first, tmp_path):
    folder, expected = first
    parts = "[Transformer.encoder]"
    brain = run(corpus, tmp_path, seed=1, pretrained_model=folder, pretrained_parts=parts)
    taken = drawn(expected) & same(expected, parameters(brain))
    wanted = {name for name in drawn(expected) if name.startswith("Transformer.encoder.")}
    assert taken == wanted
    assert wanted


def test_frozen_parts_stay(corpus, first, tmp_path):
    folder, expected = first
    options = {"pretrained_model": folder, "lr": 0.01, "n_warmup_steps": 1}
    frozen = "[CNN, Transformer.encoder.layers.0.mha_layer]"
    found = parameters(run(corpus, tmp_path, frozen_parts=frozen, **options))
    held = {
        name
        for name in expected
        if name.startswith(("CNN.", "Transformer.encoder.layers.0.mha_layer."))
    }
    assert held
    assert all(torch.equal(found[name], expected[name]) for name in held)
    assert not same(expected, found) & drawn(expected) - held
    # the same command goes on from its own checkpoints
    again = parameters(
        run(corpus, tmp_path, frozen_parts=frozen, **{**options, "number_of_epochs": 2})
    )
    assert all(torch.equal(again[name], expected[name]) for name in held)


def test_bad_input(corpus, first, tmp_path):
    folder, _ = first
    for values, message in (
        ({"pretrained_model": "/nowhere"}, "pretrained_model: there is no folder /nowhere"),
        ({"pretrained_model": corpus}, "no checkpoint of a whole epoch"),
        ({"pretrained_model": folder, "d_model": 48}, None),
        (
            {"pretrained_model": folder, "pretrained_parts": "[Decoder]"},
            "pretrained_parts: no parameter begins with Decoder; parts are CNN, Transformer",
        ),
        ({"frozen_parts": "[cnn]"}, "frozen_parts: no parameter begins with cnn"),
        ({"frozen_parts": "[CNN, Transformer, ctc_lin]"}, "leave nothing to train"),
    ):
        if message is None:  # what does not fit is named, and the rest is taken
            run(corpus, tmp_path / "wide", local_out=48, summary_out=48, **values)
            report = (tmp_path / "wide" / "pretrained_model.txt").read_text()
            assert "there, (48" in report
            continue
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            run(corpus, tmp_path / "bad", **values)


def test_lora(corpus, first, tmp_path):
    """Only adapters, front end and output are trained; a stopped training goes on as it would."""
    folder, expected = first
    options = {"pretrained_model": folder, "tokenizer_file": tokenizer(folder), "lr": 0.01}
    options |= {"lora_rank": 2, "n_warmup_steps": 1, "frozen_parts": "[CNN]"}
    brain = run(corpus, tmp_path / "a", **{**options, "number_of_epochs": 2})
    [checkpoint] = (tmp_path / "a" / "save").glob("CKPT*")
    state = torch.load(checkpoint / "model.ckpt", weights_only=True)
    for name, value in expected.items():
        base, _, last = name.rpartition(".")
        kept = state.get(f"{base}.pretrained_module.{last}", state.get(name))
        assert torch.equal(kept, value) is not name.startswith(HEAD), name
    trained = {name for name, p in brain.model.named_parameters() if p.requires_grad}
    assert any("adapter_up_proj" in name for name in trained)
    assert all("adapter_" in name or name.startswith(HEAD) for name in trained)

    run(corpus, tmp_path / "b", **options)
    run(corpus, tmp_path / "b", **{**options, "number_of_epochs": 2})
    [checkpoint] = (tmp_path / "b" / "save").glob("CKPT*")
    again = torch.load(checkpoint / "model.ckpt", weights_only=True)
    assert all(torch.equal(again[name], value) for name, value in state.items())

    # tested, transcribed with and exported as a model without adapters
    loaded = load_run(tmp_path / "a").modules["Transformer"].state_dict()
    assert loaded.keys() == {
        name.removeprefix("Transformer.") for name in expected if name.startswith("Transformer.")
    }
    tested = brain.model.state_dict()
    for name, value in merge_lora(tested).items():
        if name.startswith("Transformer."):
            assert torch.equal(loaded[name.removeprefix("Transformer.")], value)
    assert different(loaded, expected)
    again = run(corpus, tmp_path / "a", "--test_only", **options)
    assert not any("adapter_" in name for name in again.model.state_dict())


def different(loaded, expected):
    return any(
        not torch.equal(value, expected[f"Transformer.{name}"]) for name, value in loaded.items()
    )
