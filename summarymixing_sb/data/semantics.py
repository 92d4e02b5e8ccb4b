"""Semantics of an utterance: its intent, and its words with the entities marked in place.

The structure (`Semantics`), SLURP's notation of it (`parse_annotation`), and the one readable
string that a speech recogniser can be trained to write (`to_string`, `from_string`).
"""

import re
from dataclasses import dataclass
from itertools import pairwise

SEPARATOR = "|"  # between intent and transcript
CLOSING = "]"  # ends an entity
SHAPE = "[type : filler]"

# A bracket that cuts a word ("[person : robert], hello") takes the whole word into the entity.
_ENTITY = re.compile(
    r"(?P<before>[^\s\[\]]*)\[\s*(?P<type>[^\s\[\]:|]+)\s*:"
    r"(?P<filler>[^\[\]]*[^\s\[\]][^\[\]]*)\](?P<after>[^\s\[\]]*)"
)
_BROKEN_MARKER = re.compile(r"\[\s*[^\s\[\]:|]+\s*:|[\[\]]")
_NAME = re.compile(r"[^\s\[\]:|]+")


@dataclass(frozen=True)
class Entity:
    """A stretch of the transcript that matters for what was asked.

    Parameters
    ----------
    type : str
        What it is, such as ``time``: one lower-case word without brackets, colon or ``|``.
    filler : str
        Its words as they were said, in lower case, with single spaces and without brackets.

    Raises
    ------
    ValueError
        If either cannot be written as ``[type : filler]`` and read back.
    """

    type: str
    filler: str

    def __post_init__(self):
        if not _NAME.fullmatch(self.type) or self.type != self.type.lower():
            raise ValueError(
                f"{self.type!r} is no type of an entity: one lower-case word without any of []:|"
            )
        _check_words(self.filler)

    def __str__(self):
        return f"{_opening(self.type)} {self.filler}{CLOSING}"


@dataclass(frozen=True)
class Semantics:
    """Intent and transcript of an utterance, the entities at their places in the transcript.

    Parameters
    ----------
    scenario : str
        The domain, such as ``alarm``: lower case, without underscore. Empty, together with the
        action, where a prediction held none that could be read.
    action : str
        What to do in it, such as ``set`` or ``hue_lightoff``: lower case.
    parts : tuple[str | Entity, ...]
        The transcript from left to right: plain words (lower case, single spaces, no brackets)
        and entities. Two stretches of plain words never follow each other, so that equal
        meanings are equal objects.

    Raises
    ------
    ValueError
        If a part could not be written by `to_string` and read back the same.

    Examples
    --------
    >>> request = Semantics("alarm", "set", ("wake me at", Entity("time", "nine am")))
    >>> request.intent, request.sentence
    ('alarm_set', 'wake me at nine am')
    >>> request.entities
    [Entity(type='time', filler='nine am')]
    >>> request.annotation
    'wake me at [time : nine am]'
    """

    scenario: str
    action: str
    parts: tuple[str | Entity, ...] = ()

    def __post_init__(self):
        if self.scenario or self.action:
            _check_intent(self.scenario, self.action)
        for part in self.parts:
            if isinstance(part, str):
                _check_words(part)
        if any(isinstance(a, str) and isinstance(b, str) for a, b in pairwise(self.parts)):
            raise ValueError(f"plain words in two parts that follow each other: {self.parts}")

    @property
    def entities(self):
        """Entities from left to right, a list of `Entity`."""
        return [part for part in self.parts if isinstance(part, Entity)]

    @property
    def sentence(self):
        """Transcript without marks."""
        return " ".join(part if isinstance(part, str) else part.filler for part in self.parts)

    @property
    def annotation(self):
        """Transcript with its entities marked as SLURP marks them."""
        return " ".join(str(part) for part in self.parts)

    @property
    def intent(self):
        """Label of intent classification, ``scenario_action``."""
        return f"{self.scenario}_{self.action}"


def parse_annotation(annotation):
    """Read a transcript in which entities are marked as ``[type : filler]``.

    Upper case is lowered and white space becomes single spaces. Only the first colon in a
    bracket is a mark, so a filler may hold times like ``10:30``. An entity consists of whole
    words: what stands against a bracket without a space belongs to it.

    Parameters
    ----------
    annotation : str
        For instance the ``sentence_annotation`` of SLURP's JSON lines.

    Returns
    -------
    tuple[str | Entity, ...]
        The `parts` of a `Semantics`.

    Raises
    ------
    ValueError
        If a bracket is not closed or not opened, stands within another, or lacks type or filler.

    Examples
    --------
    >>> parse_annotation("Wake me at [time : 9:15 am]  [date : today] please")
    ('wake me at', Entity(type='time', filler='9:15 am'), Entity(type='date', filler='today'),
     'please')
    """
    parts = _parts(annotation)
    for part in parts:
        if isinstance(part, str) and ("[" in part or "]" in part):
            raise ValueError(
                f"cannot read {part!r} of {annotation!r}: brackets stand for entities alone, as "
                f"'{SHAPE}', with both filled in and none within another"
            )
    return parts


