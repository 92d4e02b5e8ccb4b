"""Intent and entities to one line and back; broken annotations and broken hypotheses."""

import doctest
import json
import random
import re
from pathlib import Path

import pytest

from summarymixing_sb.data.semantics import (
    Entity,
    Semantics,
    from_string,
    markers,
    parse_annotation,
    recover,
    to_string,
)

NINE = Entity("time", "nine am")
FRIDAY = Entity("date", "friday")
BROKEN = (  # each a line's transcript, and what remains of it
    ("wake me at [time : nine am", ("wake me at nine am",)),
    ("wake me at time : nine am]", ("wake me at time : nine am",)),
    ("wake me [time : nine [date : friday] am]", ("wake me nine", FRIDAY, "am")),
    ("wake me [time : ] please", ("wake me please",)),
    ("wake me [time :] please", ("wake me please",)),
    ("wake me [ : nine am] please", ("wake me : nine am please",)),
    ("wake me [nine am] please", ("wake me nine am please",)),
    ("wake me [ti me : nine am] please", ("wake me ti me : nine am please",)),
    ("wake me [time : nine am]] please", ("wake me", NINE, "please")),
    ("[[date : friday] [date :", (FRIDAY,)),
    ("[ ] [] ][ ] :", (":",)),
)


@pytest.mark.parametrize(
    ("annotation", "parts"),
    [
        ("no entity at all", ("no entity at all",)),
        ("", ()),
        ("[date : friday]", (FRIDAY,)),
        ("at [time : nine am] on [date : friday]", ("at", NINE, "on", FRIDAY)),
        ("[time : nine am] [time : nine am][date : friday]", (NINE, NINE, FRIDAY)),
        ("at [time : 10:30 am] : now", ("at", Entity("time", "10:30 am"), ": now")),
        ("at [time:10:30]", ("at", Entity("time", "10:30"))),
        ("at [time : : ten]", ("at", Entity("time", ": ten"))),
        ("  On\t[ date  :  Friday ]  ", ("on", FRIDAY)),
        ("[song_name : (i) | no. 1, & so!]", (Entity("song_name", "(i) | no. 1, & so!"),)),
        ("to [person : robert], what time", ("to", Entity("person", "robert,"), "what time")),
        ("[person : anna]'s pre[date : w]", (Entity("person", "anna's"), Entity("date", "prew"))),
    ],
)  # fmt: skip
def test_annotations(annotation, parts):
    semantics = Semantics("alarm", "set", parse_annotation(annotation))
    assert semantics.parts == parts
    assert from_string(to_string(semantics)) == semantics
    assert parse_annotation(semantics.annotation) == parts


def test_the_line():
    semantics = Semantics("iot", "hue_lightoff", ("off at", NINE, FRIDAY, "please"))
    text = "iot_hue_lightoff | off at [time : nine am] [date : friday] please"
    assert to_string(semantics) == text
    assert from_string(text) == semantics == recover(text)
    assert semantics.intent == "iot_hue_lightoff"
    assert semantics.sentence == "off at nine am friday please"
    assert semantics.entities == [NINE, FRIDAY]
    assert hash(from_string(text)) == hash(semantics)


def test_a_line_without_words():
    assert to_string(Semantics("general", "joke")) == "general_joke |"
    assert from_string("general_joke |") == Semantics("general", "joke")


class Draw(random.Random):
    """Random parts of transcripts."""

    def name(self, alphabet="ab_'é-"):
        return "".join(self.choices(alphabet, k=self.randint(1, 4)))

    def words(self):
        return " ".join(self.name("ab'|:,._-@&é中") for _ in range(self.randint(1, 3)))

    def parts(self):
        parts = []
        for _ in range(self.randint(0, 5)):
            plain = self.random() < 0.5 and not (parts and isinstance(parts[-1], str))
            parts.append(self.words() if plain else Entity(self.name(), self.words()))
        return tuple(parts)


def test_random_structures_survive_both_ways():
    draw = Draw(0)
    for _ in range(2000):
        semantics = Semantics(draw.name("ab'é-"), draw.name(), draw.parts())
        text = to_string(semantics)
        assert text == " ".join(text.split())
        assert from_string(text) == semantics == recover(text)
        assert to_string(from_string(text)) == text


