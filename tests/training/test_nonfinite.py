"""Batches that are not finite: skipped without a trace, named, and few in a row."""

import pytest
import speechbrain as sb
import torch
from speechbrain.dataio.batch import PaddedBatch

from summarymixing_sb.models.checkpoints import not_finite


@pytest.fixture
def training(brain):
    brain.modules.train()
    brain.on_stage_start(sb.Stage.TRAIN, 1)
    return brain


def state(brain):
    """All that a bad batch could poison."""
    normalize = brain.hparams.normalize
    values = {name: value.clone() for name, value in brain.model.state_dict().items()}
    values |= {"count": torch.tensor(normalize.count), "mean": normalize.glob_mean.clone()}
    values["std"] = normalize.glob_std.clone()
    for number, slots in enumerate(brain.optimizer.state.values()):
        values |= {f"{number} {name}": value.clone() for name, value in slots.items()}
    return values


def fit(brain, items, bad=None, value=float("nan")):
    """One batch; of one utterance, one sample may be bad."""
    items = [dict(item) for item in items]
    if bad is not None:
        items[bad]["sig"] = items[bad]["sig"].clone()
        items[bad]["sig"][100] = value
    brain.step += 1
    brain.fit_batch(PaddedBatch(items))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_bad_sample_leaves_no_trace(training, items, value, caplog):
    fit(training, items)
    before = state(training)
    fit(training, items, bad=1, value=value)
    after = state(training)
    for name, expected in before.items():
        assert torch.equal(expected, after[name]), name
    assert training.optimizer_step == 1
    assert "a loss at optimiser step 2, utterances a, b, c" in caplog.text
    assert ("first of all b, whose samples are not finite" in caplog.text) == (value != 1e30)
    [dumped] = (training.nonfinite_steps.folder).glob("*.pt")
    [batch] = torch.load(dumped, weights_only=True)
    assert batch["id"] == ["a", "b", "c"]
    assert not batch["sig"][1].nan_to_num(torch.inf).abs().max() < 1e20
    fit(training, items)
    assert training.optimizer_step == 2


def test_of_accumulated_batches_only_the_bad_one_is_named(training, items, caplog):
    training.grad_accumulation_factor = 2
    before = state(training)
    fit(training, items[:1])
    fit(training, items[1:], bad=0)
    assert "utterances b, c, first of all b," in caplog.text
    after = state(training)
    for name, expected in before.items():
        assert torch.equal(expected, after[name]), name


def test_the_end_of_an_epoch_forgets_a_bad_rest(training, items):
    training.grad_accumulation_factor = 4
    before = state(training)
    fit(training, items, bad=0)
    training.on_stage_end(sb.Stage.TRAIN, 0.0, 1)
    assert state(training).keys() == before.keys()
    assert torch.equal(training.hparams.normalize.glob_mean, before["mean"])


def test_stops_after_the_patience(training, items):
    for _ in range(3):
        fit(training, items, bad=0)
    fit(training, items)
    for _ in range(3):
        fit(training, items, bad=0)
    with pytest.raises(FloatingPointError, match=r"4 in a row.*utterances a, b, c.*lr \(now"):
        fit(training, items, bad=0)


def test_gradients_that_are_not_finite(training, items, caplog):
    """With losses that are."""
    parameter = next(iter(training.model.parameters()))
    parameter.register_hook(lambda gradient: gradient * float("inf"))
    fit(training, items)
    assert training.optimizer_step == 0
    assert "Not finite, so skipped: gradients at optimiser step 1" in caplog.text


class Scaler(torch.amp.GradScaler):
    """The scaler of fp16 as on a GPU, on the processor."""

    def __init__(self):
        super().__init__("cpu", init_scale=1024.0)


def test_under_a_scaler(training, items):
    training.scaler = Scaler()
    fit(training, items)
    before = state(training)
    fit(training, items, bad=0)
    for name, expected in before.items():
        assert torch.equal(expected, state(training)[name]), name
    assert training.scaler.get_scale() == 1024.0
    # an overflow of gradients is the scaler's: it lowers its scale, and no step is named
    parameter = next(iter(training.model.parameters()))
    hook = parameter.register_hook(lambda gradient: gradient * float("inf"))
    fit(training, items)
    hook.remove()
    assert training.scaler.get_scale() == 512.0
    assert training.nonfinite_steps.in_a_row == 0
    for name in dict(training.model.named_parameters()):
        assert torch.equal(before[name], state(training)[name]), name


@pytest.mark.parametrize("save", ["_save_intra_epoch_ckpt", "_save_epoch"])
def test_weights_that_are_not_finite_are_not_saved(training, save):
    with torch.no_grad():
        next(iter(training.model.parameters()))[0] = float("nan")
    assert not_finite(training.model.state_dict())
    arguments = (1, {"loss": 0.0}) if save == "_save_epoch" else ()
    with pytest.raises(FloatingPointError, match=r"nothing is saved: lower lr"):
        getattr(training, save)(*arguments)
    assert not training.checkpointer.list_checkpoints()


def test_validation_shows_losses_that_are_not_finite(brain):
    brain.modules.eval()
    average = 0.0
    for brain.step, loss in enumerate([1.0, float("nan"), 3.0], 1):
        average = brain.update_average(torch.tensor(loss), average)
    assert average != average
