"""The results page, published figures with ours beneath, and the pages of commands and models."""

import argparse
import json
import textwrap
from pathlib import Path
from string import Template

from results.tools.hyperparameters import hyperparameters_page
from results.tools.markdown import markdown_table
from results.tools.published import (
    INCIDENTAL,
    LANGUAGE_MODEL,
    read_commands,
    read_published,
)
from results.tools.runs import read_runs
from summarymixing_sb.files import atomic_open

LABELS = {
    "source": "source",
    "toolkit": "toolkit",
    "encoder": "encoder",
    "mixer": "mixer",
    "loss": "loss",
    "lm": "language model",
    "task": "task",
    "model": "model",
}
COSTS = {"gpu_hours": "GPU h", "vram_gb": "GPU GB", "parameters_m": "M"}
COMMANDS = """# Commands of the published rows

Made by `python -m results.tools.page` from [published.csv](published.csv) and
[commands.csv](commands.csv). Each command trains the model of a row of the
[results page](README.md) and tests it; where the published table has figures with and without a
language model, a second one tests without."""
NAMES = {
    "wer": "WER, %",
    "cer": "CER, %",
    "accuracy": "accuracy, %",
    "intent_accuracy": "intent accuracy, %",
    "entity_f1": "entity F1, %",
    "slu_f1": "SLU-F1, %",
}


def make_pages(root):
    """Write the results page, the page of commands, and that of hyperparameters.

    Parameters
    ----------
    root : str or Path
        Top of the repository; its folder `results` has ``published.csv``, ``commands.csv``,
        ``hyperparameters.csv``, ``template.md`` and, once there are runs, ``runs.csv``.

    Returns
    -------
    dict of str to str
        Markdown by file name; the same from the same files.

    Raises
    ------
    FileNotFoundError, ValueError
        If a file is missing, or does not hold what it must.
    """
    folder = Path(root) / "results"
    runs = read_runs(folder / "runs.csv")
    tables = read_published(folder / "published.csv", read_commands(folder / "commands.csv", root))
    sections, shown, commands = [], set(), [COMMANDS]
    for name, rows in tables.items():
        text, used = _published_section(name, rows, runs)
        sections.append(text)
        shown |= used
        if any(row.commands for row in rows):
            commands.append(f"## {name}\n\n{_commands_block(rows)}")
    others = [run for index, run in enumerate(runs) if index not in shown]
    template = Template((folder / "template.md").read_text(encoding="utf-8"))
    return {
        "README.md": template.substitute(
            published="\n\n".join(sections), others=_other_runs(others)
        ),
        "commands.md": "\n\n".join(commands) + "\n",
        "hyperparameters.md": hyperparameters_page(tables, root),
    }


