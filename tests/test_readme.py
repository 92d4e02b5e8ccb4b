"""Commands of the READMEs can be typed, and the figures they give are true."""

import csv
import json
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from hyperpyyaml import load_hyperpyyaml

from summarymixing_sb import TransformerASR, list_mixers
from summarymixing_sb.inference.transcribe import make_parser
from summarymixing_sb.training.config import check_settings, parse_command_line, read_settings
from summarymixing_sb.training.tasks import task_class
from summarymixing_sb.version import __version__

ROOT = Path(__file__).resolve().parents[1]
DATASETS = ("CommonVoice", "Folder", "LibriSpeech", "SLURP")
TEXTS = (
    *(
        "README.md",
        "CONTRIBUTING.md",
        "results/README.md",
        "results/commands.md",
        "recipes/README.md",
    ),
    *(f"recipes/{dataset}/README.md" for dataset in DATASETS),
)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    """Fenced blocks of one language, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


def commands():
    """Every shell command of the texts, as words with the shell's variables filled in."""
    for name in TEXTS:
        for block in blocks((ROOT / name).read_text(encoding="utf-8"), "sh"):
            variables = {}
            for line in block.replace("\\\n", " ").splitlines():
                for variable, value in variables.items():
                    line = re.sub(rf"\${variable}\b", value, line)
                words = shlex.split(line, comments=True)
                if len(words) == 1 and re.match(r"[A-Z]+=", words[0]):
                    variables.update([words[0].split("=", 1)])
                elif words:
                    yield words


COMMANDS = list(commands())
ENTRY_POINTS = tuple(
    re.findall(r'"(summarymixing-\w+(?:-\w+)?) = ', (ROOT / "setup.py").read_text(encoding="utf-8"))
)


def recipe_of(words):
    """Where the script of a training command stands among its words; None for other commands."""
    scripts = (i for i, word in enumerate(words) if re.match(r"recipes/\w+/train\.py", word))
    return next(scripts, None)


TRAINING = [words for words in COMMANDS if recipe_of(words) is not None]


