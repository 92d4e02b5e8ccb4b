"""The page of results: published figures, the commands that reproduce them, our runs beside."""

import argparse
import json
import textwrap
from pathlib import Path
from string import Template

from results.tools.published import (
    INCIDENTAL,
    LANGUAGE_MODEL,
    read_commands,
    read_published,
)
from results.tools.runs import SCORES, read_runs
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
COSTS = {"gpu_hours": "GPU hours", "vram_gb": "GPU memory, GB", "parameters_m": "parameters, M"}
NAMES = {
    "wer": "WER, %",
    "cer": "CER, %",
    "scenario_accuracy": "scenario accuracy, %",
    "action_accuracy": "action accuracy, %",
    "intent_accuracy": "intent accuracy, %",
    "entity_f1": "entity F1, %",
    "slu_f1": "SLU-F1, %",
}


def results_page(root):
    """Write the page of results.

    Parameters
    ----------
    root : str or Path
        Top of the repository; its folder `results` has ``published.csv``, ``commands.csv``,
        ``template.md`` and, once there are runs, ``runs.csv``.

    Returns
    -------
    str
        Markdown; the same from the same files.

    Raises
    ------
    FileNotFoundError, ValueError
        When a file is missing, or does not hold what it must.
    """
    folder = Path(root) / "results"
    commands = read_commands(folder / "commands.csv", root)
    runs = read_runs(folder / "runs.csv")
    tables = read_published(folder / "published.csv", commands)
    sections, shown = [], set()
    for name, rows in tables.items():
        text, used = _published_section(name, rows, runs)
        sections.append(text)
        shown |= used
    others = [run for index, run in enumerate(runs) if index not in shown]
    template = Template((folder / "template.md").read_text(encoding="utf-8"))
    return template.substitute(published="\n\n".join(sections), others=_other_runs(others))


def markdown_table(rows):
    """Write a table, leaving out columns in which every cell is empty.

    Parameters
    ----------
    rows : list of dict of str to str
        Cells by column; the columns stand in the order in which rows first name them.

    Returns
    -------
    str

    Examples
    --------
    >>> print(markdown_table([{"mixer": "none", "WER": "3.1", "CER": ""}]))
    | mixer | WER |
    |---|---|
    | none | 3.1 |
    """
    columns = dict.fromkeys(key for row in rows for key in row)
    kept = [key for key in columns if any(row.get(key) for row in rows)]
    lines = [kept, *([row.get(key, "") for key in kept] for row in rows)]
    head, *body = ["| " + " | ".join(cells) + " |" for cells in lines]
    return "\n".join([head, "|" + "---|" * len(kept), *body])


def main(argv=None):
    """Command line: ``python -m results.tools.page``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--root", default=".", help="top of the repository (default: here)")
    root = Path(parser.parse_args(argv).root)
    try:
        text = results_page(root)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with atomic_open(root / "results" / "README.md") as file:
        file.write(text)
    print(f"wrote {root / 'results' / 'README.md'}")


def _published_section(name, rows, runs):
    """One published table with its commands; the second value names the runs that are in it."""
    constant = {
        key: rows[0].cells[key] for key in LABELS if len({row.cells[key] for row in rows}) == 1
    }
    reproducible = any(row.commands for row in rows)
    lines, used = [], set()
    for row in rows:
        for command in row.commands or [None]:
            line, indices = _published_line(row, command, constant, runs, reproducible)
            lines.append(line)
            used |= indices
    stated = [
        f"{LABELS[key]} {value}" for key, value in constant.items() if value not in ("", name)
    ]
    caption = f"In all rows: {', '.join(stated)}." if stated else ""
    parts = [f"## {name}", caption, markdown_table(lines)]
    if reproducible:
        parts.append(_commands_block(rows))
    return "\n\n".join(part for part in parts if part), used


def _published_line(row, command, constant, runs, reproducible):
    """One line of a published table: the row by its own command, or a variant of it."""
    variant = command is not None and command.variant
    line = {"row": f"{row.number}, {variant}" if variant else str(row.number)}
    line |= {LABELS[key]: row.cells[key] for key in LABELS if key not in constant}
    used = set()
    for figure in row.figures:
        line[f"{figure.name}, theirs"] = "" if variant else figure.theirs
        if reproducible:
            indices = _runs_of(figure, command, runs)
            used |= set(indices)
            ours = "<br>".join(_linked(runs[index], figure.score) for index in indices)
            missing = "*not run*" if command and figure.theirs else ""
            line[f"{figure.name}, ours"] = ours or missing
    for key, heading in COSTS.items():
        line[f"{heading}, theirs"] = "" if variant else row.cells[key]
    count = f"{command.count_parameters() / 1e6:.1f}" if command else ""
    line["parameters, M, ours"] = count
    notes = [row.cells["note"] if not variant else "", command.note if command else ""]
    line["note"] = "; ".join(note for note in notes if note)
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
        lines = [_run_line(run) for run in runs if run["dataset"] == dataset]
        sections.append(f"### {dataset or 'Other data'}\n\n{markdown_table(lines)}")
    return "\n\n".join(sections)


def _run_line(run):
    """One line of the tables of our runs."""
    overrides = json.loads(run["overrides"])
    data = str(overrides.get("data_folder", ""))
    essential = {key: value for key, value in overrides.items() if key not in INCIDENTAL}
    typed = [f"`--{key}={_plain(value)}`" for key, value in essential.items()]
    utterances, annotated = run["utterances"], run["annotated_utterances"]
    line = {
        "test set": f"[{run['test_set']}]({run['json']})",
        # where others keep their data is nobody's concern
        "data": "" if Path(data).is_absolute() else f"`{data}`",
        "file": f"`{run['yaml']}`",
        "overrides": " ".join(typed),
        "mixer": run["mixer"],
        "parameters, M": f"{int(run['parameters']) / 1e6:.2f}",
    }
    line |= {NAMES[score]: _score(run, score) for score in SCORES}
    incomplete = annotated and annotated != utterances
    line["utterances"] = f"{utterances} of {annotated}" if incomplete else utterances
    line["training, min"] = _number(run["training_seconds"], 60, 1)
    line["decoding, real-time factor"] = _number(run["real_time_factor"], 1, 3)
    line["seed"] = run["seed"]
    line["machine"] = run["machine"]
    return line


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
