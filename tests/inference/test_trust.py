"""A stranger's run: nothing but parts of models is built, unless the user says so."""

import shutil

import pytest

from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.transcribe import main
from summarymixing_sb.inference.trust import refuse_code


@pytest.fixture
def stranger(trained_run, tmp_path):
    """A copy of the run, to be edited, and a file that only code in it could make."""
    run = tmp_path / "run"
    shutil.copytree(trained_run, run)
    return run / "hyperparams.yaml", tmp_path / "was_here"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (
            "evil: !apply:pathlib.Path.touch [!new:pathlib.Path [{file}]]",
            "!apply:pathlib.Path.touch",
        ),
        ("evil: !apply:os.mkdir [{file}]", "!apply:os.mkdir"),
        ("evil: !new:subprocess.Popen [[touch, {file}]]", "!new:subprocess.Popen"),
        ("evil: {{deep: [!new:subprocess.Popen [[touch, {file}]]]}}", "!new:subprocess.Popen"),
        ("evil: !name:os.mkdir [{file}]", "!name:os.mkdir"),
        ("evil: !module:antigravity", "!module:antigravity"),
        ("evil: !include:{file}", "!include:"),
        ("evil: !!python/object/apply:os.mkdir [{file}]", "python/object/apply:os.mkdir"),
        ("evil: !new:torch.nn.modules.module.os.mkdir [{file}]", "!new:torch.nn.modules"),
        ("evil: !new:torch.nn.utils.parametrize.copy.copy [1]", "!new:torch.nn.utils"),
        ("? !apply:os.mkdir [{file}]\n: 3", "!apply:os.mkdir"),
        ("attention_type: evil.Mixer", "attention_type: evil.Mixer"),
        ("a: &a {{<<: !apply:os.mkdir [{file}]}}", "!apply:os.mkdir"),
    ],
)
def test_code_is_refused_by_name(stranger, line, named, capsys):
    yaml, marker = stranger
    text = yaml.read_text()
    if line.startswith("attention_type"):
        text = text.replace("\nattention_type: SummaryMixing", "")
    yaml.write_text(f"{text}\n{line.format(file=marker)}\n")
    assert main([str(yaml.parent), str(yaml)]) == 2
    error = capsys.readouterr().err
    assert named in error
    assert "--trust" in error
    assert not marker.exists()


def test_trust_goes_on(stranger):
    """As for a mixer of one's own."""
    yaml, marker = stranger
    yaml.write_text(f"{yaml.read_text()}\nevil: !apply:os.mkdir [{marker}]\n")
    load_run(yaml.parent, trust=True)
    assert marker.is_dir()


def test_torch_classes_are_no_code(stranger):
    yaml, _ = stranger
    text = yaml.read_text()
    assert "!name:torch.nn.GELU" in text
    yaml.write_text(text.replace("!name:torch.nn.GELU", "!name:torch.nn.ReLU"))
    refuse_code(yaml)


@pytest.mark.parametrize("content", ["", "- a", "a: [", "\udcff", "5", "a: 1"])
def test_a_file_that_is_no_run(stranger, content, capsys):
    yaml, _ = stranger
    yaml.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert main([str(yaml.parent), str(yaml)]) == 2
    assert str(yaml) in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.ckpt", "normalizer.ckpt", "CKPT.yaml"])
def test_damaged_checkpoints(stranger, name, capsys):
    yaml, _ = stranger
    for file in (yaml.parent / "save").glob(f"CKPT*/{name}"):
        file.write_bytes(file.read_bytes()[:20])
    assert main([str(yaml.parent), str(yaml)]) == 2
    assert "no checkpoint of a whole epoch" in capsys.readouterr().err


def test_a_key_of_another_kind(stranger, capsys):
    yaml, _ = stranger
    yaml.write_text(yaml.read_text().replace("d_model: 48", "d_model: wide"))
    assert main([str(yaml.parent), str(yaml)]) == 2
    assert "hyperparams.yaml cannot be built" in capsys.readouterr().err
