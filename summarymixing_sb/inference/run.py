"""Trained runs, loaded from their folders."""

import pickle
from dataclasses import dataclass, field
from pathlib import Path

import sentencepiece
import torch

from summarymixing_sb.data.tokenizer import (
    check_tokenizer,
    fetch_tokenizer,
    load_tokenizer,
    trained_tokenizer,
)
from summarymixing_sb.decoding.language_model import FILE_NAME, LM_FOLDER
from summarymixing_sb.hub import (
    EXPORT_FILE,
    MODEL_FILE,
    NORMALIZER_FILE,
    TOKENIZER_FILE,
    find_folder,
)
from summarymixing_sb.hyperparameters import load_hparams, read_settings
from summarymixing_sb.inference.trust import refuse_code
from summarymixing_sb.lengths import subsampling_factor
from summarymixing_sb.models.checkpointer import Checkpointer
from summarymixing_sb.models.checkpoints import load_average
from summarymixing_sb.models.front_end import FrontEnd
from summarymixing_sb.models.parts import ModelParts

# Parts of training alone, which would make files or seed torch when they are built
NOT_BUILT = ("__set_seed", "checkpointer", "train_logger", "tensorboard")
REQUIRED = (
    *("task", "output_folder", "save_folder", "modules", "sample_rate", "hop_length"),
    *("avg_checkpoints", "avg_checkpoints_by", "compute_features", "attention_type"),
)
REQUIRED_OF_EXPORTS = ("task", "parts", "sample_rate", "hop_length", "compute_features")


@dataclass
class TrainedRun:
    """A trained model with its tokenizer and hyperparameters.

    Parameters
    ----------
    folder : Path
        The run's ``output_folder``, or that of an exported model.
    hparams : dict
        Its hyperparameters, built.
    modules : dict of str to torch.nn.Module
        ``normalize``, ``CNN``, ``Transformer``, ``ctc_lin`` and what else was trained, averaged
        over checkpoints as tests do; in evaluation mode, without gradients.
    front_end : FrontEnd
        From waveforms to the encoder's frames.
    tokenizer : sentencepiece.SentencePieceProcessor or None
        None where labels are written, not text.
    sample_rate : int
        Hz, of the waveforms that the model takes.
    frame_seconds : float
        Time from one frame of the encoder to the next.
    device : torch.device
    settings : dict
        Its hyperparameters, not built.
    """

    folder: Path
    hparams: dict
    modules: dict
    front_end: FrontEnd
    tokenizer: sentencepiece.SentencePieceProcessor
    sample_rate: int
    frame_seconds: float
    device: torch.device
    settings: dict = field(default_factory=dict)


def load_run(folder, device="cpu", trust=False, text=True):
    """Load a trained run or an exported model from its folder, which may have been moved.

    Parameters
    ----------
    folder : str or Path
        The ``output_folder`` of the training, the folder that ``summarymixing-export`` made, or the
        name of such a folder on the Hugging Face hub, owner/name.
    device : str or torch.device
        Where the model goes.
    trust : bool
        Build whatever its ``hyperparams.yaml`` names, which may run any code; else only what
        :mod:`summarymixing_sb.inference.trust` lists.
    text : bool
        Whether the model must write text.

    Returns
    -------
    TrainedRun

    Raises
    ------
    FileNotFoundError
        If the folder, its ``hyperparams.yaml``, its tokenizer or its checkpoints are not there.
    ValueError
        If the run writes no text, its parts do not fit each other or are damaged, or it would build
        what it is not trusted to.
    """
    folder = find_folder(folder)
    file = folder / "hyperparams.yaml"
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} is no run: it has no hyperparams.yaml; name the output_folder of a training"
        )
    exported = (folder / EXPORT_FILE).is_file()
    try:
        if not trust:
            refuse_code(file)
        settings = read_settings(file, {})
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    missing = [
        key for key in (REQUIRED_OF_EXPORTS if exported else REQUIRED) if key not in settings
    ]
    if missing:
        raise ValueError(f"{file} is not of this package's training: no key {', '.join(missing)}")
    overrides = _of_export(folder) if exported else _moved(settings, folder)
    if not trust:
        refuse_code(file, overrides)
    settings = read_settings(file, overrides)
    parts = "parts" if exported else "modules"
    writes_labels = "label_lin" in settings[parts]
    if text:
        _require_text(settings, settings[parts], folder)
    tokenizer = None
    if not writes_labels:
        tokenizer = _load_tokenizer(folder / TOKENIZER_FILE if exported else None, settings)
    try:
        hparams = load_hparams(file, overrides)
    except Exception as error:  # whatever the constructors of an edited file raise
        raise ValueError(f"{file} cannot be built: {type(error).__name__}: {error}") from error
    # one by one, since the normaliser has a `to` of its own
    modules = {name: module.to(device) for name, module in hparams[parts].items()}
    (_load_exported if exported else _load_average)(folder, hparams, modules)
    modules = {name: module.eval().requires_grad_(False) for name, module in modules.items()}
    rate, hop_ms = settings["sample_rate"], settings["hop_length"]
    front_end = FrontEnd(
        hparams["compute_features"], modules["normalize"], modules["CNN"], rate * hop_ms // 1000
    )
    return TrainedRun(
        folder=folder,
        hparams=hparams,
        modules=modules,
        front_end=front_end.eval(),
        tokenizer=tokenizer,
        sample_rate=rate,
        frame_seconds=hop_ms / 1000 * subsampling_factor(modules["CNN"]),
        device=torch.device(device),
        settings=settings,
    )


