"""Trained runs, loaded from their folders."""

from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import torch

from summarymixing_sb.data.tokenizer import check_tokenizer, fetch_tokenizer, load_tokenizer
from summarymixing_sb.decoding.language_model import LM_FOLDER
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


@dataclass
class TrainedRun:
    """A trained model with its tokenizer and hyperparameters.

    Parameters
    ----------
    folder : Path
        The run's ``output_folder``.
    hparams : dict
        Its hyperparameters, built.
    modules : dict of str to torch.nn.Module
        ``normalize``, ``CNN``, ``Transformer``, ``ctc_lin`` and what else was trained, averaged
        over checkpoints as tests do; in evaluation mode, without gradients.
    front_end : FrontEnd
        From waveforms to the encoder's frames.
    tokenizer : sentencepiece.SentencePieceProcessor
    sample_rate : int
        Hz, of the waveforms that the model takes.
    frame_seconds : float
        Time from one frame of the encoder to the next.
    device : torch.device
    """

    folder: Path
    hparams: dict
    modules: dict
    front_end: FrontEnd
    tokenizer: sentencepiece.SentencePieceProcessor
    sample_rate: int
    frame_seconds: float
    device: torch.device


def load_run(folder, device="cpu", trust=False):
    """Load a trained run from its folder, which may have been moved.

    Parameters
    ----------
    folder : str or Path
        The ``output_folder`` of the training.
    device : str or torch.device
        Where the model goes.
    trust : bool
        Build whatever the run's ``hyperparams.yaml`` names, which may run any code; else only what
        :mod:`summarymixing_sb.inference.trust` lists.

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
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; name the output_folder of a run")
    file = folder / "hyperparams.yaml"
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} is no run: it has no hyperparams.yaml; name the output_folder of a training"
        )
    try:
        if not trust:
            refuse_code(file)
        settings = read_settings(file, {})
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    missing = [key for key in REQUIRED if key not in settings]
    if missing:
        raise ValueError(f"{file} is not of this package's training: no key {', '.join(missing)}")
    overrides = _moved(settings, folder)
    if not trust:
        refuse_code(file, overrides)
    settings = read_settings(file, overrides)
    _require_text(settings, folder)
    tokenizer = _load_tokenizer(settings)
    try:
        hparams = load_hparams(file, overrides)
    except Exception as error:  # whatever the constructors of an edited file raise
        raise ValueError(f"{file} cannot be built: {type(error).__name__}: {error}") from error
    modules = _load_modules(hparams, device)
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
    )


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


def _require_text(settings, folder):
    """Refuse a run that writes no text from CTC."""
    if "label_lin" in settings["modules"]:
        raise ValueError(
            f"{folder} was trained for the task {settings['task']}, which writes labels; to "
            "transcribe, name a run of a task that writes text"
        )
    if "ctc_lin" not in settings["modules"]:
        raise ValueError(
            f"{folder} has no CTC output (no module ctc_lin), by which recordings are transcribed"
        )


def _load_tokenizer(settings):
    """Give the tokenizer that was given to the run, or that it trained."""
    given, folder = settings["tokenizer_file"], settings["tokenizer_folder"]
    if given is not None:
        file = fetch_tokenizer(given, folder, kept=True)
    else:
        file = Path(folder) / f"{settings['output_neurons']}_{settings['token_type']}.model"
        if not file.is_file():
            raise FileNotFoundError(f"there is no tokenizer {file}; was it moved out of the run?")
    tokenizer = load_tokenizer(file)
    check_tokenizer(tokenizer, file, settings)
    return tokenizer


def _load_modules(hparams, device):
    """Give the modules with the parameters that tests have."""
    save_folder = Path(hparams["save_folder"])
    if not save_folder.is_dir():
        raise FileNotFoundError(f"no checkpoint: there is no folder {save_folder}; train first")
    # one by one, since the normaliser has a `to` of its own
    modules = {name: module.to(device) for name, module in hparams["modules"].items()}
    load_average(
        Checkpointer(save_folder),
        ModelParts(modules),
        modules["normalize"],
        hparams["avg_checkpoints"],
        hparams["avg_checkpoints_by"],
    )
    return {name: module.eval().requires_grad_(False) for name, module in modules.items()}
