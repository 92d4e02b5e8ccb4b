"""Exported models: loaded by SpeechBrain in a process of its own, and by this package."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import soundfile
import torch
from speechbrain.inference.ASR import EncoderASR
from speechbrain.lobes.models.transformer.TransformerLM import TransformerLM
from tone_words import RATE, speak

from summarymixing_sb.data.audio import read_audio
from summarymixing_sb.export.command import export, main
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.transcribe import main as transcribe

TEXTS = (["ABLE", "DOG"], ["FOX", "FOX", "BAKER", "ABLE", "DOG"], ["BAKER"], ["DOG", "FOX", "ABLE"])
# loads FOLDER with the network refused; prints texts, of files alone and in a batch
LOAD = """
import json, socket, sys
import torch
from torch.nn.utils.rnn import pad_sequence

def refuse(*arguments):
    raise OSError("no network here")

socket.socket.connect = refuse
from speechbrain.dataio import audio_io
from speechbrain.inference.ASR import EncoderASR, EncoderDecoderASR

torch.set_num_threads(1)
folder, kind, *files = sys.argv[1:]
model = {"EncoderASR": EncoderASR, "EncoderDecoderASR": EncoderDecoderASR}[kind].from_hparams(
    source=folder, savedir=folder + "_loaded_" + kind
)
signals = [audio_io.load(file, channels_first=False)[0].squeeze() for file in files]
lengths = torch.tensor([len(signal) for signal in signals]) / max(map(len, signals))
together, _ = model.transcribe_batch(pad_sequence(signals, batch_first=True), lengths)
print(json.dumps([[model.transcribe_file(file) for file in files], together]))
"""


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    files = [folder / f"{number}.wav" for number in range(len(TEXTS))]
    for file, words in zip(files, TEXTS):
        soundfile.write(file, speak(words), RATE)
    return files


@pytest.fixture(scope="module")
def exported(trained_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "tones"
    assert main([str(trained_run), str(folder), "--licence", "apache-2.0"]) == 0
    return folder


def own_texts(folder, files, decoding):
    signals = [read_audio(file, RATE) for file in files]
    found = Recogniser(load_run(folder), decoding).transcribe(signals)
    return [" ".join(word.word for word in words) for words in found]


def loaded_by_speechbrain(folder, kind, files):
    """Texts of files alone and in a batch, in a new process."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(folder), kind, *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("kind", "decoding"), [("EncoderDecoderASR", "joint_beam"), ("EncoderASR", "ctc_greedy")]
)
def test_speechbrain_writes_the_same(trained_run, exported, recordings, kind, decoding):
    expected = own_texts(trained_run, recordings, decoding)
    assert expected == [" ".join(words) for words in TEXTS]
    assert loaded_by_speechbrain(exported, kind, recordings) == [expected, expected]


def test_this_package_loads_it(trained_run, exported, recordings, tmp_path, capsys):
    moved = shutil.copytree(exported, tmp_path / "moved")
    for decoding in ("joint_beam", "ctc_prefix_beam"):
        assert own_texts(moved, recordings, decoding) == own_texts(
            trained_run, recordings, decoding
        )
    assert transcribe([str(moved), str(recordings[0])]) == 0
    assert capsys.readouterr().out == "ABLE DOG\n"
    assert main([str(moved), str(tmp_path / "again")]) == 2
    assert "an exported model already" in capsys.readouterr().err


def test_speechbrain_reads_at_the_models_rate(exported, tmp_path):
    for rate in (8000, RATE):
        model = EncoderASR.from_hparams(
            str(exported), savedir=str(tmp_path), overrides={"sample_rate": rate}
        )
        assert model.audio_normalizer.sample_rate == rate