@pytest.mark.parametrize(("transcript", "remains"), BROKEN)
def test_broken_transcripts(transcript, remains):
    with pytest.raises(ValueError, match="type : filler"):
        parse_annotation(transcript)
    with pytest.raises(ValueError, match="type : filler"):
        from_string(f"alarm_set | {transcript}")
    assert recover(f"alarm_set | {transcript}") == Semantics("alarm", "set", remains)


@pytest.mark.parametrize(
    "text",
    ["", "|", "wake me", "alarm | wake me", "_set | wake me", "alarm_ | wake me",
     "alarm set_it | wake me", "[alarm_set | wake me", "alarm_set wake me"],
)  # fmt: skip
def test_lines_without_intent(text):
    with pytest.raises(ValueError, match=r"does not begin with 'scenario_action \|'"):
        from_string(text)
    recovered = recover(f"{text} [date : friday]")
    assert (recovered.scenario, recovered.action) == ("", "")
    assert recovered.entities == [FRIDAY]
    with pytest.raises(ValueError, match="make no intent"):
        to_string(recovered)


def test_recover_takes_anything():
    draw = random.Random(1)
    for _ in range(5000):
        text = "".join(draw.choices("[]:|_ aA\t", k=draw.randint(0, 30)))
        recovered = recover(text)
        assert parse_annotation(recovered.annotation) == recovered.parts
        try:
            assert from_string(text) == recovered
        except ValueError:
            assert "[" not in recovered.sentence


@pytest.mark.parametrize(
    ("entity_type", "filler"),
    [("", "nine"), ("ti me", "nine"), ("Time", "nine"), ("ti:me", "nine"), ("[time", "nine"),
     ("time", ""), ("time", " nine"), ("time", "nine  am"), ("time", "Nine"), ("time", "nine]")],
)  # fmt: skip
def test_entities_that_cannot_be_written(entity_type, filler):
    with pytest.raises(ValueError, match=r"no type of an entity|cannot stand in a transcript"):
        Entity(entity_type, filler)


@pytest.mark.parametrize(
    ("scenario", "action", "parts"),
    [("qa_x", "stock", ()), ("qa", "", ()), ("", "stock", ()), ("QA", "stock", ()),
     ("q a", "stock", ()), ("qa", "sto|ck", ()), ("qa", "stock", ("a [",)), ("qa", "stock", ("",)),
     ("qa", "stock", ("A",)), ("qa", "stock", ("two", "parts"))],
)  # fmt: skip
def test_structures_that_cannot_be_written(scenario, action, parts):
    with pytest.raises(ValueError, match=r"make no intent|cannot stand|follow each other"):
        Semantics(scenario, action, parts)


def test_markers():
    lines = ("qa_stock | price of [business_name : apple]", "qa_stock | [date : now]", "a_b | c")
    found = markers(map(from_string, lines))
    assert found == [" [business_name :", " [date :", " a_b |", " qa_stock |", "]"]
    for line in lines:  # without them nothing but words is left
        for marker in found:
            line = f" {line.lstrip()}".replace(marker, "")
        assert not set(line) & set("[]|_")
    assert markers([Semantics("a", "b", ("c",))]) == [" a_b |"]


def test_the_example_of_the_recipe():
    readme = Path(__file__).resolve().parents[2] / "recipes" / "SLURP" / "README.md"
    [session] = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    test = doctest.DocTestParser().get_doctest(session, {}, readme.name, str(readme), 0)
    assert len(test.examples) == 5
    assert doctest.DocTestRunner().run(test).failed == 0


# In some of SLURP's sentences words were corrected, in their annotations not ("rihana").
@pytest.mark.parametrize(
    ("name", "other_words"), [("devel", 4), ("test", 12), ("train_from_nlueval", 0)]
)
def test_real_annotations(real_data, name, other_words):
    file = real_data / "SLURP" / f"{name}.jsonl"
    if not file.is_file():
        pytest.skip(f"no {file}")
    words = 0
    for record in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        parts = parse_annotation(record["sentence_annotation"])
        semantics = Semantics(record["scenario"], record["action"], parts)
        text = to_string(semantics)
        assert from_string(text) == semantics == recover(text)
        assert to_string(from_string(text)) == text
        words += semantics.sentence != " ".join(record["sentence"].lower().split())

        # SLURP's own entities are spans of tokens, which part "mom 's"
        tokens = [token["surface"].lower() for token in record["tokens"]]
        spans = [(e["type"], "".join(tokens[i] for i in e["span"])) for e in record["entities"]]
        assert [(e.type, e.filler.replace(" ", "")) for e in semantics.entities] == spans
    assert words == other_words