def test_the_python_session(capsys):
    [session] = blocks(README, "python")
    assert len([line for line in session.splitlines() if line]) == 6
    exec(compile(session, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == session.rsplit("# ", 1)[1].strip()


def test_the_yaml_of_a_transducer_of_speechbrain():
    """The blocks that change, beside those of its recipe that use them."""
    [block] = blocks((ROOT / "recipes" / "README.md").read_text(encoding="utf-8"), "yaml")
    built = load_hyperpyyaml(block)
    encoded = built["enc"](torch.randn(1, 20, 640), torch.ones(1))
    assert encoded.shape == (1, 20, 512)
    logits = torch.randn(1, 20, 4, 1000, requires_grad=True)
    cost = built["transducer_cost"](logits, torch.tensor([[5, 6, 7]]), torch.ones(1), torch.ones(1))
    assert cost.requires_grad
    assert cost.item() > 0


def test_the_yaml_of_the_drop_in():
    [block] = blocks(README, "yaml")
    with torch.device("meta"):
        model = load_hyperpyyaml(block)["Transformer"]
    assert isinstance(model, TransformerASR)


def test_readme_is_read_in_a_few_minutes():
    assert len(README.splitlines()) <= 150


def test_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert citation["title"] == "summarymixing_sb"
    for key in ("cff-version", "message", "authors", "license", "references"):
        assert citation[key], key


def test_transcription_commands_are_understood():
    found = [words[1:] for words in COMMANDS if words[0] == "summarymixing-transcribe"]
    assert len(found) >= 2
    for words in found:
        options = make_parser().parse_args(words)
        assert options.sources


def test_commands_are_of_known_kinds():
    assert TRAINING
    for words in COMMANDS:
        if words not in TRAINING and words[0] not in ENTRY_POINTS:
            assert words[0] == "python", words
            assert words[1] == "-m" or Path(ROOT, words[1]).is_file(), words


@cache
def settings_of(words):
    """YAML file and settings of a training command; its folders are that of the repository."""
    hparams_file, _, overrides = parse_command_line(words[recipe_of([*words]) + 1 :])
    folders = {"data_folder", "pretrained_encoder", "pretrained_model"} & overrides.keys()
    overrides |= dict.fromkeys(folders, str(ROOT))
    return hparams_file, read_settings(hparams_file, overrides)


@pytest.mark.parametrize("words", TRAINING, ids=" ".join)
def test_training_commands(words, monkeypatch):
    """Files exist, keys exist, and the hyperparameters pass the checks before preparation."""
    monkeypatch.chdir(ROOT)
    recipe = recipe_of(words)
    assert Path(words[recipe]).is_file()
    assert words[:recipe] in (["python"], ["torchrun", "--nproc_per_node=4"])
    hparams_file, settings = settings_of(tuple(words))
    assert Path(hparams_file).parent.name == Path(words[recipe]).parent.name
    check_settings(settings, task_class(settings["task"]))
    assert settings["attention_type"] in list_mixers()


def test_two_models_never_share_a_folder(monkeypatch):
    """The commands can all be typed one after the other."""
    monkeypatch.chdir(ROOT)
    models = {}
    for words in TRAINING:
        _, settings = settings_of(tuple(words))
        keys = ("tokenizer_file", "output_neurons", "Transformer", "CNN", "pretrained_encoder")
        model = {key: settings.get(key) for key in keys}
        assert models.setdefault(settings["output_folder"], model) == model, words


@pytest.mark.parametrize("name", TEXTS)
def test_files_exist(name):
    """Whatever is written like a path of this repository is one; and so is every link."""
    text = (ROOT / name).read_text(encoding="utf-8")
    folders = r"(?:summarymixing_sb|hparams|recipes|tests|results|\.ci)/[\w./-]*\w"
    paths = set(re.findall(rf"(?<![\w/.>]){folders}", text))
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link}
    to_be_written = {path for path in paths if "mean_mixing" in path or "/a/" in path}
    made_by_runs = {path for path in paths if path.startswith("results/") and "test" in path}
    for path in paths - to_be_written - made_by_runs:
        assert (ROOT / path).exists(), path
    for link in links - {""}:
        assert ((ROOT / name).parent / link).exists(), link


def test_make_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name in TEXTS:
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"(?:`|^    )make (\w+)", text, re.MULTILINE):
            assert f"\n{target}:" in makefile, target


def test_our_figures():
    """The tables of our own runs repeat the JSON files that they name."""
    found = re.findall(r"^\| (.+) \| \[(results/\S+\.json)\]\(\S+\) \|$", README, re.MULTILINE)
    assert len(found) == 3
    for cells, file in found:
        run = json.loads((ROOT / file).read_text(encoding="utf-8"))
        _, mixer, *figures = (cell.strip() for cell in cells.split("|"))
        assert mixer == run["mixer"]
        expected = [run["parameters"] / 1e6, run["wer"], run["cer"], run["real_time_factor"]]
        assert figures == [f"{value:.2f}" for value in expected], file


def test_figures_of_streams():
    """The table of streams repeats the rows of its files."""
    text = (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| (.+) \| \[\w+\.csv\]\(\.\./(results/streaming/\S+)\) \|$", text, re.M)
    assert len(found) == 2
    for cells, file in found:
        with open(ROOT / file, newline="", encoding="utf-8") as stream:
            (row,) = csv.DictReader(stream)
        kept, factor, median, p95, difference = (cell.strip() for cell in cells.split("|")[1:])
        assert kept == row["state_bytes_1_minute"] == row["state_bytes_end"]
        assert factor == f"{float(row['real_time_factor']):.3f}"
        assert (median, p95) == tuple(f"{float(row[key]):.1f}" for key in ("median_ms", "p95_ms"))
        assert float(difference) == pytest.approx(float(row["difference"]), rel=0.02)