def test_what_it_holds(trained_run, exported):
    yaml = (exported / "hyperparams.yaml").read_text()
    assert str(trained_run) not in yaml
    for word in ("lr:", "number_of_epochs", "checkpointer", "data_folder", "Augmenter", "seed"):
        assert word not in yaml
    config = json.loads((exported / "config.json").read_text())
    assert config["task"] == "asr"
    assert config["epochs"] == [4, 5]
    card = (exported / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: speechbrain\n")
    assert "license: apache-2.0" in card
    result = json.loads((trained_run / "results" / "dev.json").read_text())
    assert f"| dev | {result['wer']:.2f} [" in card
    assert "mean of the checkpoints after epochs 4, 5" in card


def test_a_language_model_comes_along(trained_run, recordings, tmp_path):
    run = shutil.copytree(trained_run, tmp_path / "run")
    lm = TransformerLM(15, d_model=16, nhead=2, num_encoder_layers=1, d_ffn=32)
    (tmp_path / "lm").mkdir()
    torch.save(lm.state_dict(), tmp_path / "lm" / "lm.ckpt")
    file = run / "hyperparams.yaml"
    text = file.read_text().replace("lm_source:\n", f"lm_source: {tmp_path / 'lm'}\n")
    for old, new in (("d_model: 768", "d_model: 16"), ("nhead: 12", "nhead: 2")):
        text = text.replace(old, new)
    text = text.replace("num_encoder_layers: 12", "num_encoder_layers: 1")
    file.write_text(text.replace("d_ffn: 3072", "d_ffn: 32"))
    export(run, tmp_path / "out", "with_lm")
    expected = own_texts(run, recordings, "joint_beam")
    shutil.rmtree(tmp_path / "lm")
    assert own_texts(tmp_path / "out", recordings, "joint_beam") == expected
    found = loaded_by_speechbrain(tmp_path / "out", "EncoderDecoderASR", recordings)
    assert found == [expected, expected]


class Hub:
    """Stands in for the Hugging Face hub: its repositories are folders."""

    def __init__(self, root):
        self.root = root

    def create_repo(self, name, private, exist_ok):
        (self.root / name).mkdir(parents=True, exist_ok=exist_ok)
        return f"https://hub/{name}"

    def upload_folder(self, folder_path, repo_id):
        shutil.copytree(folder_path, self.root / repo_id, dirs_exist_ok=True)

    def snapshot_download(self, name):
        if not (self.root / name).is_dir():
            raise RuntimeError("404: no such repository")
        return str(self.root / name)


def test_to_a_hub_and_back(trained_run, recordings, tmp_path, monkeypatch, capsys):
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    out = tmp_path / "out"
    assert main([str(trained_run), str(out), "--push", "someone/tones"]) == 0
    assert "https://hub/someone/tones" in capsys.readouterr().out
    assert "source='someone/tones'" in (hub.root / "someone/tones/README.md").read_text()
    assert transcribe(["someone/tones", str(recordings[0])]) == 0
    assert capsys.readouterr().out == "ABLE DOG\n"
    assert transcribe(["someone/else", str(recordings[0])]) == 2
    assert "the hub gave no model someone/else: 404" in capsys.readouterr().err


def test_a_hub_that_refuses(trained_run, tmp_path, monkeypatch, capsys):
    class Refusing(Hub):
        def create_repo(self, name, private, exist_ok):
            raise RuntimeError("401: who are you?")

    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: Refusing(tmp_path))
    assert main([str(trained_run), str(tmp_path / "out"), "--push", "a/b"]) == 2
    assert "is written, but the hub did not take it as a/b: 401" in capsys.readouterr().err
    assert (tmp_path / "out" / "model.ckpt").is_file()


def test_bad_input(trained_run, exported, tmp_path, capsys):
    untrained = shutil.copytree(trained_run, tmp_path / "untrained")
    for checkpoint in (untrained / "save").glob("CKPT*"):
        shutil.rmtree(checkpoint)
    damaged = shutil.copytree(exported, tmp_path / "damaged")
    (damaged / "model.ckpt").write_bytes(b"PK nothing")
    less = shutil.copytree(exported, tmp_path / "less")
    (less / "tokenizer.ckpt").unlink()
    other = shutil.copytree(exported, tmp_path / "other")
    state = torch.load(other / "model.ckpt", weights_only=True)
    torch.save({name: value[:1] for name, value in state.items()}, other / "model.ckpt")
    new = tmp_path / "new"
    for run, folder, message in (
        (tmp_path / "nowhere", new, "there is no folder"),
        (tmp_path, new, "is no run: it has no hyperparams.yaml"),
        (untrained, new, "no checkpoint of a whole epoch"),
        (trained_run, exported, "is there already"),
        (damaged, new, "model.ckpt does not fit the model"),
        (other, new, "model.ckpt does not fit the model: .*size mismatch"),
        (less, new, "there is no tokenizer"),
    ):
        assert main([str(run), str(folder)]) == 2
        error = capsys.readouterr().err
        assert re.search(message, error), (message, error)
        assert not new.exists()
    assert main([str(trained_run), str(new), "--push", "no_owner"]) == 2
    assert "--push: give owner/name" in capsys.readouterr().err
    assert not list(Path(tmp_path).glob(".new*"))
