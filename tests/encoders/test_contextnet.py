"""ContextNet: SpeechBrain's outputs, and no frame of padding in them."""

import copy

import pytest
import torch
from speechbrain.lobes.models import ContextNet as speechbrain_contextnet

from summarymixing_sb import ContextNet, TransformerASR

OPTIONS = {
    "input_shape": (None, None, 10),
    "out_channels": 12,
    "conv_channels": [8, 8, 16],
    "strides": [1, 2, 2],
    "num_blocks": 3,
    "num_layers": 2,
    "inner_dim": 4,
    "residuals": [True, False, True],
}


def make_pair(**options):
    theirs = speechbrain_contextnet.ContextNet(**OPTIONS | options)
    ours = ContextNet(**OPTIONS | options)
    randomise(theirs)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def randomise(model):
    """Give every parameter and running statistic a value that matters."""
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            torch.nn.init.uniform_(tensor, 0.5, 2)
        elif tensor.is_floating_point():
            torch.nn.init.normal_(tensor, std=0.5)


@pytest.fixture
def _double():
    """Compare in float64: before a batch norm, gradients of biases are zero but for rounding."""
    torch.set_default_dtype(torch.double)
    yield
    torch.set_default_dtype(torch.float)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("time", [37, 40])
def test_same_outputs_gradients_and_statistics_without_padding(kernel_size, training, time):
    theirs, ours = make_pair(kernel_size=kernel_size, dropout=0.0)
    before = copy.deepcopy(theirs.state_dict())
    x = torch.randn(3, time, 10)
    expected = run(theirs.train(training), x)
    for frames in (None, torch.full((3,), time)):
        ours.load_state_dict(before)
        for name, value in run(ours.train(training), x, frames).items():
            torch.testing.assert_close(value, expected[name], rtol=1e-8, atol=1e-8, msg=name)


def run(model, *inputs):
    """What a forward and a backward leave, by name: output, gradients and statistics."""
    model.zero_grad()
    out = model(*inputs)
    out.square().sum().backward()
    gradients = {f"gradient of {name}": p.grad.clone() for name, p in model.named_parameters()}
    return {"output": out.detach(), **gradients, **copy.deepcopy(model.state_dict())}


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_alone_equals_batched(kernel_size):
    _, model = make_pair(kernel_size=kernel_size)
    model.eval()
    frames = torch.tensor([50, 49, 48, 47, 20, 9, 5, 4, 3, 2, 1])
    x = torch.randn(len(frames), 50, 10)
    lengths = model.subsampled(frames)
    with torch.no_grad():
        out = model(x, frames)
        for row, (count, length) in enumerate(zip(frames.tolist(), lengths.tolist())):
            alone = model(x[row : row + 1, :count])
            assert alone.shape[1] == length
            assert (out[row, :length] - alone[0]).abs().max() < 1e-5


def test_padding_is_never_read():
    _, model = make_pair(dropout=0.0)
    frames = torch.tensor([30, 13])
    valid = torch.arange(30) < frames.unsqueeze(1)
    x = torch.randn(2, 30, 10)
    poisoned = x.masked_fill(~valid.unsqueeze(-1), torch.nan)
    kept = torch.arange(8) < model.subsampled(frames).unsqueeze(1)
    for training in (False, True):
        clean, out = (model.train(training)(y, frames) for y in (x, poisoned))
        assert torch.equal(out[kept], clean[kept])
        assert torch.isfinite(out).all()


def test_batch_statistics_do_not_depend_on_the_amount_of_padding():
    _, model = make_pair(dropout=0.0)
    _, padded = make_pair(dropout=0.0)
    padded.load_state_dict(model.state_dict())
    frames = torch.tensor([30, 13])
    x = torch.randn(2, 30, 10)
    out, more = model(x, frames), padded(torch.nn.functional.pad(x, (0, 0, 0, 25)), frames)
    for row, length in enumerate(model.subsampled(frames).tolist()):
        torch.testing.assert_close(more[row, :length], out[row, :length])
    for name, value in model.state_dict().items():
        torch.testing.assert_close(padded.state_dict()[name], value, msg=name)


def test_a_model_whose_encoder_is_contextnet():
    encoder = ContextNet(**OPTIONS).eval()
    model = TransformerASR(
        tgt_vocab=9,
        input_size=12,
        d_model=16,
        nhead=2,
        num_encoder_layers=0,
        num_decoder_layers=1,
        d_ffn=32,
        attention_type="none",
    ).eval()
    frames, tokens = torch.tensor([40, 22]), torch.randint(1, 9, (2, 5))
    x = torch.randn(2, 40, 10)
    lengths = encoder.subsampled(frames) / 10
    with torch.no_grad():
        encoded, decoded = model(encoder(x, frames), tokens, lengths)
        # A projection and a norm, no positions: the frames do not know where they stand.
        projected = model.encoder.norm(model.custom_src_module(encoder(x, frames)))
        torch.testing.assert_close(encoded, projected)
        alone, alone_decoded = model(encoder(x[1:, :22]), tokens[1:], torch.ones(1))
    assert decoded.shape == (2, 5, 16)
    assert (encoded[1, : alone.size(1)] - alone[0]).abs().max() < 1e-5
    assert (decoded[1] - alone_decoded[0]).abs().max() < 1e-5


@pytest.mark.parametrize(
    "options",
    [{"attention_type": "SummaryMixing"}, {"attention_type": "none", "causal": True}],
)
def test_no_encoder_layers_take_no_mixer_and_are_not_causal(options):
    with pytest.raises(ValueError, match="front end is the whole encoder"):
        TransformerASR(9, 12, d_model=16, nhead=2, num_encoder_layers=0, **options)


def test_what_cannot_work_is_refused():
    with pytest.raises(ValueError, match="norm cannot be chosen"):
        ContextNet(**OPTIONS, norm=torch.nn.Identity)
    with pytest.raises(ValueError, match="must be an odd number"):
        ContextNet(**OPTIONS, kernel_size=4)
    with pytest.raises(ValueError, match="num_encoder_layers must be 0 or more, not -1"):
        TransformerASR(9, 12, d_model=16, nhead=2, num_encoder_layers=-1)
