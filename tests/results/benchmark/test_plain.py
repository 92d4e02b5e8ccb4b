"""The plain forms are the mixers that they stand for."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig
from torch import nn

from results.benchmark.plain import PlainFastFormer, PlainSummaryMixing, write_plainly
from summarymixing_sb.encoders import ConformerEncoder
from summarymixing_sb.mixers import FastFormer, SummaryMixing
from summarymixing_sb.mixers.summary_mixing import FORMS, PRESETS

MASK = torch.arange(11) >= torch.tensor([[11], [7], [1]])  # (3, 11)


def assert_same(mixer, plain, chunks=None, padding_mask=MASK):
    """Same outputs at valid frames, same gradients of input and shared parameters."""
    x = torch.randn(3, 11, 12, dtype=torch.float64)
    found = []
    for model in (mixer, plain):
        model.zero_grad()
        inputs = x.clone().requires_grad_()
        valid = ~padding_mask if padding_mask is not None else torch.ones(3, 11, dtype=torch.bool)
        out = model(inputs, padding_mask, chunks)[valid]
        out.backward(torch.linspace(-1, 1, out.numel(), dtype=torch.float64).view_as(out))
        found.append((out, inputs.grad, *(p.grad.clone() for p in shared(mixer, plain))))
    for expected, got in zip(*found):
        assert (expected - got).abs().max() <= 1e-12 * (1 + expected.abs().max())


def shared(mixer, plain):
    theirs = {id(p) for p in plain.parameters()}
    return [p for p in mixer.parameters() if id(p) in theirs]


CHUNKS = [None, DynChunkTrainConfig(4, 1), DynChunkTrainConfig(3, None)]


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", FORMS)
def test_plain_is_ours_with_gradients(form, preset, chunks):
    mixer = SummaryMixing(12, nhead=2, form=form, preset=preset, dropout=0.5).double().eval()
    for parameter in mixer.parameters():
        nn.init.normal_(parameter, std=0.5)
    plain = PlainSummaryMixing(mixer).eval()
    assert_same(mixer, plain, chunks)
    assert_same(mixer, plain, chunks, padding_mask=None)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    "pooling", [{"pooling": "decay", "learn_decay": True}, {"pooling": "window", "window": 2}]
)
def test_plain_means_of_each_frame_are_ours(pooling, preset, chunks):
    mixer = SummaryMixing(12, nhead=2, preset=preset, **pooling).double().eval()
    plain = PlainSummaryMixing(mixer).eval()
    assert_same(mixer, plain, chunks)
    assert_same(mixer, plain, chunks, padding_mask=None)


def test_gradients_of_the_joined_combiner():
    mixer = SummaryMixing(12).double().eval()
    plain = PlainSummaryMixing(mixer).eval()
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    mixer(x).square().sum().backward()
    plain(x).square().sum().backward()
    joined = torch.cat([mixer.combine_local.weight.grad, mixer.combine_summary.weight.grad], 1)
    torch.testing.assert_close(plain.combine.weight.grad, joined)
    torch.testing.assert_close(plain.combine.bias.grad, mixer.combine_local.bias.grad)


def test_plain_fastformer_is_ours():
    mixer = FastFormer(12, nhead=3).double().eval()
    assert_same(mixer, PlainFastFormer(mixer).eval())


def test_shared_dropout_is_refused():
    with pytest.raises(ValueError, match="summary_dropout='per_frame', not 'shared'"):
        PlainSummaryMixing(SummaryMixing(12, summary_dropout="shared"))


def test_every_layer_is_written_plainly():
    encoder = ConformerEncoder(num_layers=3, d_model=12, d_ffn=8, nhead=1, kernel_size=3).eval()
    x = torch.randn(3, 11, 12)
    expected = encoder(x, MASK)
    assert write_plainly(encoder) is encoder
    assert all(isinstance(layer.mha_layer, PlainSummaryMixing) for layer in encoder.layers)
    assert (encoder(x, MASK) - expected)[~MASK].abs().max() < 1e-5
