"""Checkpoints: random state, averages in memory, the model they belong to."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from summarymixing_sb.models.checkpoints import load_average
from summarymixing_sb.training.checkpoints import RandomState, Stopwatch, check_same_model

ROOT = Path(__file__).resolve().parents[2]


def test_random_state(tmp_path):
    state = RandomState()
    state.save(tmp_path / "state")
    first = random.random(), torch.rand(3)
    state.load(tmp_path / "state", end_of_epoch=True)
    assert random.random() == first[0]
    assert torch.equal(torch.rand(3), first[1])


@pytest.fixture
def saved(brain):
    """Checkpoints of three epochs, all weights 1, 2, 4, and one within an epoch."""
    losses = {1: 3.0, 2: 1.0, 4: 2.0}
    normalize = brain.hparams.normalize
    for value, loss in losses.items():
        fill(brain, float(value))
        normalize.count, normalize.glob_mean = value, torch.full((80,), float(value))
        brain.checkpointer.save_checkpoint(meta={"loss": loss, "epoch": value})
    fill(brain, 100.0)
    brain.checkpointer.save_checkpoint(end_of_epoch=False)
    return brain


def fill(brain, value):
    with torch.no_grad():
        for parameter in brain.model.parameters():
            parameter.fill_(value)


@pytest.mark.parametrize(
    ("number", "by", "average", "latest"),
    [
        (1, "last", 4.0, 4),
        (2, "last", 3.0, 4),
        (10, "last", 7 / 3, 4),
        (2, "loss", 3.0, 4),
        (1, "loss", 2.0, 2),
    ],
)
def test_average(saved, number, by, average, latest):
    folder = saved.checkpointer.checkpoints_dir
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    hparams = saved.hparams
    found = load_average(saved.checkpointer, saved.model, hparams.normalize, number, by)
    assert len(found) == min(number, 3)
    for parameter in saved.model.parameters():
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, average))
    assert hparams.normalize.count == latest
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_no_checkpoint_with_the_score(saved):
    hparams = saved.hparams
    with pytest.raises(
        FileNotFoundError, match="no checkpoint of a whole epoch with the score WER"
    ):
        load_average(saved.checkpointer, saved.model, hparams.normalize, 1, "WER")


def test_same_model(saved):
    identity = {"Transformer.nhead": 4, "targets": "abc"}
    check_same_model(saved.checkpointer, identity)
    check_same_model(saved.checkpointer, identity)
    check_same_model(saved.checkpointer, {"Transformer.nhead": 4})
    with pytest.raises(ValueError, match=r"nhead: 4 there, 8 now"):
        check_same_model(saved.checkpointer, {"Transformer.nhead": 8})
    with pytest.raises(ValueError, match="targets: abc there, xyz now"):
        check_same_model(saved.checkpointer, {**identity, "targets": "xyz"})


def test_stopwatch_counts_on(tmp_path):
    first, second = Stopwatch(), Stopwatch()
    assert first.seconds() == 0
    first.before = 100.0
    first.start()
    assert 100 < first.seconds() < 101
    first.save(tmp_path / "seconds")
    second.load(tmp_path / "seconds", end_of_epoch=True)
    assert 100 < second.seconds() < 101


def test_every_process_has_its_own_random_state_after_a_resume(tmp_path):
    """Two real processes save together and are restored each to its own state."""
    script = tmp_path / "two.py"
    script.write_text(
        "import sys, random, torch\n"
        "from pathlib import Path\n"
        "from summarymixing_sb import Checkpointer\n"
        "from summarymixing_sb.training.checkpoints import RandomState\n"
        "torch.distributed.init_process_group('gloo')\n"
        "rank = torch.distributed.get_rank()\n"
        "torch.manual_seed(rank), random.seed(rank)\n"
        "checkpointer = Checkpointer(sys.argv[1], {'random': RandomState()})\n"
        "checkpointer.save_checkpoint()\n"
        "expected = torch.rand(2).tolist(), random.random()\n"
        "torch.manual_seed(7), random.seed(7)\n"
        "torch.distributed.barrier()\n"
        "checkpointer.recover_if_possible()\n"
        "assert (torch.rand(2).tolist(), random.random()) == expected\n"
        "Path(sys.argv[1], f'restored{rank}').touch()\n"
        "torch.distributed.barrier()\n"
        "torch.distributed.destroy_process_group()\n"  # its threads must end before Python does
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    command += ["--master_port=0", "--rdzv_backend=c10d", "--rdzv_endpoint=localhost:0"]
    command += [str(script), str(tmp_path / "save")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-4000:]
    assert (tmp_path / "save" / "restored0").is_file()
    assert (tmp_path / "save" / "restored1").is_file()


def test_random_state_of_an_earlier_version(tmp_path):
    torch.save(RandomState.capture(), tmp_path / "state")
    expected = torch.rand(3)
    RandomState().load(tmp_path / "state", end_of_epoch=True)
    assert torch.equal(torch.rand(3), expected)


def test_checkpoints_of_an_earlier_version_are_averaged_with_new_ones(saved):
    """Versions before 0.2 named parts by their positions."""
    newest = saved.checkpointer.find_checkpoint(ckpt_predicate=lambda c: c.meta.get("epoch") == 4)
    meta = {name: value for name, value in newest.meta.items() if name != "sizes"}
    (newest.path / "CKPT.yaml").write_text(yaml.safe_dump(meta))
    names = [str(position) for position in range(len(saved.model))]
    earlier = nn.ModuleDict(dict(zip(names, saved.model.values()))).state_dict()
    torch.save(
        {name: torch.full_like(v, 4.0) for name, v in earlier.items()}, newest.paramfiles["model"]
    )
    load_average(saved.checkpointer, saved.model, saved.hparams.normalize, 2, "last")
    for parameter in saved.model.parameters():
        torch.testing.assert_close(parameter.detach(), torch.full_like(parameter, 3.0))


def test_identity_of_an_earlier_version(saved):
    """It had no number of heads for the decoder, which had the mixer's."""
    predictor = "!new:summarymixing_sb.predictor.Predictor"
    earlier = {"Transformer.nhead": 4, "predictor.!": predictor, "label_lin": None, "targets": "a"}
    file = saved.checkpointer.checkpoints_dir / "model.json"
    file.write_text(json.dumps(earlier), encoding="utf-8")
    now = {**earlier, "predictor.!": "!new:summarymixing_sb.Predictor"}
    del now["label_lin"]
    check_same_model(saved.checkpointer, {**now, "Transformer.decoder_nhead": 4})
    with pytest.raises(ValueError, match="decoder_nhead: 4 there, 2 now"):
        check_same_model(saved.checkpointer, {**now, "Transformer.decoder_nhead": 2})


