"""Language models: loading, and log-probabilities of whole token sequences."""

import re
from pathlib import Path

import torch
from speechbrain.utils.parameter_transfer import Pretrainer

FILE_NAME = "lm.ckpt"
#: Folder beside a run's checkpoints that keeps a language model which came from this machine.
LM_FOLDER = "language_model"
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def load_language_model(source, make_model, device="cpu"):
    """Build a language model and load its parameters.

    Parameters
    ----------
    source : str or Path
        A folder that holds ``lm.ckpt`` (a ``state_dict`` saved by torch), or a name on the Hugging
        Face hub such as ``speechbrain/asr-transformer-transformerlm-librispeech``.
    make_model : callable
        Returns the model, untrained; in YAML ``lm_model: !name:...TransformerLM``.
    device : torch.device or str

    Returns
    -------
    torch.nn.Module
        In evaluation mode, without gradients.

    Raises
    ------
    FileNotFoundError
        If the source, or ``lm.ckpt`` in it, does not exist.
    ValueError
        If the parameters in the file are not this model's.
    """
    source = str(source)
    folder = Path(source)
    if folder.is_dir():
        if not (folder / FILE_NAME).is_file():
            raise FileNotFoundError(
                f"lm_source: the folder {folder} holds no {FILE_NAME} (the parameters of lm_model)"
            )
    elif not HUB_NAME.fullmatch(source):
        raise FileNotFoundError(
            f"lm_source: {source} is neither a folder with {FILE_NAME} nor a hub name (owner/name)"
        )
    model = make_model()
    pretrainer = Pretrainer(
        loadables={"lm": model},
        paths={"lm": f"{source}/{FILE_NAME}"},
        custom_hooks={"lm": _load_strictly},
    )
    try:
        pretrainer.collect_files()
    except Exception as error:  # the hub's client raises many unrelated kinds
        raise FileNotFoundError(
            f"lm_source: {source} is no folder here, and the hub gave no {FILE_NAME}: {error}"
        ) from error
    pretrainer.load_collected()
    return model.to(device).eval().requires_grad_(False)


def _load_strictly(model, path):
    """Load parameters, all of them.

    SpeechBrain's own hook only warns where names differ, and decoding would go on with a model that
    is partly random.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    buffers = {name for name, _ in model.named_buffers()}  # positions, which files may lack
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit lm_model (other sizes): {error}") from error
    missing = [name for name in missing if name not in buffers]
    if missing or unexpected:
        raise ValueError(
            f"{path} does not fit lm_model: {len(missing)} parameters missing {missing[:3]}, "
            f"{len(unexpected)} unknown {unexpected[:3]}"
        )


@torch.no_grad()
def sequence_log_probs(model, sequences, bos_index, eos_index, temperature=1.0):
    """Compute log p(tokens, end) of whole sequences, all in one batch.

    Parameters
    ----------
    model : torch.nn.Module
        A causal language model: tokens (N, L) to logits (N, L, V); token 0 is its padding.
    sequences : sequence of sequences of int
        N token sequences without begin and end; an empty one is allowed.
    bos_index, eos_index : int
    temperature : float
        Divides the logits.

    Returns
    -------
    torch.Tensor
        (N,), float32.
    """
    device = next(model.parameters()).device
    rows = [torch.tensor([bos_index, *tokens, eos_index]) for tokens in sequences]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)  # (N, L)
    lengths = torch.tensor([len(row) for row in rows], device=device)
    log_probs = (model(tokens[:, :-1]).float() / temperature).log_softmax(-1)  # (N, L - 1, V)
    picked = log_probs.gather(2, tokens[:, 1:, None]).squeeze(2)
    positions = torch.arange(1, tokens.shape[1], device=device)
    return picked.masked_fill(positions >= lengths[:, None], 0.0).sum(1)
