"""The LibriSpeech recipe from FLAC to results, on tones that stand for words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from recipe_modules import load_recipe

from summarymixing_sb.inference.run import load_run
from summarymixing_sb.training.experiment import run_experiment
from summarymixing_sb.training.tasks.asr import ASRBrain

ROOT = Path(__file__).resolve().parents[2]
RECIPE = ROOT / "recipes" / "LibriSpeech"
HPARAMS = ROOT / "hparams" / "LibriSpeech"
WORDS = {"ABLE": 300.0, "BAKER": 700.0, "CHARLIE": 1500.0, "DOG": 3000.0}  # Hz
SIZES = {"train-mini": 24, "dev-mini": 4, "test-mini": 6}
PIECES = 16  # 12 letters, the word boundary, unknown, begin, end

TINY = {
    "train_splits": "[train-mini]",
    "valid_splits": "[dev-mini]",
    "test_splits": "[test-mini]",
    "token_type": "char",
    "output_neurons": PIECES,
    "d_model": 32,
    "nhead": 2,
    "num_encoder_layers": 1,
    "d_ffn": 32,
    "local_hidden": "[16]",
    "local_out": 32,
    "summary_hidden": "[16]",
    "summary_out": 32,
    "max_batch_length_train": 6,
    "num_workers": 0,
    "number_of_epochs": 1,
    "n_warmup_steps": 10,
    "device": "cpu",
}
ATTENTION = {"num_decoder_layers": 1, "valid_beam_size": 2, "test_beam_size": 2}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """LibriSpeech's layout; a word is a tone of 0.3 s in a little noise."""
    root = tmp_path_factory.mktemp("corpus") / "LibriSpeech"
    draw = np.random.default_rng(0)
    times = np.arange(4800) / 16000
    for speaker, (split, size) in enumerate(SIZES.items(), 1):
        folder = root / split / str(speaker) / "1"
        folder.mkdir(parents=True)
        lines = []
        for number in range(size):
            words = draw.choice(list(WORDS), draw.integers(3, 6))
            signal = np.concatenate([np.sin(2 * np.pi * WORDS[word] * times) for word in words])
            name = f"{speaker}-1-{number:04d}"
            noise = draw.normal(0, 0.01, signal.size)
            soundfile.write(folder / f"{name}.flac", 0.3 * signal + noise, 16000)
            lines.append(f"{name} {' '.join(words)}\n")
        (folder / f"{speaker}-1.trans.txt").write_text("".join(lines))
    return root


def arguments(corpus, output, hparams, *flags, **values):
    """The command line of a tiny run."""
    values = {"data_folder": corpus, "output_folder": output, **TINY, **values}
    options = [f"--{key}={value}" for key, value in values.items()]
    return [str(HPARAMS / hparams), *options, "--noprogressbar", *flags]


def train(corpus, output, hparams, *flags, **values):
    """Run the recipe in this process."""
    return run_experiment(
        arguments(corpus, output, hparams, *flags, **values),
        load_recipe("LibriSpeech", "train").prepare,
    )


