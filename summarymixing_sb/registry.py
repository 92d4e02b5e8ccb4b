"""The names by which YAML files and the command line choose a mixer."""

import inspect
from fnmatch import fnmatch

_MIXERS = {}


def register_mixer(name):
    """Register a class of mixer under a name, as a decorator.

    Parameters
    ----------
    name : str
        What ``attention_type`` is set to in order to get this mixer.

    Raises
    ------
    ValueError
        If the name is taken.

    Examples
    --------
    >>> from summarymixing_sb.mixers.base import Mixer
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
        _MIXERS[name] = mixer
        return mixer

    return register


def list_mixers(pattern="*"):
    """List the names of the registered mixers that match a shell-style pattern.

    Examples
    --------
    >>> list_mixers("RoPE*")
    ['RoPEMHA', 'RoPESDPA']
    """
    return sorted(name for name in _MIXERS if fnmatch(name, pattern))


def mixer_class(name):
    """Look a mixer's class up.

    Raises
    ------
    ValueError
        If no mixer has that name; the message lists those that exist.
    """
    if name not in _MIXERS:
        raise ValueError(
            f"Unknown mixer {name!r} (attention_type). Mixers: {', '.join(list_mixers())}."
        )
    return _MIXERS[name]


def build_mixer(name, d_model, nhead=1, dropout=0.0, d_ffn=None, **options):
    """Build a mixer by its name.

    Parameters
    ----------
    name : str
        A registered name, see :func:`list_mixers`.
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
    mixer = mixer_class(name)
    known = [
        option
        for option in inspect.signature(mixer).parameters
        if option not in ("d_model", "nhead", "dropout", "d_ffn")
    ]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ValueError(
            f"Mixer {name} has no option {', '.join(map(repr, unknown))} (mixer_options). "
            f"Its options: {', '.join(known) or 'none'}."
        )
    return mixer(d_model=d_model, nhead=nhead, dropout=dropout, d_ffn=d_ffn, **options)
