"""The kinds of values that a key takes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Key:
    """Values of one key.

    Attributes
    ----------
    comment : str
        How the comment above the key begins in YAML files: its type or unit.
    wants : str
        What would be right, for errors.
    accepts : callable
        From a value to a bool.
    literal : bool
        Whether a command line's text is the value, not YAML to be read.
    null : bool
        Whether null is a value too.
    switch : bool
        Whether its name alone, as a run option, means True.
    many : bool
        Whether several words may follow its name, as a run option: the value is a list of them.
    used : dict of str to tuple
        Other keys and the values of theirs with which this one has an effect; (True,) for any that
        is not 0, false or null. One of them is enough.
    """

    comment: str
    wants: str
    accepts: Callable[[Any], bool]
    literal: bool = False
    null: bool = False
    switch: bool = False
    many: bool = False
    used: tuple = ()

    def problem(self, name, value):
        """Say what is wrong with a value, or return None."""
        if (self.null and value is None) or (value is not None and self.accepts(value)):
            return None
        return f"{name}: give {self.wants}{' or null' if self.null else ''}, not {value!r}"

    def no_effect(self, settings):
        """Say why a key is not used, or return None."""
        known = [(name, values) for name, values in self.used if name in settings]
        if not known or any(_is_one_of(settings[name], values) for name, values in known):
            return None
        return " and ".join(f"{name} is {settings[name]}" for name, _ in known)


def _is_one_of(value, values):
    if values == (True,):
        return bool(value)
    # attention_type may hold several names
    return value in values or (
        isinstance(value, str) and not {*value.split(",")}.isdisjoint(values)
    )


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def integer(least=0, most=math.inf, comment="int", step=1, **more):
    """Take an int from least to most, in steps."""
    kind = {1: "an int"}.get(step, "an even int" if not least % 2 else "an odd int")
    wants = f"{kind} of at least {least}" + (f" and at most {most}" if most < math.inf else "")

    def accepts(value):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and least <= value <= most and (value - least) % step == 0

    return Key(comment, wants, accepts, **more)


def number(low=-math.inf, high=math.inf, above=-math.inf, below=math.inf, comment="float", **more):
    """Take a finite number within bounds."""
    bounds = {"of at least": low, "above": above, "of at most": high, "below": below}
    limits = [f"{words} {limit}" for words, limit in bounds.items() if math.isfinite(limit)]
    wants = f"a number {' and '.join(limits)}".replace("of at least 0 and of at most", "from 0 to")

    def accepts(value):
        return _is_number(value) and low <= value <= high and above < value < below

    return Key(comment, wants, accepts, **more)


def choice(*names, **more):
    """Take one of a few words."""
    listed = " or ".join([", ".join(names[:-1]), names[-1]])
    more = {"comment": listed, **more}
    return Key(wants=listed, accepts=lambda value: value in names, literal=True, **more)


def text(comment, wants="text", **more):
    """Take text that is not empty."""
    accepts = lambda value: isinstance(value, str) and bool(value.strip())  # noqa: E731
    return Key(comment, wants, accepts, literal=True, **more)


def path(comment="folder", **more):
    """Take a path; the last word of the comment says of what."""

    def accepts(value):
        # the names in <> are those of other keys, in YAML files
        return isinstance(value, str) and bool(value.strip()) and not set("<>\n\0") & set(value)

    kind = comment.rsplit(" ", 1)[-1]
    return Key(comment, f"the path of a {kind}, without < and >", accepts, literal=True, **more)


def switch(comment="bool", **more):
    """Take True or False."""
    return Key(comment, "True or False", lambda value: isinstance(value, bool), switch=True, **more)


def list_of(of, least=1, comment="list", **more):
    """Take a list of at least so many values of one kind."""

    def accepts(value):
        return isinstance(value, list) and len(value) >= least and all(map(of.accepts, value))

    number = "a list" if not least else f"a list of at least {least}"
    return Key(comment, f"{number}, in [ ], each {of.wants}", accepts, **more)


def names(comment="list", **more):
    """Take a list of names, none twice."""
    names = list_of(text("", "a name"), comment=comment)
    distinct = lambda value: names.accepts(value) and len({*value}) == len(value)  # noqa: E731
    return Key(comment, "names in [ ], at least one and none twice", distinct, **more)