def weights(brain):
    return {name: value.clone() for name, value in brain.model.state_dict().items()}


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_attention_model_end_to_end(corpus, tmp_path):
    """The command of the README: files, results, checkpoints."""
    command = [sys.executable, str(RECIPE / "train.py")]
    command += arguments(
        corpus, tmp_path, "conformer.yaml", tensorboard=True, test_normalizer="english", **ATTENTION
    )
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-6000:]
    assert "test-mini: WER" in done.stdout

    result = json.loads((tmp_path / "results" / "test-mini.json").read_text())
    assert result["utterances"] == SIZES["test-mini"]
    assert result["mixer"] == "SummaryMixing"
    assert result["decoding"]["method"] == "joint_beam"
    assert result["parameters"] > 10000
    assert result["real_time_factor"] > 0
    assert result["overrides"]["d_model"] == 32
    hypotheses = (tmp_path / "results" / "test-mini.hyp.txt").read_text().splitlines()
    assert len(hypotheses) == SIZES["test-mini"]
    assert result["wer_normalized"] >= 0
    lines = (tmp_path / "results" / "test-mini.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["pred_text"] for row in rows] == [line.split("\t")[1] for line in hypotheses]
    assert sum(row["time"] for row in rows) == pytest.approx(result["seconds"])
    assert sum(row["duration"] for row in rows) == pytest.approx(3600 * result["hours_audio"])
    assert all(Path(row["audio_filepath"]).is_file() for row in rows)
    assert "epoch: 1" in (tmp_path / "train_log.txt").read_text()
    assert list((tmp_path / "tensorboard").iterdir())
    assert len(list((tmp_path / "save").glob("CKPT*"))) == 1


def test_ctc_model_learns(corpus, tmp_path):
    """CTC only, on the accumulated gradients of two batches, in mixed precision."""
    brain = train(
        corpus,
        tmp_path,
        "conformer_ctc.yaml",
        "--precision=bf16",
        "--grad_accumulation_factor=2",
        number_of_epochs=12,
        n_warmup_steps=20,
        lr=0.01,
        fea_augment="null",
        valid_search_interval=12,
        test_decoding="ctc_prefix_beam",
        avg_checkpoints=2,
        avg_checkpoints_by="loss",
    )
    losses = [
        float(line.split("valid loss: ")[1].split(",")[0])
        for line in (tmp_path / "train_log.txt").read_text().splitlines()
        if "valid loss" in line
    ]
    assert losses[-1] < 0.5 * losses[0]
    assert len(brain.tested_checkpoints) == 2
    assert not brain.has_decoder


def test_resumes_as_if_never_stopped(corpus, tmp_path):
    """Stopped after an epoch, tested, and gone on with: the same weights, to the bit."""
    options = {**ATTENTION, "avg_checkpoints": 1}
    straight = train(corpus, tmp_path / "a", "conformer.yaml", number_of_epochs=2, **options)
    train(corpus, tmp_path / "b", "conformer.yaml", number_of_epochs=1, **options)
    before = sorted((tmp_path / "b" / "save").rglob("*.ckpt"))
    tested = train(corpus, tmp_path / "b", "conformer.yaml", "--test_only", **options)
    assert tested.test_only
    assert sorted((tmp_path / "b" / "save").rglob("*.ckpt")) == before
    resumed = train(corpus, tmp_path / "b", "conformer.yaml", number_of_epochs=2, **options)
    assert_same_weights(weights(straight), weights(resumed))


def test_resumes_within_an_epoch(corpus, tmp_path, monkeypatch):
    """Killed in the middle of an epoch, a run goes on from its last checkpoint within it."""
    options = {**ATTENTION, "avg_checkpoints": 1, "grad_accumulation_factor": 2}
    flags = ("--ckpt_interval_steps=1", "--ckpt_interval_minutes=0")
    straight = train(corpus, tmp_path / "a", "conformer.yaml", *flags, **options)

    fit_batch = ASRBrain.fit_batch

    def killed(brain, batch):
        if brain.step == 6:
            raise KeyboardInterrupt
        return fit_batch(brain, batch)

    monkeypatch.setattr(ASRBrain, "fit_batch", killed)
    with pytest.raises(KeyboardInterrupt):
        train(corpus, tmp_path / "b", "conformer.yaml", *flags, **options)
    assert len(list((tmp_path / "b" / "save").glob("CKPT*"))) == 1
    steps = []

    def counted(brain, batch):
        steps.append(brain.step)
        return fit_batch(brain, batch)

    monkeypatch.setattr(ASRBrain, "fit_batch", counted)
    resumed = train(corpus, tmp_path / "b", "conformer.yaml", *flags, **options)
    assert steps[0] == 5  # step 5 was done, but its gradients not yet used
    assert_same_weights(weights(straight), weights(resumed))


def test_two_processes(corpus, tmp_path):
    """torchrun on the processor: both processes train to the same weights.

    One batch of one process is not finite, and both skip that step. The weights are compared
    before testing, which loads the same checkpoints into both.
    """
    script = tmp_path / "both.py"
    script.write_text(
        "import sys, torch\n"
        f"sys.path.insert(0, {str(RECIPE)!r})\n"
        "from librispeech_prepare import prepare_librispeech\n"
        "from train import prepare\n"
        "from summarymixing_sb.training.tasks.asr import ASRBrain\n"
        "from summarymixing_sb.training.experiment import run_experiment\n"
        "forward = ASRBrain.compute_forward\n"
        "def poisoned(brain, batch, stage):\n"
        "    if brain.step == 2 and torch.distributed.get_rank() == 1:\n"
        "        batch.sig.data[0, 100] = torch.nan\n"
        "    return forward(brain, batch, stage)\n"
        "ASRBrain.compute_forward = poisoned\n"
        "def compare(brain):\n"
        "    mine = torch.cat([p.detach().flatten() for p in brain.model.parameters()])\n"
        "    first = mine.clone()\n"
        "    torch.distributed.broadcast(first, src=0)\n"
        "    assert torch.equal(mine, first)\n"
        "    assert brain.optimizer_step > 1\n"
        "    assert mine.isfinite().all() and brain.hparams.normalize.glob_mean.isfinite().all()\n"
        "    print('same weights')\n"
        "load = ASRBrain.on_evaluate_start\n"
        "def compare_and_load(brain, *args, **kwargs):\n"
        "    if brain.tested_checkpoints is None:\n"
        "        compare(brain)\n"
        "    load(brain, *args, **kwargs)\n"
        "ASRBrain.on_evaluate_start = compare_and_load\n"
        "run_experiment(sys.argv[1:], prepare)\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_port=0", "--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
    command += [str(script), *arguments(corpus, tmp_path / "run", "conformer.yaml", **ATTENTION)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-6000:]
    assert done.stdout.count("same weights") == 2
    # the normaliser's statistics, and so the losses, are those of both
    skipped = sorted(file.name for file in (tmp_path / "run" / "not_finite").iterdir())
    assert skipped == ["step2_process0.pt", "step2_process1.pt"]
    assert done.stderr.count("whose samples are not finite") == 1
    assert (tmp_path / "run" / "results" / "test-mini.json").is_file()


def test_given_tokenizer_sets_the_vocabulary(corpus, tmp_path):
    first = train(corpus, tmp_path / "a", "conformer_ctc.yaml")
    [tokenizer] = (tmp_path / "a").rglob("*.model")
    line = arguments(corpus, tmp_path / "b", "conformer_ctc.yaml", tokenizer_file=tokenizer)
    line.remove(f"--output_neurons={PIECES}")
    brain = run_experiment(line, load_recipe("LibriSpeech", "train").prepare)
    assert brain.hparams.output_neurons == PIECES
    # the run keeps it, and can be used where the original is not
    [kept] = (tmp_path / "b").rglob("*.model")
    assert kept.read_bytes() == tokenizer.read_bytes()
    tokenizer.unlink()
    (tmp_path / "b").rename(tmp_path / "c")
    assert load_run(tmp_path / "c").tokenizer.get_piece_size() == PIECES
    assert_same_weights(weights(first), weights(brain))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"number_of_epoch": 3}, ValueError, "did you mean number_of_epochs"),
        ({"data_folder": "/nowhere"}, FileNotFoundError, "data_folder: there is no folder"),
        ({"attention_type": "SumaryMixing"}, ValueError, "Unknown mixer 'SumaryMixing'"),
        ({"encoder_module": "konformer"}, ValueError, "Unknown encoder_module 'konformer'"),
        ({"nhead": 5}, ValueError, "5"),
        ({"mixer_preset": "1.0"}, ValueError, "speechbrain1.0"),
        ({"valid_decoding": "joint_beam"}, ValueError, "valid_decoding: joint_beam needs"),
        ({"test_decoding": "viterbi"}, ValueError, "test_decoding: choose ctc_greedy, "),
        ({"avg_checkpoints_by": "ACC"}, ValueError, "choose last, loss, WER or CER"),
        ({"tokenizer_file": "no.model"}, FileNotFoundError, "tokenizer_file: there is no file"),
        ({"token_type": "unigram", "output_neurons": 5000}, ValueError, "5000 pieces"),
        ({"output_neurons": 17}, ValueError, "16 pieces and the model 17 outputs"),
        ({"train_splits": "[train-clean-100]"}, FileNotFoundError, "train-clean-100"),
        ({"avoid_if_longer_than": 0.1}, ValueError, "no utterance is left to train on"),
        ({"max_batch_length_train": 1000, "grad_accumulation_factor": 9}, ValueError, "lower max"),
        ({"test_only": None}, FileNotFoundError, "no checkpoint of a whole epoch"),
    ],
)
def test_bad_input(corpus, tmp_path, changes, error, message):
    flags = ["--test_only"] if "test_only" in changes else []
    changes.pop("test_only", None)
    with pytest.raises(error, match=message):
        train(corpus, tmp_path, "conformer_ctc.yaml", *flags, **changes)


