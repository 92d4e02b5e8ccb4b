"""Scores of understanding against figures worked out on paper."""

import json

import jiwer
import pytest

from summarymixing_sb.data.semantics import from_string, recover
from summarymixing_sb.evaluation.slu import (
    character_distance,
    intent_scores,
    slu_scores,
    understood,
    word_distance,
)
from summarymixing_sb.evaluation.slurp import write_predictions

REFERENCE = "wake me at [time : nine am] on [date : friday]"
TWICE = "add [person : anna] and [person : joanna]"
BARE = "wake me"
# Reference, prediction, and on paper (true positives, false positives, false negatives) of whole
# entities, of words, of characters. In characters "nine am" is 7 long, "friday" 6, "joanna" 6.
CASES = {
    "exact": (REFERENCE, REFERENCE, (2, 0, 0), (2, 0, 0), (2, 0, 0)),
    # friday found as a time: the first time takes nine am, this one nothing; friday is missed
    "wrong type": (
        REFERENCE,
        "wake me at [time : nine am] on [time : friday]",
        (1, 1, 1),
        (1, 1, 1),
        (1, 1, 1),
    ),
    # one of two words is missing: 1/2; three of seven characters, the space included: 3/7
    "partial filler": (
        REFERENCE,
        "wake me at [time : nine] am on [date : friday]",
        (1, 1, 1),
        (2, 1 / 2, 1 / 2),
        (2, 3 / 7, 3 / 7),
    ),
    # one word inserted, of one in the reference: 1; five characters, the longer filler has 11
    "longer filler": (
        REFERENCE,
        "wake me at [time : nine am] on [date : this friday]",
        (1, 1, 1),
        (2, 1, 1),
        (2, 5 / 11, 5 / 11),
    ),
    # three words for one: a distance of 2 in words; 9 of 15 characters
    "much longer filler": (
        REFERENCE,
        "wake me at [time : nine am] on [date : on this friday ok]",
        (1, 1, 1),
        (2, 3, 3),
        (2, 11 / 17, 11 / 17),
    ),
    "extra entity": (
        REFERENCE,
        "wake [person : me] at [time : nine am] on [date : friday]",
        (2, 1, 0),
        (2, 1, 0),
        (2, 1, 0),
    ),
    "missing entity": (
        REFERENCE,
        "wake me at nine am on [date : friday]",
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
    ),
    "empty prediction": (REFERENCE, "", (0, 0, 2), (0, 0, 2), (0, 0, 2)),
    # the first takes friday, nothing is left for the second
    "repeated entity": (
        REFERENCE,
        "at [time : nine am] on [date : friday] [date : friday]",
        (2, 1, 0),
        (2, 1, 0),
        (2, 1, 0),
    ),
    "repeated in the reference": (
        "[date : friday] or [date : friday]",
        "[date : friday] or friday",
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
    ),
    # joanna takes joanna, the closest, not anna, the first; anna is left for her
    "closest of a type": (
        TWICE,
        "add [person : joanna] and [person : anna]",
        (2, 0, 0),
        (2, 0, 0),
        (2, 0, 0),
    ),
    # hanna comes first and takes anna (1 of 5) rather than joanna (2 of 6); so joanna is
    # left for anna, 2 of 6. In words all are equally far: hanna takes anna, anna takes joanna.
    "left to right": (
        TWICE,
        "add [person : hanna] and [person : anna]",
        (1, 1, 1),
        (2, 2, 2),
        (2, 1 / 5 + 2 / 6, 1 / 5 + 2 / 6),
    ),
    # only the date is closed
    "malformed prediction": (
        REFERENCE,
        "wake me at [time : nine am on [date : friday]",
        (1, 0, 1),
        (1, 0, 1),
        (1, 0, 1),
    ),
    "no entity to find": (BARE, "wake [person : me]", (0, 1, 0), (0, 1, 0), (0, 1, 0)),
    "no entity anywhere": (BARE, "wake her", (0, 0, 0), (0, 0, 0), (0, 0, 0)),
    # as tokens, mom 's against mom: one of two words; two of six characters
    "clitic": (
        "[relation : mom's] birthday",
        "[relation : mom] birthday",
        (0, 1, 1),
        (1, 1 / 2, 1 / 2),
        (1, 1 / 2, 1 / 2),
    ),
}


def figures(counts):
    """Precision, recall and F1 in percent."""
    right, wrong, missed = counts
    precision = 100 * right / (right + wrong) if right + wrong else 0.0
    recall = 100 * right / (right + missed) if right + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    return precision, recall, f1


@pytest.mark.parametrize("case", CASES)
def test_cases_worked_out_on_paper(case):
    reference, prediction, exact, words, characters = CASES[case]
    reference = from_string(f"alarm_set | {reference}")
    scores = slu_scores([reference], [recover(f"alarm_set | {prediction}")])
    together = [w + c for w, c in zip(words, characters)]
    expected = dict(
        zip(("entity_precision", "entity_recall", "entity_f1"), figures(exact)),
        word_f1=figures(words)[2],
        char_f1=figures(characters)[2],
    )
    expected |= zip(("slu_precision", "slu_recall", "slu_f1"), figures(together))
    expected |= {f"{name}_accuracy": 100.0 for name in ("scenario", "action", "intent")}
    assert scores == pytest.approx(expected)


def test_figures_written_out():
    """One partial filler, in plain numbers: 2/2.5 = 80 %, 2/(2 + 3/7) = 82.35 %, 4/(4 + 13/14)."""
    reference, prediction, *_ = CASES["partial filler"]
    scores = slu_scores(
        [from_string(f"alarm_set | {reference}")], [from_string(f"alarm_set | {prediction}")]
    )
    assert round(scores["word_f1"], 2) == 80.0
    assert round(scores["char_f1"], 2) == 82.35
    assert round(scores["slu_f1"], 2) == 81.16
    assert scores["entity_f1"] == 50.0


