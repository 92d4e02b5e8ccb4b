"""The page of what to run on a GPU: hours and memory of each command, predicted by counting.

``python -m results.tools.gpu`` writes ``results/gpu.md``.
"""

import argparse
from pathlib import Path
from string import Template

import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from results.tools.markdown import markdown_table
from results.tools.published import read_commands, read_published
from summarymixing_sb.files import atomic_open
from summarymixing_sb.training.config import load_hparams

#: Hours of training data, by data set or by its splits.
HOURS = {
    "LibriSpeech": {"train-clean-100": 100.6, "train-clean-360": 363.6, "train-other-500": 496.7},
    "AISHELL-1": {"train": 150.0},
    "TED-LIUM": {"train": 207.0},
    "SpeechCommands": {"train": 23.6},
}
TFLOPS = 100  # per second
SECONDS = 10
TOKENS = 30  # of an utterance of `SECONDS`
BYTES = 16  # of a parameter: its weight, gradient and two moments


def count(command):
    """Count what a training step of one utterance takes.

    Parameters
    ----------
    command : results.tools.published.Command
        Of a recogniser or a classifier.

    Returns
    -------
    dict
        ``operations`` of the forward pass and ``kept``, bytes for the backward pass, both a second
        of speech; ``parameters``; and the settings ``hours`` (of an epoch), ``epochs`` and
        ``batch`` (seconds).
    """
    # these compute while they are built, or make folders
    off = dict.fromkeys(("speed_perturb", "compute_features", "checkpointer"))
    with torch.device("meta"):
        hparams = load_hparams(
            command.root / command.yaml, {"data_folder": ".", **off, **command.parsed()}
        )
        features = torch.zeros(1, 100 * SECONDS, hparams["n_mels"])
        tokens = torch.zeros(1, TOKENS, dtype=torch.long)
    modules, kept = hparams["modules"], {}

    def keep(tensor):
        # one storage may be kept several times
        kept[tensor.untyped_storage()._cdata] = tensor.untyped_storage().nbytes()
        return tensor

    parameters = [p for module in modules.values() for p in module.parameters()]
    own = {p.untyped_storage()._cdata for p in parameters}
    with FlopCounterMode(display=False) as counter, saved_tensors_hooks(keep, lambda x: x):
        decoded = tokens if "seq_lin" in modules else None
        outputs = modules["Transformer"](modules["CNN"](features), decoded)
        heads = [("ctc_lin", outputs[0]), ("label_lin", outputs[0]), ("seq_lin", outputs[-1])]
        scores = [modules[name](x).log_softmax(-1) for name, x in heads if name in modules]
    del scores
    hours = HOURS[command.dataset]
    return {
        "operations": counter.get_total_flops() / SECONDS,
        "kept": sum(size for key, size in kept.items() if key not in own) / SECONDS,
        "parameters": sum(p.numel() for p in parameters),
        "hours": sum(hours[split] for split in hparams["train_splits"]),
        "epochs": hparams["number_of_epochs"],
        "batch": hparams["max_batch_length_train"],
    }


def predict(counts):
    """Predict hours, and GiB in fp32 and bf16, of a training.

    Parameters
    ----------
    counts : dict
        From :func:`count`.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> counts = {"operations": 1e11, "kept": 1e8, "parameters": 1e8, "hours": 1000, "epochs": 100}
    >>> [round(value, 1) for value in predict({**counts, "batch": 500})]
    [300.0, 48.1, 24.8]
    """
    hours = 3 * counts["operations"] * counts["hours"] * counts["epochs"] / (TFLOPS * 1e12)
    state, kept = BYTES * counts["parameters"], counts["kept"] * counts["batch"]
    return hours, (state + kept) / 2**30, (state + kept / 2) / 2**30


def make_page(root):
    """Write the page.

    Parameters
    ----------
    root : str or Path
        Top of the repository.

    Returns
    -------
    str
        Markdown.
    """
    folder = Path(root) / "results"
    tables = read_published(folder / "published.csv", read_commands(folder / "commands.csv", root))
    lines = []
    for name, rows in tables.items():
        for row in rows:
            for command in row.commands:
                if command.dataset in HOURS and "contextnet" not in command.yaml:
                    lines.append(_line(name, row, command))
    lines = [line for _, line in sorted(lines, key=lambda pair: pair[0])]
    template = Template((folder / "gpu.template.md").read_text(encoding="utf-8"))
    return template.substitute(table=markdown_table(lines), tflops=TFLOPS)


def _line(name, row, command):
    counts = count(command)
    hours, full, half = predict(counts)
    typed = " ".join([command.yaml.removeprefix("hparams/"), command.overrides]).strip()
    return hours, {
        "table": name,
        "row": f"{row.number}, {command.variant}" if command.variant else str(row.number),
        "YAML file and overrides": f"`{typed}`",
        "M": f"{counts['parameters'] / 1e6:.1f}",
        "TFLOP a second": f"{counts['operations'] / 1e12:.4f}",
        "epochs": str(counts["epochs"]),
        "hours": f"{hours:.1f}",
        "GiB, fp32": f"{full:.0f}",
        "GiB, bf16": f"{half:.0f}",
        "published GPU h": row.cells["gpu_hours"],
        "published GB": row.cells["vram_gb"],
    }


def main(argv=None):
    """Command line: ``python -m results.tools.gpu``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--root", default=".", help="top of the repository (default: here)")
    root = Path(parser.parse_args(argv).root)
    text = make_page(root)
    with atomic_open(root / "results" / "gpu.md") as file:
        file.write(text)
    print(f"wrote {root / 'results' / 'gpu.md'}")


if __name__ == "__main__":
    main()
