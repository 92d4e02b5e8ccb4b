"""The CommonVoice recipe from MP3 at 48 kHz to results, on tones that stand for words."""

import json

import numpy as np
import pytest
import soundfile
from commonvoice_tree import RELEASE_17, row
from tones import speak, train

from summarymixing_sb.files import digest

WORDS = ("een", "twee", "drie", "vijf", "zes")
SIZES = {"train": 24, "dev": 4, "test": 6}
SETTINGS = {
    "language": "nl",
    "token_type": "char",
    "output_neurons": 16,
    "num_decoder_layers": 1,
    "test_beam_size": 2,
    "number_of_epochs": 2,
}


@pytest.fixture
def corpus(tmp_path):
    """A language of release 17; each clip holds three words of 0.5 s."""
    folder = tmp_path / "cv" / "nl"
    (folder / "clips").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for split, size in SIZES.items():
        lines = ["\t".join(RELEASE_17) + "\n"]
        for index in range(size):
            numbers = draw.choice(len(WORDS), 3)
            name = f"common_voice_nl_{split}{index}.mp3"
            soundfile.write(folder / "clips" / name, speak(numbers, 0.5, 48000), 48000)
            sentence = " ".join(WORDS[number] for number in numbers).capitalize() + "."
            cells = {"client_id": split, "path": name, "sentence": sentence, "locale": "nl"}
            lines.append(row(RELEASE_17, **cells))
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    return folder.parent


def test_from_mp3_to_results(corpus, tmp_path):
    brain = train("CommonVoice", "demo.yaml", corpus, tmp_path / "run", **SETTINGS)
    result = json.loads((tmp_path / "run" / "results" / "test.json").read_text())
    [table] = corpus.rglob("test.tsv")
    assert result["annotations"] == {"file": "test.tsv", "sha256": digest(table)}
    assert (result["dataset"], result["task"]) == ("CommonVoice", "asr")
    assert result["utterances"] == result["annotated_utterances"] == SIZES["test"]
    assert result["hours_audio"] == pytest.approx(SIZES["test"] * 1.5 / 3600, rel=0.01)
    references = (tmp_path / "run" / "results" / "test.ref.txt").read_text()
    assert references.split("\t")[1].split()[0] in {word.upper() for word in WORDS}
    assert brain.targets.size == SETTINGS["output_neurons"]


def test_a_broken_clip_of_the_test_set(corpus, tmp_path):
    (corpus / "nl" / "clips" / "common_voice_nl_test3.mp3").write_bytes(b"")
    with pytest.raises(ValueError, match=r"common_voice_nl_test3 .*allow_incomplete_evaluation"):
        train("CommonVoice", "demo.yaml", corpus, tmp_path / "run", **SETTINGS)
    assert not (tmp_path / "run" / "save" / "manifests" / "train.csv").exists()
    options = {**SETTINGS, "allow_incomplete_evaluation": True}
    train("CommonVoice", "demo.yaml", corpus, tmp_path / "run", **options)
    result = json.loads((tmp_path / "run" / "results" / "test.json").read_text())
    assert (result["utterances"], result["annotated_utterances"]) == (5, 6)
