"""The scorer of predictions on SLURP."""

import json

import pytest

from summarymixing_sb.data.semantics import (
    Semantics,
    annotated_entities,
    from_string,
    parse_annotation,
)
from summarymixing_sb.evaluation.slu import slu_scores, slurp_tokens
from summarymixing_sb.evaluation.slurp import main, score_predictions, write_predictions

SURFACES = ["email", "robert", ",", "on", "friday"]


def write_lines(file, lines):
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def annotations(tmp_path):
    file = tmp_path / "test.jsonl"
    sentence = {
        "slurp_id": 1,
        "sentence_annotation": "email [person : robert], on [date : friday]",
        "scenario": "email",
        "action": "send",
        "tokens": [{"surface": surface} for surface in SURFACES],
        "entities": [{"type": "person", "span": [1, 2]}, {"type": "date", "span": [4]}],
        "recordings": [{"file": "a-headset.flac"}, {"file": "a.flac"}],
    }
    write_lines(file, [sentence])
    return file


def prediction(file, person="robert ,"):
    entities = [{"type": "person", "filler": person}, {"type": "DATE", "filler": "Friday"}]
    return {"file": file, "scenario": "email", "action": "send", "entities": entities}


def test_gold_is_joined_from_tokens(annotations, tmp_path):
    file = tmp_path / "predictions.jsonl"
    write_lines(file, [prediction("a.flac"), prediction("a-headset.flac", "robert,")])
    scores = score_predictions(annotations, file)
    assert (scores["recordings"], scores["missing"]) == (2, 0)
    assert scores["intent_accuracy"] == 100
    assert scores["entity_f1"] == pytest.approx(75)
    assert score_predictions(annotations, file, "far")["entity_f1"] == 100
    assert score_predictions(annotations, file, "headset")["entity_f1"] == pytest.approx(50)


def test_a_recording_without_prediction_is_not_understood(annotations, tmp_path, capsys):
    file = tmp_path / "predictions.jsonl"
    write_lines(file, [prediction("a.flac")])
    main([str(annotations), str(file)])
    scores = json.loads(capsys.readouterr().out)
    assert scores["missing"] == 1
    assert scores["intent_accuracy"] == 50
    assert scores["entity_recall"] == 50


def test_scores_what_we_wrote_as_we_do(annotations, tmp_path):
    file = tmp_path / "predictions.jsonl"
    guess = from_string("email_query | email [person : robert] on [date : friday]")
    write_predictions(file, ["a", "a-headset"], [guess, None])
    ours = slu_scores([from_string("email_send | email [person : x] on [date : friday]")], [guess])
    scores = score_predictions(annotations, file)
    assert scores["scenario_accuracy"] == 50
    assert scores["intent_accuracy"] == ours["intent_accuracy"] == 0
    assert scores["entity_precision"] == ours["entity_precision"] == 50


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["{"], "line 1 is not JSON"),
        (['{"file": "a.flac"}'], "line 1 is no prediction with the keys file, scenario"),
        ([json.dumps(prediction("b.flac"))], "has no recording b.flac"),
        ([json.dumps(prediction("a.flac"))] * 2, "line 2: a.flac was predicted before"),
    ],
)
def test_what_cannot_be_scored_is_named(annotations, tmp_path, lines, message, capsys):
    file = tmp_path / "predictions.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(SystemExit):
        main([str(annotations), str(file)])
    assert message in capsys.readouterr().err


# All but two of SLURP's entities are the tokens of the annotation: "robert ," and "mail i d"
@pytest.mark.parametrize(("name", "others"), [("devel", 2), ("test", 0)])
def test_tokens_of_slurp(real_data, name, others):
    file = real_data / "SLURP" / f"{name}.jsonl"
    if not file.is_file():
        pytest.skip(f"no {file}")
    different = parted = 0
    for record in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
        parts = parse_annotation(record["sentence_annotation"])
        entities = Semantics(record["scenario"], record["action"], parts).entities
        for entity, (kind, filler) in zip(entities, annotated_entities(record), strict=True):
            assert kind == entity.type
            different += slurp_tokens(entity.filler) != filler
            parted += entity.filler != filler
    assert different == others
    assert parted > 50
