"""What settings must agree on, before anything is built, and what of them is the model."""

from pathlib import Path

from speechbrain.utils.logger import get_logger

from summarymixing_sb.hub import HUB_NAME
from summarymixing_sb.hyperparameters import load_hparams, read_settings  # noqa: F401
from summarymixing_sb.training.command_line import parse_command_line  # noqa: F401
from summarymixing_sb.training.keys import KEYS

logger = get_logger(__name__)


def check_settings(settings, task, given=()):
    """Refuse hyperparameters that cannot work, before data are prepared.

    Those of `given` that have no effect are named in the log.

    Parameters
    ----------
    settings : dict
        From :func:`read_settings`.
    task : type
        The Brain of the task, see :mod:`summarymixing_sb.training.tasks`.
    given : iterable of str
        Keys of the command line.

    Raises
    ------
    FileNotFoundError
        When `data_folder`, `pretrained_model` or `pretrained_encoder` is no folder.
    ValueError
        For an unknown way to average checkpoints, numbers out of range, or what the task refuses.
    """
    for name in KEYS.keys() & settings.keys():
        if problem := KEYS[name].problem(name, settings[name]):
            raise ValueError(problem)
    if not Path(settings["data_folder"]).is_dir():
        raise FileNotFoundError(f"data_folder: there is no folder {settings['data_folder']}")
    for key in ("pretrained_model", "pretrained_encoder"):
        source = settings.get(key)
        if source and not Path(source).is_dir() and not HUB_NAME.fullmatch(source):
            raise FileNotFoundError(
                f"{key}: there is no folder {source}, and it is no name on the hub (owner/name)"
            )
    if settings.get("pretrained_model") and settings.get("pretrained_encoder"):
        raise ValueError(
            "pretrained_model and pretrained_encoder: give one of them; for the encoder alone, "
            "pretrained_parts can be [CNN, Transformer.custom_src_module, Transformer.encoder]"
        )
    ways = ("last", "loss", *task.error_keys)
    if settings["avg_checkpoints_by"] not in ways:
        raise ValueError(
            f"avg_checkpoints_by: choose {', '.join(ways[:-1])} or {ways[-1]}, "
            f"not {settings['avg_checkpoints_by']!r}"
        )
    if settings["avoid_if_shorter_than"] >= settings["avoid_if_longer_than"]:
        raise ValueError(
            f"avoid_if_shorter_than ({settings['avoid_if_shorter_than']} s) must be below "
            f"avoid_if_longer_than ({settings['avoid_if_longer_than']} s)"
        )
    # models that learn their features have no window
    window = settings.get("win_length", 0) * settings["sample_rate"] // 1000
    if window > settings.get("n_fft", 0):
        raise ValueError(
            f"n_fft: the window of {settings['win_length']} ms has {window} samples, more than "
            f"n_fft ({settings['n_fft']}): raise it, or lower win_length"
        )
    task.check_settings(settings)
    for name in KEYS.keys() & {*given}:
        if reason := KEYS[name].no_effect(settings):
            logger.warning(f"{name} has no effect: {reason}")


def model_identity(settings):
    """Describe the model and its features, without what may change between runs of one model.

    Parameters
    ----------
    settings : dict
        From :func:`read_settings`.

    Returns
    -------
    dict of str to str or number
        Dotted names to values, without dropout rates.
    """
    identity = {}
    _flatten("compute_features", settings["compute_features"], identity)
    for name, part in settings["modules"].items():
        _flatten(name, part, identity)
    return identity


def _flatten(name, node, into):
    """Collect the leaves of nested dicts and lists under dotted names."""
    if "drop" in name.rsplit(".", 1)[-1]:
        return
    if isinstance(node, dict):
        for key, value in node.items():
            _flatten(f"{name}.{key}", value, into)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            _flatten(f"{name}.{index}", value, into)
    else:
        into[name] = node
