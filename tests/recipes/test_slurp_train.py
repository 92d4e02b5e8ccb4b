"""The SLURP recipe from FLAC to results, on tones that stand for words."""

import json

import pytest
import soundfile
import tones
import torch
from speechbrain.inference.interfaces import foreign_class
from tones import speak

from summarymixing_sb.data.semantics import from_string
from summarymixing_sb.export.command import export

WORDS = ("wake", "play", "nine", "ten", "jazz")
SENTENCES = {
    "wake [time : nine]": "alarm_set",
    "wake [time : ten]": "alarm_set",
    "play [genre : jazz]": "play_music",
    "play [genre : jazz] [time : ten]": "play_music",
}
SIZES = {"train": 24, "devel": 4, "test": 6}
SETTINGS = {"train_splits": "[train]", "number_of_epochs": 8, "n_warmup_steps": 20, "lr": 0.01}
SLU = {
    "token_type": "char",
    "num_decoder_layers": 1,
    "test_beam_size": 2,
    "output_neurons": 21,
    "speed_changes": "[100]",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """SLURP's layout; a word is a tone of 0.6 s in a little noise."""
    root = tmp_path_factory.mktemp("corpus")
    for folder in ("dataset/slurp", "audio/slurp_real"):
        (root / folder).mkdir(parents=True)
    for split, size in SIZES.items():
        with open(root / "dataset" / "slurp" / f"{split}.jsonl", "w") as lines:
            for number in range(size):
                annotation, intent = list(SENTENCES.items())[number % len(SENTENCES)]
                words = from_string(f"{intent} | {annotation}").sentence
                name = f"audio-{split}{number}-headset.flac"
                signal = speak([WORDS.index(word) for word in words.split()], 0.6)
                soundfile.write(root / "audio" / "slurp_real" / name, signal, 16000)
                scenario, action = intent.split("_")
                sentence = {"slurp_id": number, "sentence": words, "scenario": scenario}
                sentence |= {"action": action, "sentence_annotation": annotation}
                lines.write(json.dumps({**sentence, "recordings": [{"file": name}]}) + "\n")
    return root


def train(corpus, output, hparams, *flags, **values):
    return tones.train("SLURP", hparams, corpus, output, *flags, **{**SETTINGS, **values})


def test_intent_learns_and_is_tested_again(corpus, tmp_path):
    train(corpus, tmp_path, "demo_intent.yaml", avg_checkpoints=1)
    result = json.loads((tmp_path / "results" / "test.json").read_text())
    assert result["task"] == "intent"
    assert result["dataset"] == "SLURP"
    assert result["utterances"] == result["annotated_utterances"] == SIZES["test"]
    assert result["intent_accuracy"] == 100
    assert result["training_seconds"] > 0
    hypotheses = (tmp_path / "results" / "test.hyp.txt").read_text()
    assert "audio-test0-headset\talarm_set\n" in hypotheses
    export(tmp_path, tmp_path / "exported", "intents")
    classifier = foreign_class(
        str(tmp_path / "exported"),
        pymodule_file="custom_interface.py",
        classname="UtteranceClassifier",
        savedir=str(tmp_path / "loaded"),
    )
    file = next(corpus.rglob("audio-test0-headset.flac"))
    probabilities, labels = classifier.classify_file(str(file))
    assert labels == ["alarm_set"]
    assert probabilities.shape == (1, 2)
    # the labels are those of the training data; a model knows its own without them
    assert len((tmp_path / "save" / "labels.txt").read_text().splitlines()) >= 2
    again = {"results_folder": tmp_path / "again", "avg_checkpoints": 1}
    brain = train(corpus, tmp_path, "demo_intent.yaml", "--test_only", **again)
    assert brain.hparams.output_neurons == brain.targets.size == 2
    assert json.loads((tmp_path / "again" / "test.json").read_text())["intent_accuracy"] == 100


def test_number_of_labels_is_checked(corpus, tmp_path):
    with pytest.raises(ValueError, match="output_neurons: the training data have 2 labels"):
        train(corpus, tmp_path, "demo_intent.yaml", output_neurons=3)


def test_slu_writes_what_the_scorer_reads(corpus, tmp_path):
    brain = train(corpus, tmp_path, "demo_slu.yaml", number_of_epochs=2, **SLU)
    pieces = {brain.targets.tokenizer.id_to_piece(index) for index in range(brain.targets.size)}
    low_block = "\N{LOWER ONE EIGHTH BLOCK}"
    assert {f"{low_block}alarm_set{low_block}|", f"{low_block}[time{low_block}:", "]"} <= pieces
    result = json.loads((tmp_path / "results" / "test.json").read_text())
    assert result["task"] == "slu"
    for figure in ("intent_accuracy", "entity_f1", "slu_f1"):
        low, high = result[f"{figure}_interval"]
        assert 0 <= low <= result[figure] <= high <= 100
    predictions = (tmp_path / "results" / "test.predictions.jsonl").read_text().splitlines()
    assert len(predictions) == SIZES["test"]
    assert json.loads(predictions[0])["file"].startswith("audio-test")
    assert set(json.loads(predictions[0])) == {"file", "text", "scenario", "action", "entities"}
    # words, not strings, are what word error rates are of
    assert "|" not in (tmp_path / "results" / "test.ref.txt").read_text()


def test_starts_from_a_pretrained_encoder(corpus, tmp_path):
    options = {"number_of_epochs": 1, "lr": 1e-9, "avg_checkpoints": 1}
    first = train(corpus, tmp_path / "a", "demo_slu.yaml", **SLU, **options)
    options["pretrained_encoder"] = tmp_path / "a"
    second = train(corpus, tmp_path / "b", "demo_intent.yaml", seed=1, **options)
    one, other = (brain.model.state_dict() for brain in (first, second))
    shared = [
        name
        for name in other
        if name.startswith(("CNN.", "Transformer.encoder.", "Transformer.custom_src"))
    ]
    assert shared
    for name in shared:
        torch.testing.assert_close(one[name], other[name], atol=1e-5, rtol=0)
    report = (tmp_path / "b" / "pretrained_encoder.txt").read_text()
    assert f"{len(shared)} matched:" in report
    assert "0 not taken" in report

    options |= {"d_ffn": 48, "number_of_epochs": 1}
    train(corpus, tmp_path / "c", "demo_intent.yaml", **options)
    report = (tmp_path / "c" / "pretrained_encoder.txt").read_text()
    assert "(32, 32) there, (48, 32) here" in report

    options["pretrained_encoder"] = tmp_path
    with pytest.raises(FileNotFoundError, match="no checkpoint of a whole epoch"):
        train(corpus, tmp_path / "d", "demo_intent.yaml", **options)
    options["pretrained_encoder"] = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError, match="pretrained_encoder: there is no folder"):
        train(corpus, tmp_path / "d", "demo_intent.yaml", **options)


def test_bad_input(corpus, tmp_path):
    for changes, message in (
        (
            {"task": "parsing"},
            "task: give asr, slu, intent, transducer, classification, best_rq or wav2vec2",
        ),
        ({"avg_checkpoints_by": "WER"}, "choose last, loss or error_rate"),
        ({"recordings": "near"}, "recordings: give both, headset or far"),
    ):
        with pytest.raises(ValueError, match=message):
            train(corpus, tmp_path, "demo_intent.yaml", **changes)
