"""Published figures, the commands that reproduce them, and which runs of ours are theirs."""

import csv
import json
import shlex
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch

from summarymixing_sb.models.parts import ModelParts
from summarymixing_sb.training.config import load_hparams, parse_command_line, read_settings

# Keys that say where things are or how a machine is used, not what is learned or measured. A
# language model is compared by itself (its tokenizer goes with it), test sets are too.
INCIDENTAL = frozenset(
    (
        *("data_folder", "output_folder", "save_folder", "results_folder", "manifest_folder"),
        *("tokenizer_folder", "train_log", "tensorboard", "num_workers", "ckpt_interval_minutes"),
        *("max_batch_length_valid", "max_batch_length_test", "seed", "test_splits"),
        *("tokenizer_file", "lm_source"),
    )
)
LANGUAGE_MODEL = "speechbrain/asr-transformer-transformerlm-librispeech"
ERROR_RATES = {"dev_clean": "dev-clean", "test_clean": "test-clean", "test_other": "test-other"}
# A published metric: the test set, and the column of our runs
METRICS = {
    "accuracy": ("testing", "accuracy"),
    "test WER": ("test", "wer"),
    "test CER": ("test", "cer"),
    "test-clean WER": ("test-clean", "wer"),
    "scenario accuracy": ("test", "scenario_accuracy"),
    "action accuracy": ("test", "action_accuracy"),
    "intent accuracy": ("test", "intent_accuracy"),
    "SLU-F1": ("test", "slu_f1"),
}


@dataclass(frozen=True)
class Figure:
    """A published figure, and what a run of ours must have measured to stand beside it.

    Attributes
    ----------
    name : str
        Heading of its column.
    theirs : str
        As it was published.
    test_set, score : str
        Cells and column of the table of our runs.
    lm : bool
        Whether a language model was fused.
    """

    name: str
    theirs: str
    test_set: str
    score: str
    lm: bool


@dataclass(frozen=True)
class Command:
    """What reproduces a published row: a YAML file and overrides.

    Attributes
    ----------
    id : str
        Of the published row.
    variant : str
        What sets it apart from the row's own command; empty for that one.
    yaml : str
        Path from the top of the repository on.
    overrides : str
        As they are typed.
    utterances : int
        Utterances of the smallest test set. A run on a corpus that is smaller, made in the layout
        of this one, reproduces nothing.
    note : str
        Where it is not quite what was published.
    """

    id: str
    variant: str
    yaml: str
    overrides: str
    utterances: int
    note: str
    root: Path = field(default=Path(), compare=False)

    @property
    def dataset(self):
        """Folder of the YAML file."""
        return Path(self.yaml).parent.name

    def parsed(self):
        """Give the overrides by key."""
        return _parse(self.root / self.yaml, self.overrides)

    def count_parameters(self):
        """Count the parameters of the model that the YAML file and the overrides describe."""
        return _count_parameters(self.root / self.yaml, self.overrides)

    def gave(self, run):
        """Whether this command, on whatever machine and seed, made a run on a whole test set.

        Parameters
        ----------
        run : dict of str to str
            A row of :func:`results.tools.runs.read_runs`.
        """
        utterances, annotated = run["utterances"], run["annotated_utterances"]
        whole = int(utterances or 0) >= self.utterances and annotated in ("", utterances)
        if run["yaml"] != self.yaml or not whole:
            return False
        defaults = settings_of(self.root / self.yaml)
        given = json.loads(run["overrides"])
        return _essential(given, defaults) == _essential(self.parsed(), defaults)


@dataclass
class Row:
    """A published model: rows of the file that give its figures, one or several.

    Attributes
    ----------
    number : int
        Of its first row in the file, from 1 on.
    cells : dict of str to str
        That first row.
    figures : list of Figure
    commands : list of Command
        The row's own first; empty when no model of this repository is that one.
    """

    number: int
    cells: dict
    figures: list = field(default_factory=list)
    commands: list = field(default_factory=list)


