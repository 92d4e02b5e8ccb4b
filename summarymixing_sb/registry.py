"""Mixers by name or by dotted path, and the contract that their classes keep."""

import difflib
import importlib
import inspect
import os
import sys
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import entry_points

from torch import nn

#: Entry points of this group, in other installed packages, are mixers by their names.
PLUGIN_GROUP = "summarymixing_sb.mixers"
POSITIONS = ("none", "absolute", "relative")
BRANCH_MERGES = ("linear", "mlp")
#: Arguments of every mixer's constructor, before its own options.
COMMON_ARGUMENTS = ("d_model", "nhead", "dropout", "d_ffn")
FORWARD_ARGUMENTS = ("x", "padding_mask", "chunks", "positions")

_MIXERS = {}


def register_mixer(name):
    """Register a class of mixer under a name, as a decorator.

    Parameters
    ----------
    name : str
        What ``attention_type`` is set to in order to get this mixer; without a dot.

    Raises
    ------
    ValueError
        If the name is taken or has a dot, or the class does not keep the contract, see
        :func:`check_mixer`.

    Examples
    --------
    >>> from summarymixing_sb import Mixer
    >>> @register_mixer("Identity")
    ... class Identity(Mixer):
    ...     def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
    ...         super().__init__()
    ...
    ...     def forward(self, x, padding_mask=None, chunks=None, positions=None):
    ...         return x
    >>> build_mixer("Identity", d_model=8)
    Identity()
    >>> del _MIXERS["Identity"]
    """

    def register(mixer):
        if name in _MIXERS:
            raise ValueError(f"A mixer named {name!r} is registered already: {_MIXERS[name]}.")
        if "." in name:
            raise ValueError(f"{name!r}: a name with a dot is the path of a class.")
        check_mixer(mixer)
        _MIXERS[name] = mixer
        return mixer

    return register


def list_mixers(pattern="*"):
    """List the names of mixers, those of plug-ins included, that match a shell-style pattern.

    Parameters
    ----------
    pattern : str
        Such as ``RoPE*``.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> list_mixers("RoPE*")
    ['RoPEMHA', 'RoPESDPA']
    """
    return sorted(name for name in {*_MIXERS, *_plugins()} if fnmatch(name, pattern))


def mixer_class(name):
    """Look up the class of a mixer.

    Parameters
    ----------
    name : str
        A name of :func:`list_mixers`, or the dotted path of a class (``package.module.Class``)
        that Python finds from its path or from the working directory.

    Returns
    -------
    type
        A subclass of :class:`summarymixing_sb.Mixer`.

    Raises
    ------
    ValueError
        If no mixer has that name (the message lists those that exist), there is no such class, or
        it does not keep the contract, see :func:`check_mixer`.

    Examples
    --------
    >>> mixer_class("summarymixing_sb.mixers.none.NoMixer") is mixer_class("none")
    True
    """
    if name in _MIXERS:
        return _MIXERS[name]
    plugins = _plugins()
    if name in plugins:
        mixer = plugins[name].load()
    elif isinstance(name, str) and "." in name:
        mixer = _import_class(name)
    else:
        raise ValueError(
            f"Unknown mixer {name!r} (attention_type){_hint(str(name), list_mixers())}. Mixers: "
            f"{', '.join(list_mixers())}; or the path of a class, my_package.my_file.MyMixer."
        )
    check_mixer(mixer)
    return mixer


def mixer_names(attention_type):
    """List the mixers that ``attention_type`` names, in the order of the layers.

    Parameters
    ----------
    attention_type : str or list of str
        A name of :func:`mixer_class`; or several, in a list or with commas between them. The first
        layer has the first of them, and so on, and all over again where there are more layers.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If a name is empty.

    Examples
    --------
    >>> mixer_names("SummaryMixing, SummaryMixing, SummaryMixing, RoPESDPA")
    ['SummaryMixing', 'SummaryMixing', 'SummaryMixing', 'RoPESDPA']
    """
    if isinstance(attention_type, str):
        attention_type = [name.strip() for name in attention_type.split(",")]
    elif not isinstance(attention_type, (list, tuple)):
        attention_type = [attention_type]
    if not attention_type or "" in attention_type:
        raise ValueError(f"attention_type: a name is missing in {attention_type}.")
    return list(attention_type)


def check_mixer(mixer):
    """Refuse a class that encoders could not use as a mixer.

    Parameters
    ----------
    mixer : type
        The class.

    Raises
    ------
    ValueError
        If it is no subclass of :class:`summarymixing_sb.Mixer`, ``position`` or ``branch_merge``
        is none of the values that exist, or the constructor or ``forward`` lacks an argument.
    """
    # by what it has: the base class itself is built upon this module
    parts = ("position", "supports_chunks", "branch_merge", "step", "reset_mixer_parameters")
    is_module = isinstance(mixer, type) and issubclass(mixer, nn.Module)
    if not is_module or not all(hasattr(mixer, part) for part in parts):
        raise ValueError(f"{mixer!r} is no mixer: it must be a subclass of summarymixing_sb.Mixer.")
    name = f"{mixer.__module__}.{mixer.__qualname__}"
    for attribute, values in (("position", POSITIONS), ("branch_merge", BRANCH_MERGES)):
        value = getattr(mixer, attribute)
        if value not in values:
            raise ValueError(
                f"Mixer {name}: {attribute}={value!r} is unknown; it is one of "
                f"{', '.join(map(repr, values))}."
            )
    for method, needed in (("__init__", COMMON_ARGUMENTS), ("forward", FORWARD_ARGUMENTS)):
        accepted = inspect.signature(getattr(mixer, method)).parameters
        if any(p.kind is p.VAR_KEYWORD for p in accepted.values()):
            continue
        missing = [argument for argument in needed if argument not in accepted]
        if missing:
            raise ValueError(
                f"Mixer {name}: {method} lacks the argument {', '.join(missing)}; it must take "
                f"{', '.join(needed)}."
            )