def test_abbreviated_run_option(corpus, tmp_path):
    with pytest.raises(ValueError, match="did you mean test_only"):
        train(corpus, tmp_path, "conformer_ctc.yaml", "--test_onl")


def test_placeholder(tmp_path):
    with pytest.raises(ValueError, match="leaves data_folder to you"):
        run_experiment([str(HPARAMS / "conformer.yaml")], None)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        run_experiment([str(tmp_path / "nowhere.yaml")], None)


def test_checkpoint_of_another_model(corpus, tmp_path):
    train(corpus, tmp_path, "conformer_ctc.yaml")
    for changes in ({"d_model": 16, "local_out": 16, "summary_out": 16}, {"mixer_form": "lite"}):
        with pytest.raises(ValueError, match=r"another model.*--output_folder"):
            train(corpus, tmp_path, "conformer_ctc.yaml", number_of_epochs=2, **changes)
    # what is no part of the model may change
    train(corpus, tmp_path, "conformer_ctc.yaml", number_of_epochs=2, dropout=0.2, lr=0.0001)

    (tmp_path / "save" / "model.json").unlink()
    with pytest.raises(ValueError, match=r"another model.*--output_folder"):
        train(corpus, tmp_path, "conformer_ctc.yaml", number_of_epochs=3, d_ffn=16)
    with pytest.raises(ValueError, match=r"another model.*--output_folder"):
        train(corpus, tmp_path, "conformer_ctc.yaml", "--test_only", d_ffn=16)
