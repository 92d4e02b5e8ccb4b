"""The models of published rows as the YAML files build them, and where each value comes from."""

import csv
import json
from pathlib import Path

from results.tools.markdown import markdown_table
from results.tools.published import settings_of

HEAD = """# Models and hyperparameters of the published rows

Made by `python -m results.tools.page` from the YAML files, [commands.csv](commands.csv) and
[hyperparameters.csv](hyperparameters.csv). The last was written by hand: what is known of the
published trainings, from the papers and from what the authors' code does (none of it is here).

## Models

A line for each published row and its variants, by the numbers of the [results page](README.md).
What it says of SummaryMixing is as the authors' code does, where the papers do not say it."""
VALUES = """## Values by their source

A value stands in the column of its source: **published**, in papers; **the authors' code**;
**counted** from published figures; or **our choice**, where nothing is known. This page cannot be
made where a YAML file has another value than its source."""
SOURCES = ("published", "the authors' code", "counted")
OURS = "our choice"
#: Keys in which YAML files of published rows may differ, in the order of their tables.
KEYS = (
    *("seed", "number_of_epochs", "total_steps", "lr", "lr_decay", "n_warmup_steps"),
    *("weight_decay", "max_batch_length_train", "grad_accumulation_factor", "max_grad_norm"),
    *("precision", "ctc_weight", "ctc_epochs", "transducer_scale", "label_smoothing"),
    *("avg_checkpoints", "avg_checkpoints_by", "avoid_if_longer_than", "sample_rate", "n_fft"),
    *("win_length", "n_mels", "speed_changes", "time_drops", "freq_drops", "chunkwise_prob"),
    *("chunk_size_min", "chunk_size_max", "limited_left_context_prob", "left_context_chunks_min"),
    *("left_context_chunks_max", "encoder_module", "num_encoder_layers", "num_decoder_layers"),
    *("d_model", "d_ffn", "csgu_linear_units", "kernel_size", "predictor_size", "joint_size"),
    *("nhead", "decoder_nhead", "dropout", "layerdrop_prob", "encoder_positions"),
    *("decoder_positions", "mixer_preset", "mixer_form", "mixer_activation"),
    *("mixer_initialisation", "local_hidden", "local_out", "summary_hidden", "summary_out"),
    *("summary_dropout", "summary_pooling", "token_type", "output_neurons", "valid_beam_size"),
    *("test_beam_size", "ctc_weight_decode", "lm_weight", "lm_temperature"),
)


def hyperparameters_page(tables, root):
    """Write the page of models and of values by their source.

    Parameters
    ----------
    tables : dict of str to list of results.tools.published.Row
        See :func:`results.tools.published.read_published`.
    root : str or Path
        Top of the repository.

    Returns
    -------
    str
    """
    models = []
    for row in (row for rows in tables.values() for row in rows):
        for command in row.commands:
            number = ", ".join(filter(None, (str(row.number), command.variant)))
            published = "" if command.variant else row.cells["parameters_m"]
            line = model_line(command)
            models.append({"row": number, **line, "M, published": published})
    values = training_tables(Path(root) / "results" / "hyperparameters.csv", root)
    sections = [f"### {name}\n\n{markdown_table(rows)}" for name, rows in values.items()]
    return "\n\n".join([HEAD, markdown_table(models), VALUES, *sections]) + "\n"


def model_line(command):
    """Describe the model of a published row, in the columns of one table.

    Parameters
    ----------
    command : results.tools.published.Command

    Returns
    -------
    dict of str to str
    """
    settings = settings_of(command.root / command.yaml, command.overrides)
    ours = settings["attention_type"] == "SummaryMixing"
    mixer = {
        "form": settings["mixer_form"] if ours else "",
        "variant": settings["mixer_preset"] if ours else "",
        "activation": settings["mixer_activation"] if ours else "",
        "initialisation": settings["mixer_initialisation"] if ours else "",
    }
    decoder = bool(settings["num_decoder_layers"])
    encoder = settings["encoder_module"] if settings.get("num_encoder_layers") else "ContextNet"
    return {
        "encoder": encoder,
        "mixer": settings["attention_type"],
        **mixer,
        "heads": str(settings["nhead"]) if settings["attention_type"] != "none" else "",
        "decoder's heads": str(settings.get("decoder_nhead", settings["nhead"])) if decoder else "",
        "encoder's positions": _positions(settings),
        "decoder's positions": "sinusoids" if decoder and settings.get("decoder_positions") else "",
        "M, counted": f"{command.count_parameters() / 1e6:.1f}",
    }


def training_tables(file, root):
    """Make a table a model: every value of its YAML file in the column of its source.

    Parameters
    ----------
    file : str or Path
        CSV with the columns ``yaml, overrides, key, value, source``; what it does not have is our
        choice.
    root : str or Path
        Top of the repository, for the YAML files.

    Returns
    -------
    dict of str to list of dict of str to str
        Rows by the YAML file and its overrides.

    Raises
    ------
    ValueError
        If a YAML file has another value than its source, or a source or a key is unknown.
    """
    with open(file, encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    facts = {}
    for line in lines:
        if line["source"] not in SOURCES or line["key"] not in KEYS:
            raise ValueError(f"{file}: unknown source or key in {line}")
        model = facts.setdefault((line["yaml"], line["overrides"]), {})
        model[line["key"]] = line["value"], line["source"]
    tables = {}
    for (yaml, overrides), known in facts.items():
        settings = settings_of(Path(root) / yaml, overrides)
        rows = []
        for key in KEYS:
            if key not in settings:
                continue
            value, source = _text(settings[key]), OURS
            if key in known:
                stated, source = known[key]
                if stated != value:
                    raise ValueError(f"{yaml} {overrides}: {key} is {value}; {source}: {stated}")
            columns = dict.fromkeys((*SOURCES, OURS), "")
            rows.append({"key": f"`{key}`", **columns, source: value})
        tables[f"`{' '.join(filter(None, (yaml, overrides)))}`"] = rows
    return tables


def _positions(settings):
    """Say what tells the encoder where a frame is."""
    mixer = settings["attention_type"]
    if mixer in ("RelPosMHAXL", "RoPEMHA"):
        return {"RelPosMHAXL": "relative", "RoPEMHA": "rotary"}[mixer]
    if mixer == "none" or not settings.get("encoder_positions"):
        return "none"
    return "sinusoids"


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)