def read_commands(file, root):
    """Read the commands that reproduce published rows.

    Parameters
    ----------
    file : str or Path
        CSV with the columns ``id, variant, yaml, overrides, utterances, note``.
    root : str or Path
        Top of the repository, for the YAML files.

    Returns
    -------
    list of Command

    Raises
    ------
    FileNotFoundError
        When a YAML file is not there.
    """
    with open(file, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if not (Path(root) / row["yaml"]).is_file():
            raise FileNotFoundError(f"{file}, row {row['id']}: there is no file {row['yaml']}")
    return [
        Command(**{**row, "utterances": int(row["utterances"]), "root": Path(root)}) for row in rows
    ]


def read_published(file, commands=()):
    """Read the published figures, model by model.

    Parameters
    ----------
    file : str or Path
        CSV; a row gives either error rates of LibriSpeech or one `metric` of one `model`.
    commands : sequence of Command

    Returns
    -------
    dict of str to list of Row
        By the name of the table, both in the order of the file.

    Raises
    ------
    ValueError
        For an id that the file has twice, a metric that is not in `METRICS`, or a command for an
        id that the file lacks.
    """
    with open(file, encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    names = [line["id"] for line in lines]
    _check(file, "id given twice", {name for name in names if names.count(name) > 1})
    _check(file, "no row for the command of", {command.id for command in commands} - {*names})
    _check(file, "unknown metric", {line["metric"] for line in lines} - {*METRICS, ""})
    rows, last = {}, None
    for number, line in enumerate(lines, 1):
        model = [line[key] for key in ("table", "source", "task", "model")]
        if not line["metric"] or model != last:
            row = Row(number, line)
            rows.setdefault(line["table"], []).append(row)
        row.figures += _figures(line)
        row.commands += [command for command in commands if command.id == line["id"]]
        last = model
    return rows


@cache
def _parse(file, overrides):
    """Read overrides, as they are typed, by key."""
    return parse_command_line([str(file), *shlex.split(overrides)])[2]


@cache
def settings_of(file, overrides=""):
    """Read a YAML file, once for all who ask.

    Parameters
    ----------
    file : Path
    overrides : str
        As they are typed.

    Returns
    -------
    dict
        See :func:`summarymixing_sb.training.config.read_settings`; not to be changed.
    """
    return read_settings(file, {"data_folder": ".", **_parse(file, overrides)})


@cache
def _count_parameters(file, overrides):
    """Build a model and count its parameters."""
    settings = {"data_folder": ".", **_parse(file, overrides)}
    # these compute while they are built, or make folders
    settings |= {"speed_perturb": None, "compute_features": None, "checkpointer": None}
    # The meta device takes no memory. SpeechBrain's convolutional encoders compute while they are
    # built, which takes long there.
    has_layers = settings_of(file).get("num_encoder_layers", 0) > 0
    with torch.device("meta" if has_layers else "cpu"):
        model = ModelParts(load_hparams(file, settings)["modules"])
    return sum(parameter.numel() for parameter in model.parameters())


def _figures(line):
    """Give the figures in a line of the file."""
    if line["metric"]:
        test_set, score = METRICS[line["metric"]]
        return [Figure(line["metric"], line["value"], test_set, score, lm=False)]
    return [
        Figure(
            test_set,
            line[column],
            test_set,
            "wer",
            lm=line["lm"] == "yes" or (line["lm"] == "test only" and test_set.startswith("test")),
        )
        for column, test_set in ERROR_RATES.items()
    ]


def _essential(overrides, defaults):
    """Keep the overrides that change what is learned or measured."""
    return {
        key: value
        for key, value in overrides.items()
        if key not in INCIDENTAL and value != defaults.get(key)
    }


def _check(file, trouble, names):
    """Refuse a file with entries that are in trouble."""
    if names:
        raise ValueError(f"{file}: {trouble} {', '.join(sorted(names))}")