def test_counts_are_summed_before_they_are_divided():
    """Two entities right of two, none of one: F1 = 2*2 / (2*2 + 0 + 1), no mean of 100 and 0."""
    references = [from_string(f"a_b | {REFERENCE}"), from_string("a_b | [date : friday]")]
    scores = slu_scores(references, [references[0], from_string("a_b | friday")])
    assert scores["entity_f1"] == scores["slu_f1"] == pytest.approx(80)


def test_intents():
    reference = from_string("iot_hue_lightoff | [house_place : kitchen] off")
    lines = (
        "iot_hue_lightoff | off",
        "iot_hue_lighton | off",
        "audio_hue_lightoff | off",
        "iot | off",
        "",
    )
    scores = slu_scores([reference] * 6, [*map(recover, lines), None])
    assert scores["scenario_accuracy"] == scores["action_accuracy"] == pytest.approx(100 * 2 / 6)
    assert scores["intent_accuracy"] == pytest.approx(100 * 1 / 6)
    assert scores["slu_f1"] == 0


def test_labels_score_like_structures():
    references = ["iot_hue_lightoff", "qa_stock", "alarm_set", "general_joke"]
    predictions = ["iot_hue_lighton", "qa_stock", "audio_set", ""]
    labels = intent_scores(references, predictions)
    structures = slu_scores(
        [from_string(f"{label} | hi") for label in references],
        [recover(f"{label} | hi") for label in predictions],
        intervals=True,
    )
    for name in ("scenario_accuracy", "action_accuracy", "intent_accuracy"):
        assert labels[name] == structures[name]
        assert labels[f"{name}_interval"] == structures[f"{name}_interval"]
    assert labels["intent_accuracy"] == 25


def test_intervals():
    right = from_string(f"alarm_set | {REFERENCE}")
    wrong = from_string("alarm_query | wake me on [date : monday]")
    plain = slu_scores([right] * 40, [right, wrong] * 20)
    scores = slu_scores([right] * 40, [right, wrong] * 20, intervals=True)
    assert {name: scores[name] for name in plain} == plain
    assert scores.keys() - plain.keys() == {f"{name}_interval" for name in plain}
    low, high = scores["intent_accuracy_interval"]
    # a binomial proportion of 40: 50 % with a standard deviation of 7.9 %
    assert low == pytest.approx(50 - 1.96 * 7.9, abs=3)
    assert high == pytest.approx(50 + 1.96 * 7.9, abs=3)
    assert scores["scenario_accuracy_interval"] == (100, 100)
    for name in plain:
        low, high = scores[f"{name}_interval"]
        assert low <= scores[name] <= high
    assert json.loads(json.dumps(scores)).keys() == scores.keys()


def test_no_interval_of_one_utterance():
    [reference] = [from_string(f"a_b | {REFERENCE}")]
    assert slu_scores([reference], [reference], intervals=True)["slu_f1_interval"] is None


def test_nothing_found_anywhere_is_no_error():
    reference = from_string("a_b | no entity")
    scores = slu_scores([reference] * 3, [None] * 3, intervals=True)
    assert scores["slu_f1"] == 0
    assert scores["slu_f1_interval"] == (0, 0)


def test_distances():
    for reference, prediction in (("nine am", "nine pm now"), ("a b c", "c"), ("friday", "x y")):
        assert word_distance(reference, prediction) == jiwer.wer(reference, prediction)
    assert word_distance("nine am", "nine am") == character_distance("ab", "ab") == 0
    assert character_distance("ab", "xyz") == 1
    assert character_distance("friday", "fryday") == pytest.approx(1 / 6)


def test_refuses_what_it_cannot_score(tmp_path):
    reference = from_string("a_b | c")
    for score in (slu_scores, intent_scores):
        with pytest.raises(ValueError, match="1 predictions for 2 utterances"):
            score([reference] * 2, [reference])
        with pytest.raises(ValueError, match="no utterances to score"):
            score([], [])
    with pytest.raises(ValueError, match="1 predictions for 2 utterances"):
        write_predictions(tmp_path / "predictions.jsonl", ["a", "b"], [None])
    assert not list(tmp_path.iterdir())


def test_predictions_file(tmp_path):
    file = tmp_path / "predictions.jsonl"
    prediction = from_string("alarm_set | [relation : mom's] café at [time : 9:30 am]")
    broken = recover("alarm [date : friday] [time : nine")
    write_predictions(file, ["audio-1", "audio-2-headset", "audio-3"], [prediction, None, broken])
    entities = [{"type": "relation", "filler": "mom 's"}, {"type": "time", "filler": "9:30 am"}]
    assert [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] == [
        {"file": "audio-1.flac", "text": "mom's café at 9:30 am", "scenario": "alarm",
         "action": "set", "entities": entities},
        {"file": "audio-2-headset.flac", "text": "", "scenario": "", "action": "", "entities": []},
        {"file": "audio-3.flac", "text": "alarm friday nine", "scenario": "", "action": "",
         "entities": [{"type": "date", "filler": "friday"}]},
    ]  # fmt: skip


def test_entities_of_tokens_replace_those_of_the_annotation():
    semantics = from_string("email_send | send to [person : robert,] now")
    gold = understood(semantics, [("person", "robert ,")])
    assert slu_scores([gold], [gold])["slu_f1"] == 100
    assert slu_scores([gold], [semantics])["entity_f1"] == 0
