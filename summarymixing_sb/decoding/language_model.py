"""Language models: loading, log-probabilities of whole sequences, and one token at a time."""

import json
from functools import partial
from pathlib import Path

import torch
from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM
from speechbrain.utils.parameter_transfer import Pretrainer

from summarymixing_sb.files import atomic_open
from summarymixing_sb.hub import HUB_NAME
from summarymixing_sb.models.one_token import AttendedTokens, add_part

FILE_NAME = "lm.ckpt"
#: Beside it: the arguments of the TransformerLM, where they are not those of `lm_model`.
SHAPE_FILE = "lm.json"
#: Folder beside a run's checkpoints that keeps a language model which came from this machine.
LM_FOLDER = "language_model"


def load_language_model(source, make_model, device="cpu"):
    """Build a language model and load its parameters.

    Parameters
    ----------
    source : str or Path
        A folder that holds ``lm.ckpt`` (a ``state_dict`` saved by torch), or a name on the Hugging
        Face hub such as ``speechbrain/asr-transformer-transformerlm-librispeech``.
    make_model : callable
        Returns the model, untrained; in YAML ``lm_model: !name:...TransformerLM``. A folder that
        :func:`write_language_model` made knows its own.
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
    model = _build(folder / SHAPE_FILE) or make_model()
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


def write_language_model(folder, state, shape):
    """Write a folder that :func:`load_language_model` takes.

    Parameters
    ----------
    folder : str or Path
    state : dict of str to torch.Tensor
        Parameters of a TransformerLM without decoder, with GELU.
    shape : dict
        Its other arguments.
    """
    with atomic_open(Path(folder) / SHAPE_FILE) as stream:
        stream.write(json.dumps(shape, indent=1) + "\n")
    with atomic_open(Path(folder) / FILE_NAME, binary=True) as stream:
        torch.save(state, stream)


def _build(file):
    """Build the model that a file describes, None where there is no such file."""
    if not file.is_file():
        return None
    try:
        shape = json.loads(file.read_text(encoding="utf-8"))
        return TransformerLM(**shape, num_decoder_layers=0, activation=torch.nn.GELU, dropout=0.0)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{file} describes no language model: {error}") from error


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


class LanguageModelState:
    """What SpeechBrain's TransformerLM remembers between two tokens.

    Parameters
    ----------
    model : speechbrain.lobes.models.transformer.TransformerLM.TransformerLM
        One for which :meth:`serves` is True.

    Examples
    --------
    >>> from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM
    >>> model = TransformerLM(12, d_model=16, nhead=2, num_encoder_layers=2, d_ffn=32).eval()
    >>> state, tokens = LanguageModelState(model), torch.tensor([[1, 7, 4]])
    >>> with torch.no_grad():
    ...     steps = [state.step(token) for token in tokens.T]
    >>> torch.allclose(torch.stack(steps, dim=1), model(tokens), atol=1e-5)
    True
    """

    def __init__(self, model):
        self.model = model
        self.layers = [AttendedTokens(layer.self_att.att) for layer in model.encoder.layers]
        self.visible = None  # (rows, U), False where a token is this model's padding
        self.position = 0

    @staticmethod
    def serves(model):
        """Say whether a model's layers are those that this state knows.

        Parameters
        ----------
        model : torch.nn.Module

        Returns
        -------
        bool
        """
        return (
            hasattr(model, "output_proj")
            and getattr(model, "num_encoder_layers", 0) > 0
            and model.num_decoder_layers == 0
            and model.attention_type == "regularMHA"
            and all(layer.pos_ffn_type == "regularFFN" for layer in model.encoder.layers)
        )

    def step(self, tokens):
        """Take in one token of every row.

        Parameters
        ----------
        tokens : torch.Tensor
            (rows,).

        Returns
        -------
        torch.Tensor
            (rows, V), logits of the next token.

        Raises
        ------
        ValueError
            If the model has no position for it.
        """
        model = self.model
        sinusoids = model.positional_encoding.pe
        if self.position == sinusoids.size(1):
            raise ValueError(
                f"the language model knows {self.position} positions, and no more tokens: decode "
                "the recording in windows"
            )
        tokens = tokens.unsqueeze(1)
        x = model.custom_src_module(tokens)
        if model.embedding_proj is not None:
            x = model.embedding_proj(x)
        x = x + sinusoids[:, self.position : self.position + 1]
        visible = tokens != 0
        if self.visible is not None:
            visible = torch.cat([self.visible, visible], dim=1)
        self.visible = visible
        for layer, own in zip(model.encoder.layers, self.layers):
            mix = partial(own.take_in, visible=visible)
            x = add_part(layer, x, mix, layer.norm1, layer.dropout1)
            x = add_part(layer, x, layer.pos_ffn, layer.norm2, layer.dropout2)
        self.position += 1
        return model.output_proj(model.encoder.norm(x)).squeeze(1)

    def reorder(self, index):
        """Let row i go on from hypothesis ``index[i]``.

        Parameters
        ----------
        index : torch.Tensor
            (rows,).
        """
        self.visible = self.visible[index]
        for own in self.layers:
            own.reorder(index)


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