def annotated_entities(sentence):
    """Give the entities of a sentence of SLURP as its scorer has them: tokens joined by spaces.

    Parameters
    ----------
    sentence : dict
        A line of SLURP's JSON lines.

    Returns
    -------
    list of (str, str) or None
        Type and filler, in lower case; None where the sentence has no tokens.

    Raises
    ------
    ValueError
        If an entity names a token that is not there.

    Examples
    --------
    >>> tokens = [{"surface": surface} for surface in ("email", "robert", ",", "dinner")]
    >>> annotated_entities({"tokens": tokens, "entities": [{"type": "person", "span": [1, 2]}]})
    [('person', 'robert ,')]
    """
    surfaces = [token["surface"].lower() for token in sentence.get("tokens", ())]
    if not surfaces:
        return None
    try:
        return [
            (entity["type"].lower(), " ".join(surfaces[index] for index in entity["span"]))
            for entity in sentence["entities"]
        ]
    except IndexError as error:
        raise ValueError(f"an entity spans more than the {len(surfaces)} tokens") from error


def to_string(semantics):
    """Write intent and marked transcript as one line, the target that a model learns to write.

    Parameters
    ----------
    semantics : Semantics

    Returns
    -------
    str
        ``scenario_action | transcript`` in lower case with single spaces; `from_string` gives
        the same structure back.

    Raises
    ------
    ValueError
        If scenario and action are empty.

    Examples
    --------
    >>> to_string(Semantics("alarm", "set", parse_annotation("wake me at [time : nine am]")))
    'alarm_set | wake me at [time : nine am]'
    """
    _check_intent(semantics.scenario, semantics.action)
    return " ".join([semantics.intent, SEPARATOR, *map(str, semantics.parts)])


def from_string(text):
    """Read what `to_string` wrote.

    Parameters
    ----------
    text : str
        The scenario is what stands before the first underscore: no scenario of SLURP has one,
        many actions do (``iot_hue_lightoff``).

    Returns
    -------
    Semantics

    Raises
    ------
    ValueError
        If the line does not begin with ``scenario_action |``, or as `parse_annotation`.

    Examples
    --------
    >>> lamp = from_string("iot_hue_lightoff | [house_place : kitchen] off please")
    >>> lamp.scenario, lamp.action, lamp.sentence
    ('iot', 'hue_lightoff', 'kitchen off please')
    """
    intent, transcript = _split(text)
    if intent is None:
        raise ValueError(f"{text!r} does not begin with 'scenario_action {SEPARATOR}'")
    return Semantics(*intent, parse_annotation(transcript))


def recover(text):
    """Read what a model wrote, however broken; what cannot be read counts as empty.

    The intent is credited if the line begins with ``scenario_action |``; otherwise scenario and
    action are empty, which no reference is. An entity is credited if it is written as
    ``[type : filler]``, whatever surrounds it; of an entity that is not closed, not opened or
    empty, the words remain as plain words. Thus an unreadable part can only count as wrong.

    Parameters
    ----------
    text : str
        A hypothesis. For one that `from_string` reads, both give the same.

    Returns
    -------
    Semantics

    Examples
    --------
    >>> recover("alarm_set | wake me [date : friday] at [time : nine")
    Semantics(scenario='alarm', action='set',
              parts=('wake me', Entity(type='date', filler='friday'), 'at nine'))
    >>> recover("wake me").scenario
    ''
    """
    intent, transcript = _split(text)
    parts = (
        part if isinstance(part, Entity) else _words(_BROKEN_MARKER.sub(" ", part))
        for part in _parts(transcript)
    )
    return Semantics(*(intent or ("", "")), tuple(part for part in parts if part))


def markers(semantics):
    """Collect the symbols of `to_string` that are no words, for a tokenizer to keep whole.

    Parameters
    ----------
    semantics : iterable of Semantics
        All that may occur, such as the training set.

    Returns
    -------
    list[str]
        Sorted: each intent with its separator, each ``[type :``, and ``]``. Those that begin a
        word begin with a space, as they do in the string, the one at its start excepted.

    Examples
    --------
    >>> markers([from_string("alarm_set | wake me at [time : nine am]")])
    [' [time :', ' alarm_set |', ']']
    """
    symbols = set()
    for item in semantics:
        symbols.add(f" {item.intent} {SEPARATOR}")
        for entity in item.entities:
            symbols.update((f" {_opening(entity.type)}", CLOSING))
    return sorted(symbols)


def _opening(entity_type):
    """Give the mark that begins an entity."""
    return f"[{entity_type} :"


def _words(text):
    """Lower case and single spaces."""
    return " ".join(text.lower().split())


def _parts(text):
    """Plain words and well-formed entities, in turn; what is not well-formed stays in the words."""
    parts, end = [], 0
    for match in _ENTITY.finditer(text):
        parts.append(_words(text[end : match.start()]))
        filler = match["before"] + match["filler"].strip() + match["after"]
        parts.append(Entity(match["type"].lower(), _words(filler)))
        end = match.end()
    parts.append(_words(text[end:]))
    return tuple(part for part in parts if part)


def _split(text):
    """Scenario and action, or None if the line does not begin with them, and the rest."""
    head, separator, transcript = text.partition(SEPARATOR)
    scenario, _, action = head.strip().lower().partition("_")
    if separator and _NAME.fullmatch(scenario) and _NAME.fullmatch(action):
        return (scenario, action), transcript
    return None, text


def _check_intent(scenario, action):
    """Raise if scenario and action could not be told apart in ``scenario_action |``."""
    names = (scenario, action)
    if "_" in scenario or any(not _NAME.fullmatch(n) or n != n.lower() for n in names):
        raise ValueError(
            f"scenario {scenario!r} and action {action!r} make no intent: each is one lower-case "
            "word without any of []:|, the scenario without underscore"
        )


def _check_words(text):
    """Raise if plain words could be taken for marks, or would change when read back."""
    if not text or text != _words(text) or "[" in text or "]" in text:
        raise ValueError(
            f"{text!r} cannot stand in a transcript: it takes words in lower case with single "
            "spaces, and no brackets"
        )
