"""Export of a trained run: ``summarymixing-export RUN FOLDER``.

SpeechBrain's interfaces load the folder as it is, without this package's recipes; so does
``summarymixing-transcribe``. ``--push owner/name`` uploads it to the Hugging Face hub.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

import huggingface_hub
import torch

from summarymixing_sb.data.targets import Labels
from summarymixing_sb.decoding.language_model import (
    FILE_NAME,
    SHAPE_FILE,
    load_language_model,
)
from summarymixing_sb.evaluation import environment_record
from summarymixing_sb.export.hyperparams import inference_yaml
from summarymixing_sb.export.model_card import model_card, read_results
from summarymixing_sb.export.onnx import export_onnx
from summarymixing_sb.export.onnx_stream import export_onnx_stream
from summarymixing_sb.hub import (
    EXPORT_FILE,
    HUB_NAME,
    MODEL_FILE,
    NORMALIZER_FILE,
    TOKENIZER_FILE,
)
from summarymixing_sb.inference.onnx import INT8_FILE, ONNX_FILE
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.models.checkpointer import Checkpointer
from summarymixing_sb.models.checkpoints import end_of_epoch
from summarymixing_sb.models.parts import ModelParts

CUSTOM_INTERFACE = '''\
"""What SpeechBrain's foreign_class imports."""