MIXER = "Transformer.mixer_options.SummaryMixing"


def test_identity_before_positions_and_activation_had_keys(saved):
    earlier = {
        "Transformer.positional_encoding": "fixed_abs_sine",
        "Transformer.nhead": 4,
        f"{MIXER}.preset": "interspeech2024",
        "targets": "a",
    }
    file = saved.checkpointer.checkpoints_dir / "model.json"
    file.write_text(json.dumps(earlier), encoding="utf-8")
    now = {
        "Transformer.encoder_positions": True,
        "Transformer.decoder_positions": True,
        "Transformer.nhead": 4,
        "Transformer.decoder_nhead": 4,
        f"{MIXER}.preset": "interspeech2024",
        f"{MIXER}.activation": "gelu",
        f"{MIXER}.initialisation": "original",
        "targets": "a",
    }
    for identity in (earlier, now):  # a run's own YAML file, and the one of this version
        check_same_model(saved.checkpointer, identity)
    for key, value in (("Transformer.encoder_positions", False), (f"{MIXER}.activation", "swish")):
        with pytest.raises(ValueError, match=f"{key}: .* there, {value} now"):
            check_same_model(saved.checkpointer, {**now, key: value})


def test_identity_of_an_earlier_model_without_decoder(saved):
    earlier = {
        "Transformer.positional_encoding": None,
        "Transformer.nhead": 4,
        "Transformer.num_decoder_layers": 0,
        "predictor.!": "!new:summarymixing_sb.predictor.Predictor",
        "targets": "a",
    }
    file = saved.checkpointer.checkpoints_dir / "model.json"
    file.write_text(json.dumps(earlier), encoding="utf-8")
    check_same_model(saved.checkpointer, earlier)
    now = {
        "Transformer.encoder_positions": False,
        "Transformer.nhead": 4,
        "Transformer.num_decoder_layers": 0,
        "predictor.!": "!new:summarymixing_sb.Predictor",
        "targets": "a",
    }
    check_same_model(saved.checkpointer, now)


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_damaged_identity(saved, content):
    check_same_model(saved.checkpointer, {"d_model": 1, "targets": "x"})
    (Path(saved.checkpointer.checkpoints_dir) / "model.json").write_text(content)
    with pytest.raises(ValueError, match=r"model\.json is damaged: remove it"):
        check_same_model(saved.checkpointer, {"d_model": 1})
