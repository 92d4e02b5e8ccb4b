"""A trained run from its folder, ready to transcribe."""

from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import torch
from speechbrain.utils.checkpoints import Checkpointer

from summarymixing_sb.data.targets import Tokens
from summarymixing_sb.data.tokenizer import fetch_tokenizer, load_tokenizer
from summarymixing_sb.lengths import subsampling_factor
from summarymixing_sb.training.brain import EncoderBrain
from summarymixing_sb.training.config import load_hparams, read_settings
from summarymixing_sb.training.tasks import task_class

# What serves training alone, and would make files or seed torch when it is built
NOT_BUILT = ("__set_seed", "checkpointer", "train_logger", "tensorboard")
REQUIRED = ("task", "output_folder", "save_folder", "modules", "sample_rate", "hop_length")


@dataclass
class TrainedRun:
    """What a training left, loaded.

    Parameters
    ----------
    folder : Path
        The run's ``output_folder``.
    task : str
        What the model learned, ``asr`` for instance.
    hparams : dict
        Its hyperparameters, built.
    modules : dict of str to torch.nn.Module
        ``normalize``, ``CNN``, ``Transformer``, ``ctc_lin`` and what else was trained, averaged
        over checkpoints as tests do; in evaluation mode, without gradients.
    tokenizer : sentencepiece.SentencePieceProcessor
    sample_rate : int
        Hz, of the waveforms that the model takes.
    frame_seconds : float
        Time from one frame of the encoder to the next.
    device : torch.device
    brain : EncoderBrain
        Its tests' way from waveforms to features.
    """

    folder: Path
    task: str
    hparams: dict
    modules: dict
    tokenizer: sentencepiece.SentencePieceProcessor
    sample_rate: int
    frame_seconds: float
    device: torch.device
    brain: EncoderBrain


def load_run(folder, device="cpu"):
    """Load a trained run, wherever its folder lies now.

    Parameters
    ----------
    folder : str or Path
        The ``output_folder`` of the training.
    device : str
        Where the model goes, as torch names it.

    Returns
    -------
    TrainedRun

    Raises
    ------
    FileNotFoundError
        When the folder, its ``hyperparams.yaml``, its tokenizer or its checkpoints are not there.
    ValueError
        When the run writes no text, or its parts do not fit each other.
    """
    folder = Path(folder).resolve()
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; name the output_folder of a run")
    file = folder / "hyperparams.yaml"
    if not file.is_file():
        raise FileNotFoundError(
            f"{folder} is no run: it has no hyperparams.yaml; name the output_folder of a training"
        )
    settings = read_settings(file, {})
    missing = [key for key in REQUIRED if key not in settings]
    if missing:
        raise ValueError(f"{file} is not of this package's training: no key {', '.join(missing)}")
    overrides = _moved(settings, folder)
    settings = read_settings(file, overrides)
    task = _text_task(settings, folder)
    tokens = _tokens(settings, task)
    hparams = load_hparams(file, overrides)
    brain = _averaged_brain(task, tokens, hparams, device)
    return TrainedRun(
        folder=folder,
        task=settings["task"],
        hparams=hparams,
        modules=brain.unwrapped_modules,
        tokenizer=tokens.tokenizer,
        sample_rate=settings["sample_rate"],
        frame_seconds=settings["hop_length"] / 1000 * subsampling_factor(hparams["CNN"]),
        device=torch.device(brain.device),
        brain=brain,
    )


def _moved(settings, folder):
    """Overrides that put all that lay in the run's folder where that folder is now."""
    overrides = dict.fromkeys(key for key in NOT_BUILT if key in settings)
    before = Path(settings["output_folder"])
    for key, value in settings.items():
        if isinstance(value, str) and key not in overrides and Path(value).is_relative_to(before):
            overrides[key] = str(folder / Path(value).relative_to(before))
    return overrides


def _text_task(settings, folder):
    """The Brain of the run's task, if that writes text from CTC."""
    task = task_class(settings["task"])
    if task.outputs_as_targets:
        raise ValueError(
            f"{folder} was trained for the task {settings['task']}, which writes labels; to "
            "transcribe, name a run of a task that writes text"
        )
    if "ctc_lin" not in settings["modules"]:
        raise ValueError(
            f"{folder} has no CTC output (no module ctc_lin), by which recordings are transcribed"
        )
    return task


def _tokens(settings, task):
    """The tokenizer that was given to the run, or that it trained; none is trained here."""
    given, folder = settings["tokenizer_file"], settings["tokenizer_folder"]
    if given is not None:
        file = fetch_tokenizer(given, folder)
    else:
        file = Path(folder) / f"{settings['output_neurons']}_{settings['token_type']}.model"
        if not file.is_file():
            raise FileNotFoundError(f"there is no tokenizer {file}; was it moved out of the run?")
    tokens = Tokens(load_tokenizer(file), task.column, file)
    tokens.check(settings)
    return tokens


def _averaged_brain(task, tokens, hparams, device):
    """The Brain as it is when tests start."""
    save_folder = Path(hparams["save_folder"])
    if not save_folder.is_dir():
        raise FileNotFoundError(f"no checkpoint: there is no folder {save_folder}; train first")
    brain = task(
        tokens,
        modules=hparams["modules"],
        hparams=hparams,
        run_opts={"device": device},
        checkpointer=Checkpointer(save_folder),
    )
    brain.on_evaluate_start()
    brain.modules.eval()
    brain.modules.requires_grad_(False)
    return brain
