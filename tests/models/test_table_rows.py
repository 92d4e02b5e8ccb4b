"""Every command of results/README.md, made small, trains a step and decodes."""

import re
import shlex
from pathlib import Path

import pytest
from one_step import build_brain, small_overrides, train_a_step_and_decode

from summarymixing_sb.training.config import parse_command_line

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "results" / "commands.md").read_text(encoding="utf-8")
# Two are fetched from the Hugging Face hub, which a test cannot reach, one is of a training before
FETCHED = ("tokenizer_file", "lm_source", "pretrained_model")


def commands():
    """Words of every command on the page, with the shell's variables filled in."""
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        variables = {}
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if len(words) == 1:
                variables.update([words[0].split("=", 1)])
            elif words:
                yield [variables.get(word.removeprefix("$"), word) for word in words]


def training_runs():
    """YAML file and overrides of every model that a command trains, each once."""
    models = {}
    for python, recipe, *arguments in commands():
        assert python == "python"
        assert (ROOT / recipe).is_file()
        arguments[0] = str(ROOT / arguments[0])
        file, run_opts, overrides = parse_command_line(arguments)
        folder = overrides.pop("output_folder")
        assert overrides.pop("data_folder").startswith("/data/")
        overrides = {key: value for key, value in overrides.items() if key not in FETCHED}
        if run_opts.test_only:
            # tests what the command before it trained
            overrides.pop("test_splits")
            overrides.pop("results_folder")
            assert models[folder] == (file, overrides)
        else:
            assert folder not in models
            models[folder] = (file, overrides)
    return models


MODELS = training_runs()


def test_every_published_row_of_the_paper_has_a_command():
    numbers = {int(number) for number in re.findall(r"^# (\d+):", PAGE, re.MULTILINE)}
    assert set(range(1, 18)) <= numbers


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.removeprefix("runs/"))
def test_trains_a_step_and_decodes(folder, tmp_path):
    file, overrides = MODELS[folder]
    small = small_overrides(file, overrides, tmp_path)
    # what the row is about stays as it is; four heads of the small model do for eight
    small |= {key: min(4, small[key]) for key in ("nhead", "decoder_nhead") if key in small}
    train_a_step_and_decode(build_brain(file, small, tmp_path))
