"""A run loads wherever it lies, as its tests would, or says why it cannot."""

import re
import shutil

import pytest
import torch
from speechbrain.utils.checkpoints import Checkpointer

from summarymixing_sb.inference.run import load_run
from summarymixing_sb.models.checkpoints import load_average
from summarymixing_sb.models.parts import ModelParts
from summarymixing_sb.training.experiment import _keep_inputs


def copy(trained_run, folder):
    """The run under another name, without the first one's absolute paths to help."""
    shutil.copytree(trained_run, folder)
    return folder


def ours_of(run):
    """The trained parts of a run."""
    return ModelParts(run.modules)


def test_what_is_loaded(run, trained_run):
    assert (run.sample_rate, run.folder) == (16000, trained_run)
    assert run.frame_seconds == pytest.approx(0.08)
    assert run.tokenizer.get_piece_size() == run.hparams["output_neurons"]
    assert {"normalize", "CNN", "Transformer", "ctc_lin", "seq_lin"} <= set(run.modules)
    assert not any(module.training for module in run.modules.values())
    assert not any(p.requires_grad for module in run.modules.values() for p in module.parameters())


def test_weights_are_the_average_of_the_checkpoints(run, trained_run):
    other = load_run(trained_run)
    with torch.no_grad():
        for parameter in ours_of(other).parameters():
            parameter.zero_()
    checkpoints = load_average(
        Checkpointer(trained_run / "save"), ours_of(other), other.hparams["normalize"], 2, "last"
    )
    assert len(checkpoints) == 2
    for ours, averaged in zip(ours_of(run).parameters(), ours_of(other).parameters()):
        assert torch.equal(ours, averaged)
        assert ours.any()


def test_a_moved_run_from_another_folder(run, trained_run, tmp_path, monkeypatch):
    moved = copy(trained_run, tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    before = sorted(moved.rglob("*"))
    seed = torch.initial_seed()
    other = load_run("moved")
    assert other.folder == moved
    assert torch.initial_seed() == seed  # the hyperparameters seed torch where they train
    assert sorted(moved.rglob("*")) == before
    for ours, theirs in zip(other.modules.values(), run.modules.values()):
        for one, two in zip(ours.parameters(), theirs.parameters()):
            assert torch.equal(one, two)


def test_missing_parts(trained_run, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"has no hyperparams\.yaml"):
        load_run(tmp_path)
    moved = copy(trained_run, tmp_path / "moved")
    for checkpoint in (moved / "save").glob("CKPT*"):
        shutil.rmtree(checkpoint)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint of a whole epoch .*moved"):
        load_run(moved)
    next((moved / "save" / "tokenizer").glob("*.model")).unlink()
    with pytest.raises(FileNotFoundError, match=r"no tokenizer .*char\.model"):
        load_run(moved)
    assert not list((moved / "save" / "tokenizer").glob("*.model"))  # none was trained


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("  seq_lin: ", "  label_lin: ", r"task asr, which writes labels"),
        ("task: asr", "tusk: asr", r"hyperparams\.yaml is not of .* no key task"),
        ("  ctc_lin: ", "  another: ", r"no module ctc_lin"),
    ],
)
def test_a_run_that_cannot_transcribe(before, after, message, trained_run, tmp_path):
    moved = copy(trained_run, tmp_path / "moved")
    text = (moved / "hyperparams.yaml").read_text()
    assert before in text
    (moved / "hyperparams.yaml").write_text(text.replace(before, after))
    with pytest.raises(ValueError, match=message):
        load_run(moved)


def test_a_language_model_is_kept_with_the_run(trained_run, tmp_path, targets, tokenizer_file):
    """The folder can be used where the model came from is not."""
    run, source = tmp_path / "run", tmp_path / "lm"
    shutil.copytree(trained_run, run)
    source.mkdir()
    torch.save({"weight": torch.ones(2)}, source / "lm.ckpt")
    targets.file = tokenizer_file
    hparams = {"tokenizer_folder": run / "save" / "tokenizer", "save_folder": run / "save"}
    _keep_inputs({**hparams, "lm_source": str(source)}, targets)
    yaml = run / "hyperparams.yaml"
    yaml.write_text(re.sub(r"(?m)^lm_source:.*$", f"lm_source: {source}", yaml.read_text()))
    shutil.rmtree(source)
    kept = load_run(run).hparams["lm_source"]
    assert torch.load(f"{kept}/lm.ckpt", weights_only=True)["weight"].tolist() == [1, 1]
    assert str(run) in kept