from summarymixing_sb.export.interface import UtteranceClassifier  # noqa: F401
'''


def main(argv=None):
    """Export what the command line names.

    Parameters
    ----------
    argv : list of str, optional
        Arguments; those of the process if None.

    Returns
    -------
    int
        The exit status.
    """
    parser = argparse.ArgumentParser(
        prog="summarymixing-export",
        description="Make a folder of a trained run that SpeechBrain's interfaces load.",
    )
    parser.add_argument("run", metavar="RUN", help="folder of a training, its output_folder")
    parser.add_argument("folder", metavar="FOLDER", help="new folder")
    parser.add_argument("--name", help="of the model in its card (name of FOLDER, or of --push)")
    parser.add_argument("--licence", default="other", help="as the hub names it (%(default)s)")
    parser.add_argument("--onnx", action="store_true", help=f"also write {ONNX_FILE}")
    parser.add_argument("--int8", action="store_true", help=f"also write it and {INT8_FILE}")
    parser.add_argument(
        "--onnx_chunk",
        type=int,
        metavar="CHUNK_MS",
        help="also write the graphs of streams, in chunks of so many milliseconds",
    )
    parser.add_argument(
        "--left_context", type=int, metavar="CHUNKS", help="that a chunk sees; all, if not given"
    )
    parser.add_argument("--push", metavar="OWNER/NAME", help="also upload it to the hub")
    parser.add_argument("--private", action="store_true", help="upload where nobody else sees it")
    parser.add_argument(
        "--trust",
        action="store_true",
        help="build whatever the run's hyperparams.yaml names, which may run any code",
    )
    options = parser.parse_args(argv)
    try:
        if options.push and not HUB_NAME.fullmatch(options.push):
            raise ValueError(f"--push: give owner/name, not {options.push!r}")
        if options.left_context is not None and options.onnx_chunk is None:
            raise ValueError("--left_context is for --onnx_chunk")
        name = options.name or options.push or Path(options.folder).resolve().name
        export(
            options.run,
            options.folder,
            name,
            options.licence,
            options.trust,
            onnx=options.onnx or options.int8,
            int8=options.int8,
            chunks=options.onnx_chunk and (options.onnx_chunk, options.left_context),
        )
        print(f"{options.folder}: {', '.join(sorted(os.listdir(options.folder)))}")
        if options.push:
            print(push(options.folder, options.push, options.private))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def export(
    run_folder, folder, name, licence="other", trust=False, onnx=False, int8=False, chunks=None
):
    """Make the folder of a model, whole or not at all.

    Parameters
    ----------
    run_folder : str or Path
        The ``output_folder`` of a training.
    folder : str or Path
        It must not exist, or be empty.
    name : str
        Of the model, in its card.
    licence : str
        In its card, as the hub names licences.
    trust : bool
        See :func:`summarymixing_sb.inference.run.load_run`.
    onnx, int8 : bool
        Also write graphs for onnxruntime, see :mod:`summarymixing_sb.export.onnx`.
    chunks : tuple of int and int or None, optional
        Milliseconds and left context of the graphs of streams, which are written too, see
        :mod:`summarymixing_sb.export.onnx_stream`.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such run, or it cannot be loaded.
    FileExistsError
        If the folder holds anything.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is there already: name a new folder, or remove it")
    run = load_run(run_folder, trust=trust, text=False)
    if (run.folder / EXPORT_FILE).is_file():
        raise ValueError(f"{run.folder} is an exported model already: name the run it came from")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        made = Path(temporary) / folder.name
        made.mkdir()
        _write(run, made, name, licence, onnx)
        if onnx:
            export_onnx(run, made, int8)
        if chunks:
            export_onnx_stream(run, made, *chunks, int8)
        if folder.exists():
            folder.rmdir()
        os.replace(made, folder)


def _write(run, folder, name, licence, onnx):
    """Write all files of an exported model."""
    settings = run.settings
    torch.save(ModelParts(run.modules).state_dict(), folder / MODEL_FILE)
    run.modules["normalize"]._save(folder / NORMALIZER_FILE)
    labels = lm_model = None
    if run.tokenizer is None:
        labels = Labels.given(settings, {}, "label").names()
        (folder / "custom_interface.py").write_text(CUSTOM_INTERFACE, encoding="utf-8")
    else:
        (folder / TOKENIZER_FILE).write_bytes(run.tokenizer.serialized_model_proto())
    if settings.get("lm_source") is not None:
        lm = load_language_model(settings["lm_source"], run.hparams["lm_model"])
        torch.save(lm.state_dict(), folder / FILE_NAME)
        lm_model = _lm_model(settings)
    yaml = inference_yaml(run, labels, lm_model)
    (folder / "hyperparams.yaml").write_text(yaml, encoding="utf-8")
    record = environment_record()
    checkpoints = _averaged(settings)
    config = {
        **{"name": name, "task": settings["task"], "versions": record["versions"]},
        **{"commit": record["commit"], "date": record["date"], "epochs": checkpoints},
    }
    (folder / EXPORT_FILE).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    results = read_results(settings["results_folder"])
    card = model_card(run, results, name, licence, checkpoints, onnx)
    (folder / "README.md").write_text(card, encoding="utf-8")


def _lm_model(settings):
    """Say what builds the language model, as the settings of a YAML file have it."""
    shape = Path(settings["lm_source"]) / SHAPE_FILE
    if not shape.is_file():
        return settings["lm_model"]
    return {
        "!": "!name:speechbrain.lobes.models.transformer.TransformerLM.TransformerLM",
        **json.loads(shape.read_text(encoding="utf-8")),
        "num_decoder_layers": 0,
        "dropout": 0.0,
        "activation": {"!": "!name:torch.nn.GELU"},
    }


def _averaged(settings):
    """Epochs whose checkpoints were averaged."""
    by = settings["avg_checkpoints_by"]
    found = Checkpointer(settings["save_folder"]).find_checkpoints(
        min_key=None if by == "last" else by,
        ckpt_predicate=end_of_epoch,
        max_num_checkpoints=settings["avg_checkpoints"],
    )
    return sorted(checkpoint.meta["epoch"] for checkpoint in found)


def push(folder, name, private=False):
    """Upload a folder to the Hugging Face hub.

    Parameters
    ----------
    folder : str or Path
    name : str
        owner/name.
    private : bool

    Returns
    -------
    str
        Its address.

    Raises
    ------
    OSError
        If the hub does not take it; the folder stays.
    """
    hub = huggingface_hub.HfApi()
    try:
        address = hub.create_repo(name, private=private, exist_ok=True)
        hub.upload_folder(folder_path=str(folder), repo_id=name)
    except Exception as error:  # the hub's client raises many unrelated kinds
        raise OSError(
            f"{folder} is written, but the hub did not take it as {name}: {error}; is `hf auth "
            "login` done?"
        ) from error
    return str(address)


if __name__ == "__main__":
    sys.exit(main())
