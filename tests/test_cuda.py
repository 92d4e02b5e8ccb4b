"""Training, decoding and streams on CUDA: a real GPU where there is one, else a pretended one."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import speechbrain as sb
import torch
from one_step import build_brain, small_overrides, two_utterances
from pretend_cuda import pretend_cuda
from speechbrain.decoders import transducer
from tone_words import speak

from summarymixing_sb import list_mixers
from summarymixing_sb.inference.recogniser import Recogniser
from summarymixing_sb.inference.run import load_run
from summarymixing_sb.inference.transcribe import transcribe_stream

HPARAMS = Path(__file__).resolve().parents[1] / "hparams"
LIBRISPEECH = HPARAMS / "LibriSpeech"
#: Where a training step of this package waits for the device; CONTRIBUTING.md says why.
WAITS = {
    "summarymixing_sb/training/nonfinite.py found: tolist",
    "summarymixing_sb/training/tasks/transducer.py predict: item",
    "summarymixing_sb/encoders/contextnet.py _normalise: index",
    "summarymixing_sb/encoders/contextnet.py _normalise: index_put",
}


@pytest.fixture
def cuda():
    """The mode that counts waits, or None on a real GPU."""
    with nullcontext() if torch.cuda.is_available() else pretend_cuda() as mode:
        yield mode


def name(value):
    return f"{value.parent.name}-{value.stem}" if isinstance(value, Path) else None


CASES = [(file, {}) for file in sorted(HPARAMS.glob("*/*.yaml"))]
CASES += [(LIBRISPEECH / "conformer.yaml", {"attention_type": m}) for m in list_mixers()]
CASES += [
    (LIBRISPEECH / "conformer_ctc.yaml", options)
    for options in (
        {"summary_pooling": "decay", "learn_summary_decay": True},
        {"summary_pooling": "window"},
        {"mixer_form": "lite"},
        {"mixer_form": "fast"},
        {"causal": True},
    )
]


@pytest.mark.parametrize(("file", "options"), CASES, ids=lambda value: name(value) or str(value))
def test_a_training_step(cuda, file, options, tmp_path):
    """Front end, normaliser, augmentation, losses, clipping, optimiser."""
    overrides = small_overrides(file, options, tmp_path)
    brain = build_brain(file, overrides, tmp_path, "cuda:0")
    batch = two_utterances(brain)
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.modules.train()
    if cuda is not None:
        cuda.waits.clear()
    loss = brain.fit_batch(batch)
    assert loss.isfinite()
    assert brain.optimizer_step == 1
    for parameter in brain.model.parameters():
        assert parameter.device.type == "cuda"
    if cuda is not None:
        waits = {place for place in cuda.waits if place.startswith("summarymixing_sb")}
        assert waits <= WAITS


class TorchOfLists:
    """torch, for SpeechBrain's transducer search: it makes a tensor of a list of them.

    C++ would read what the pretended ones point to.
    """

    def __getattr__(self, name):
        return getattr(torch, name)

    @staticmethod
    def Tensor(numbers):
        return torch.Tensor([float(number) for number in numbers])


@pytest.mark.parametrize(
    ("file", "decoding"),
    [
        ("conformer", "ctc_greedy"),
        ("conformer", "ctc_prefix_beam"),
        ("conformer", "joint_beam"),
        ("conformer_transducer", "transducer_greedy"),
        ("conformer_transducer", "transducer_beam"),
        ("conformer_transducer", "ctc_greedy"),
    ],
)
def test_decodings(cuda, file, decoding, tmp_path, monkeypatch):
    if cuda is not None:
        monkeypatch.setattr(transducer, "torch", TorchOfLists())
    file = LIBRISPEECH / f"{file}.yaml"
    options = {"valid_decoding": decoding, "test_decoding": decoding}
    brain = build_brain(file, small_overrides(file, options, tmp_path), tmp_path, "cuda:0")
    batch = two_utterances(brain)
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    brain.modules.train()
    brain.fit_batch(batch)
    brain.modules.eval()
    for stage in (sb.Stage.VALID, sb.Stage.TEST):
        brain.on_stage_start(stage, brain.hparams.number_of_epochs)
        assert torch.isfinite(brain.evaluate_batch(batch, stage))
        assert len(brain.hypotheses) == 2


def on_cuda(folder, cuda):
    """A trained run, on the device."""
    if cuda is None:
        return load_run(folder, "cuda:0")
    with torch.utils._python_dispatch._disable_current_modes():
        run = load_run(folder)
    for module in (*run.modules.values(), run.front_end):
        module.to("cuda:0")
    return replace(run, device=torch.device("cuda:0"))


@pytest.mark.parametrize("window", [0, 3.0])
@pytest.mark.parametrize("decoding", ["ctc_greedy", "joint_beam"])
def test_recordings_in_windows(cuda, trained_run, window, decoding):
    words = ["ABLE", "DOG", "FOX", "BAKER", "ABLE"]
    run = on_cuda(trained_run, cuda)
    recogniser = Recogniser(run, decoding, window, overlap=1.0)
    [found] = recogniser.transcribe([torch.tensor(speak(words), dtype=torch.float32)])
    assert [word.word for word in found] == words


def test_a_stream(cuda, trained_run, capsys):
    run = on_cuda(trained_run, cuda)
    sound = torch.tensor(speak(["ABLE", "DOG"]), dtype=torch.float32)
    assert transcribe_stream(run, sound, 320)["text"]


def test_devices_that_meet_are_seen():
    """The pretended device keeps CUDA's rules."""
    with pretend_cuda() as cuda:
        on_device, other = torch.ones(2, device="cuda:0"), torch.ones(2)
        with pytest.raises(RuntimeError, match="on cuda:0 and on cpu"):
            on_device + other
        with pytest.raises(TypeError, match="cuda:0"):
            on_device.numpy()
        assert (on_device + other.to(on_device.device)).cpu().tolist() == [2, 2]
        layer = torch.nn.Linear(2, 2).to("cuda")
        layer(on_device).sum().backward()
        assert layer.weight.grad.device == torch.device("cuda", 0)
        assert not cuda.waits  # those of tests are not counted