def _of_export(folder):
    """Make the overrides of an exported model: its language model lies beside it."""
    return {"lm_source": str(folder)} if (folder / FILE_NAME).is_file() else {}


def _moved(settings, folder):
    """Make the overrides that put all that lay in the run's folder where that folder is now."""
    overrides = dict.fromkeys(key for key in NOT_BUILT if key in settings)
    before = Path(settings["output_folder"])
    for key, value in settings.items():
        if isinstance(value, str) and key not in overrides and Path(value).is_relative_to(before):
            overrides[key] = str(folder / Path(value).relative_to(before))
    kept = Path(overrides.get("save_folder", settings["save_folder"])) / LM_FOLDER
    if settings.get("lm_source") is not None and kept.is_dir():
        overrides["lm_source"] = str(kept)
    return overrides


def _require_text(settings, parts, folder):
    """Refuse a run that writes no text from CTC."""
    if "label_lin" in parts:
        raise ValueError(
            f"{folder} was trained for the task {settings['task']}, which writes labels; to "
            "transcribe, name a run of a task that writes text"
        )
    if "ctc_lin" not in parts:
        raise ValueError(
            f"{folder} has no CTC output (no module ctc_lin), by which recordings are transcribed"
        )


def _load_tokenizer(exported, settings):
    """Give the tokenizer of an exported model, that was given to the run, or that it trained."""
    file = exported
    if exported is None and settings["tokenizer_file"] is not None:
        file = fetch_tokenizer(settings["tokenizer_file"], settings["tokenizer_folder"], kept=True)
    elif exported is None:
        own = (settings[key] for key in ("tokenizer_folder", "token_type", "output_neurons"))
        file = trained_tokenizer(*own)
    if not Path(file).is_file():
        raise FileNotFoundError(f"there is no tokenizer {file}; was it moved out of the run?")
    tokenizer = load_tokenizer(file)
    check_tokenizer(tokenizer, file, settings)
    return tokenizer


def _load_average(folder, hparams, modules):
    """Load the parameters that the run's tests have."""
    save_folder = Path(hparams["save_folder"])
    if not save_folder.is_dir():
        raise FileNotFoundError(f"no checkpoint: there is no folder {save_folder}; train first")
    load_average(
        Checkpointer(save_folder),
        ModelParts(modules),
        modules["normalize"],
        hparams["avg_checkpoints"],
        hparams["avg_checkpoints_by"],
    )


def _load_exported(folder, hparams, modules):
    """Load the parameters of an exported model."""
    for name in (MODEL_FILE, NORMALIZER_FILE):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}, which an exported model has")
    try:
        state = torch.load(folder / MODEL_FILE, "cpu", weights_only=True)
        ModelParts(modules).load_state_dict(state)
        modules["normalize"]._load(folder / NORMALIZER_FILE, end_of_epoch=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, KeyError) as error:
        problem = " ".join(str(error).split())[:500]
        raise ValueError(f"{folder}: {MODEL_FILE} does not fit the model: {problem}") from error
