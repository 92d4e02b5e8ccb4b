"""The recipe of a pre-trained model, whose new mixers are trained alone."""

import json

import pytest
from tiny_ssl import SIZES, make_ssl
from tones import make_librispeech, train

transformers = pytest.importorskip("transformers")


def test_new_mixers_are_trained_and_the_rest_stays(tmp_path):
    sizes = {"train-mini": 12, "dev-mini": 4, "test-mini": 4}
    corpus = make_librispeech(tmp_path / "corpus", sizes, seconds=0.5)
    source = make_ssl(tmp_path / "ssl")
    splits = {
        f"{kind}_splits": f"[{name}]" for kind, name in zip(("train", "valid", "test"), sizes)
    }
    settings = {"ssl_source": source, "d_model": SIZES["hidden_size"], "token_type": "char"}
    not_there = dict.fromkeys(("num_encoder_layers", "d_ffn", "fea_augment"))
    settings |= {"replaced_layers": "[0, -1]", "number_of_epochs": 1, "nhead": 1, **not_there}
    brain = train(
        *("LibriSpeech", "wav2vec2_ctc.yaml", corpus, tmp_path / "run"),
        **{**settings, **splits, "lr": 0.01, "n_warmup_steps": 1},
    )
    theirs = transformers.Wav2Vec2Model.from_pretrained(source).state_dict()
    ours = brain.model.state_dict()
    kept = {name for name in ours if name.startswith("Transformer.encoder.layers.1.")}
    assert kept
    for name in kept:
        assert ours[name].equal(theirs[name.removeprefix("Transformer.")]), name
    trained = {name for name, p in brain.model.named_parameters() if p.requires_grad}
    assert {name.split(".")[1] for name in trained} == {"mixers", "w"}
    assert all(name.startswith(("Transformer.mixers.", "ctc_lin.")) for name in trained)
    result = json.loads((tmp_path / "run" / "results" / "test-mini.json").read_text())
    assert (result["mixer"], result["utterances"]) == ("SummaryMixing", 4)