def mixer_options(name):
    """List the names of a mixer's own options.

    Parameters
    ----------
    name : str
        See :func:`mixer_class`.

    Returns
    -------
    list of str

    Examples
    --------
    >>> mixer_options("SummaryMixing")[:2]
    ['preset', 'form']
    """
    arguments = inspect.signature(mixer_class(name)).parameters
    return [option for option in arguments if option not in COMMON_ARGUMENTS]


def options_by_mixer(attention_type, options):
    """Put ``mixer_options`` under the names of mixers, and check all of them.

    Parameters
    ----------
    attention_type : str or list of str
        See :func:`mixer_names`.
    options : dict or None
        Options of that mixer, where there is one; or such options under the names of mixers.

    Returns
    -------
    dict of str to dict
        Options by mixer.

    Raises
    ------
    ValueError
        If a name is neither an option nor a mixer, or a mixer, active or not, has no such option.

    Examples
    --------
    >>> options_by_mixer("SummaryMixing", {"form": "lite"})
    {'SummaryMixing': {'form': 'lite'}}
    >>> options_by_mixer("RoPEMHA", {"SummaryMixing": {"form": "lite"}})
    {'SummaryMixing': {'form': 'lite'}}
    """
    options, active = options or {}, list(dict.fromkeys(mixer_names(attention_type)))
    own = [option for name in active for option in mixer_options(name)]
    if set(options) & set(own) or not all(isinstance(value, dict) for value in options.values()):
        if len(active) > 1:
            raise ValueError(
                f"mixer_options: with several mixers, give each option under the name of its own "
                f"({', '.join(active)}), not {', '.join(map(repr, options))}."
            )
        _check_options(active[0], options)
        return {active[0]: options}
    attention_type = " and ".join(active)
    for name, values in options.items():
        if name not in list_mixers() and "." not in str(name):
            raise ValueError(
                f"mixer_options: {name!r} is neither a mixer nor an option of {attention_type}"
                f"{_hint(str(name), [*list_mixers(), *own])}. Mixers: {', '.join(list_mixers())}; "
                f"options of {attention_type}: {', '.join(own) or 'none'}."
            )
        _check_options(name, values)
    return options


def build_mixer(name, d_model, nhead=1, dropout=0.0, d_ffn=None, **options):
    """Build a mixer by its name.

    Parameters
    ----------
    name : str
        A registered name or the path of a class, see :func:`mixer_class`.
    d_model : int
        Width of the frames that go in and come out.
    nhead : int
        Number of heads.
    dropout : float
        Dropout probability of the encoder around it.
    d_ffn : int, optional
        Width of the encoder's feed-forward layers, for mixers that are sized by it.
    **options
        The mixer's own options.

    Returns
    -------
    Mixer
        A module from (B, T, d_model) to (B, T, d_model).

    Raises
    ------
    ValueError
        If the name or an option is unknown, or a value does not fit.

    Examples
    --------
    >>> import torch
    >>> mixer = build_mixer("SummaryMixing", d_model=16, nhead=2)
    >>> mixer(torch.rand(3, 50, 16)).shape
    torch.Size([3, 50, 16])
    """
    _check_options(name, options)
    mixer = mixer_class(name)
    return mixer(d_model=d_model, nhead=nhead, dropout=dropout, d_ffn=d_ffn, **options)


def _check_options(name, options):
    known = mixer_options(name)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"Mixer {name} has no option {', '.join(map(repr, unknown))} (mixer_options)"
            f"{_hint(unknown[0], known)}. Its options: {', '.join(known) or 'none'}."
        )


@cache
def _plugins():
    """Entry points of installed packages by name."""
    return {point.name: point for point in entry_points(group=PLUGIN_GROUP)}


def _import_class(path):
    """Import a class by its dotted path."""
    module_name, _, class_name = path.rpartition(".")
    # A script's own folder is on Python's path, where it was started is not.
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # An import that fails inside the user's module is reported as it is.
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise ValueError(
            f"attention_type {path!r}: there is no module {error.name} on Python's path or in "
            f"{os.getcwd()}."
        ) from error
    if not hasattr(module, class_name):
        raise ValueError(f"attention_type {path!r}: {module.__file__} has no class {class_name}.")
    return getattr(module, class_name)


def _hint(name, known):
    close = difflib.get_close_matches(name, known, n=2)
    return f" (did you mean {' or '.join(close)}?)" if close else ""