def main(argv=None):
    """Command line: ``python -m results.tools.page``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--root", default=".", help="top of the repository (default: here)")
    root = Path(parser.parse_args(argv).root)
    try:
        pages = make_pages(root)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for name, text in pages.items():
        with atomic_open(root / "results" / name) as file:
            file.write(text)
        print(f"wrote {root / 'results' / name}")


def _published_section(name, rows, runs):
    """Write one published table; the second value names the runs that are in it."""
    constant = {
        key: rows[0].cells[key] for key in LABELS if len({row.cells[key] for row in rows}) == 1
    }
    lines, notes, used = [], [], set()
    for row in rows:
        for command in row.commands or [None]:
            line, indices = _published_line(row, command, constant, runs)
            lines.append((not indices, line))
            used |= indices
            variant = command.variant if command else ""
            texts = ("" if variant else row.cells["note"], command.note if command else "")
            if any(texts):
                notes.append(f"- {line['row']}: {'; '.join(filter(None, texts))}")
    lines = [line for _, line in sorted(lines, key=lambda pair: pair[0])]  # what was run first
    stated = [
        f"{LABELS[key]} {value}" for key, value in constant.items() if value not in ("", name)
    ]
    caption = f"In all rows: {', '.join(stated)}." if stated else ""
    parts = [f"## {name}", caption, markdown_table(lines), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part), used


def _published_line(row, command, constant, runs):
    """Write one line of a published table: the row by its own command, or a variant of it."""
    variant = command is not None and command.variant
    line = {"row": f"{row.number}, {variant}" if variant else str(row.number)}
    line |= {LABELS[key]: row.cells[key] for key in LABELS if key not in constant}
    used = set()
    for figure in row.figures:
        indices = _runs_of(figure, command, runs)
        used |= set(indices)
        ours = [f"ours {_linked(runs[index], figure.score)}" for index in indices]
        line[figure.name] = "<br>".join(filter(None, ["" if variant else figure.theirs, *ours]))
    for key, heading in COSTS.items():
        line[heading] = "" if variant else row.cells[key]
    line["M, counted"] = f"{command.count_parameters() / 1e6:.1f}" if command else ""
    return line, used


def _runs_of(figure, command, runs):
    """Numbers of the runs that measured a figure by its command."""
    return [
        index
        for index, run in enumerate(runs)
        if command is not None
        and run["test_set"] == figure.test_set
        and run[figure.score]
        and bool(run["lm"]) == figure.lm
        and command.gave(run)
    ]


def _commands_block(rows):
    """Give the commands of a table, as a shell takes them."""
    datasets = {command.dataset for row in rows for command in row.commands}
    lines = [f"D=--data_folder=/data/{dataset}" for dataset in sorted(datasets)]
    if any(figure.lm for row in rows for figure in row.figures if row.commands):
        lines += [f"T=--tokenizer_file={LANGUAGE_MODEL}/tokenizer.ckpt"]
        lines += [f"L=--lm_source={LANGUAGE_MODEL}"]
    for row in rows:
        for command in row.commands:
            lines += _typed(row, command)
    return "\n".join(["```sh", *lines, "```"])


def _typed(row, command):
    """Write the commands that train a row and test it as it was published."""
    variant = f", {command.variant}" if command.variant else ""
    what = [row.cells[key] for key in ("encoder", "mixer", "task", "model") if row.cells[key]]
    folder = "-".join([f"runs/{command.id}", *command.variant.split()])
    start = ["python", f"recipes/{command.dataset}/train.py", command.yaml, "$D"]
    rest = [*command.overrides.split(), f"--output_folder={folder}"]
    lines = [f"# {row.number}{variant}: {', '.join(what)}"]
    if not any(figure.lm for figure in row.figures):
        return [*lines, _wrapped([*start, *rest])]
    lines.append(_wrapped([*start, "$T", "$L", *rest]))
    without = [figure.test_set for figure in row.figures if not figure.lm and figure.theirs]
    if without:
        sets = f'"--test_splits=[{",".join(without)}]"'
        rest += ["--test_only", sets, f"--results_folder={folder}/results_without_lm"]
        lines.append(_wrapped([*start, "$T", *rest]))
    return lines


def _wrapped(words):
    """Break a command into lines of readable length, as a shell takes it."""
    lines = textwrap.wrap(
        " ".join(words),
        width=98,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return " \\\n".join(lines)


def _other_runs(runs):
    """Tables of runs that reproduce no published row, by data set."""
    if not runs:
        return "None yet."
    datasets = dict.fromkeys(run["dataset"] for run in runs)
    sections = []
    for dataset in datasets:
        own = [run for run in runs if run["dataset"] == dataset]
        table = markdown_table([_run_line(number, run) for number, run in enumerate(own, 1)])
        details = "\n".join(f"- {number}: {_settings(run)}" for number, run in enumerate(own, 1))
        sections.append(f"### {dataset or 'Other data'}\n\n{table}\n\n{details}")
    return "\n\n".join(sections)


def _run_line(number, run):
    """Write one line of the tables of our runs."""
    utterances, annotated = run["utterances"], run["annotated_utterances"]
    incomplete = annotated and annotated != utterances
    return {
        "run": f"[{number}, {run['test_set']}]({run['json']})",
        "mixer": run["mixer"],
        "M": f"{int(run['parameters']) / 1e6:.2f}",
        **{heading: _score(run, score) for score, heading in NAMES.items()},
        "utterances": f"{utterances} of {annotated}" if incomplete else utterances,
        "training, min": _number(run["training_seconds"], 60, 1),
        "real-time factor": _number(run["real_time_factor"], 1, 3),
    }


def _settings(run):
    """Say with what a run was made."""
    overrides = json.loads(run["overrides"])
    typed = [
        f"`--{key}={_plain(value)}`" for key, value in overrides.items() if key not in INCIDENTAL
    ]
    data = str(overrides.get("data_folder", ""))
    # where others keep their data is nobody's concern
    where = [] if not data or Path(data).is_absolute() else [f"data `{data}`"]
    made = [" ".join([f"`{run['yaml']}`", *typed]), *where, f"seed {run['seed']}", run["machine"]]
    return "; ".join(filter(None, made))


def _plain(value):
    """Write a value as the command line takes it."""
    if isinstance(value, list):
        return f"[{','.join(str(item) for item in value)}]"
    return json.dumps(value) if isinstance(value, dict) else value


def _linked(run, score):
    """Give a score and its interval, the score linked to the file of the run."""
    figure, _, interval = _score(run, score).partition(" ")
    return f"[{figure}]({run['json']}) {interval}".strip()


def _score(run, score):
    """Write a score and its interval."""
    if not run[score]:
        return ""
    text = f"{float(run[score]):.2f}"
    low, high = run[f"{score}_low"], run[f"{score}_high"]
    return f"{text} [{float(low):.2f}, {float(high):.2f}]" if low and high else text


def _number(cell, unit, digits):
    """Write a number in another unit, or nothing."""
    return f"{float(cell) / unit:.{digits}f}" if cell else ""


if __name__ == "__main__":
    main()
