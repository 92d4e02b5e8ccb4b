"""Encoders whose layers have different mixers."""

import pytest
import torch
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb import TransformerASR
from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder, TransformerEncoder
from summarymixing_sb.mixers import LocalAttention, RoPESDPA, SummaryMixing

KINDS = {
    "branchformer": (BranchformerEncoder, {"csgu_linear_units": 24, "kernel_size": 7}),
    "conformer": (ConformerEncoder, {"d_ffn": 32, "kernel_size": 7}),
    "transformer": (TransformerEncoder, {"d_ffn": 32}),
}
ONE_IN_THREE = ["SummaryMixing", "SummaryMixing", "RoPESDPA"]
CHUNKS = DynChunkTrainConfig(4, 2)


def make(kind, names, num_layers=6, **options):
    encoder, sizes = KINDS[kind]
    return encoder(
        num_layers=num_layers, d_model=16, nhead=2, attention_type=names, **sizes, **options
    ).eval()


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_layers_take_turns(kind):
    model = make(kind, ONE_IN_THREE).double()
    kinds = [type(layer.mixer) for layer in model.layers]
    assert kinds == [SummaryMixing, SummaryMixing, RoPESDPA] * 2
    assert model.attention_type == "SummaryMixing,SummaryMixing,RoPESDPA"
    assert str(model) == str(make(kind, model.attention_type).double())
    pure = [count(make(kind, name)) for name in ("SummaryMixing", "RoPESDPA")]
    assert 3 * count(model) == 2 * pure[0] + pure[1]

    x = torch.randn(2, 15, 16, dtype=torch.double)
    padding_mask = torch.arange(15) >= torch.tensor([[15], [9]])
    whole = model(x, padding_mask)
    assert (model(x[1:, :9]) - whole[1:, :9]).abs().max() < 1e-12
    by_hand = x
    for layer in model.layers:
        by_hand = layer(by_hand, padding_mask)
    assert torch.equal(model.norm(by_hand), whole)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_streams(kind):
    model = make(kind, [*ONE_IN_THREE, "LocalAttention"], num_layers=4).double()
    x = torch.randn(3, 15, 16, dtype=torch.double)
    state = model.make_state(CHUNKS)
    found = torch.cat([model.step(chunk, state) for chunk in x.split(4, dim=1)], dim=1)
    assert (found - model(x, chunks=CHUNKS)).abs().max() < 1e-12


def test_options_of_each_mixer():
    options = {"SummaryMixing": {"form": "lite"}, "LocalAttention": {"left": 3, "right": 2}}
    model = make("conformer", "SummaryMixing,LocalAttention", 2, mixer_options=options)
    first, second = (layer.mixer for layer in model.layers)
    assert first.form == "lite"
    assert isinstance(second, LocalAttention)
    assert (second.left, second.right) == (3, 2)
    with pytest.raises(
        ValueError, match=r"under the name of its own \(SummaryMixing, Local.*'form'"
    ):
        make("conformer", "SummaryMixing,LocalAttention", 2, mixer_options={"form": "lite"})


@pytest.mark.parametrize("first", ["SummaryMixing", "regularMHA"])
@torch.no_grad()
def test_absolute_and_relative_positions_together(first):
    """The layer of relative positions gets its own, and sinusoids are added to the frames."""
    torch.manual_seed(0)
    options = {
        "tgt_vocab": 10, "input_size": 8, "d_model": 16, "nhead": 2, "num_encoder_layers": 2,
        "num_decoder_layers": 0, "d_ffn": 16, "kernel_size": 3, "encoder_module": "conformer",
        "attention_type": [first, "RelPosMHAXL"],
    }  # fmt: skip
    model = TransformerASR(**options).eval()
    assert model.attention_type == f"{first},RelPosMHAXL"
    src = torch.randn(2, 9, 8)
    frames = model.custom_src_module(src)
    relative = model.positional_encoding(frames)
    expected = model.encoder(frames + model._sinusoids(frames), positions=relative)
    assert torch.equal(model.encode(src), expected)
    bare = TransformerASR(**options, encoder_positions=False).eval()
    bare.load_state_dict(model.state_dict())
    assert torch.equal(bare.encode(src), model.encoder(frames, positions=relative))


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("SummaryMixing,,none", {}, "a name is missing in"),
        ([], {}, "a name is missing in"),
        ("SummaryMixing,SumaryMixing", {}, "Unknown mixer 'SumaryMixing'.*mean SummaryMixing"),
        ("SummaryMixing,hypermixing", {"causal": True}, "hypermixing sees the whole .* causal"),
        ("SummaryMixing," * 6 + "none", {}, "names 7 mixers, and num_encoder_layers is 6"),
    ],
)
def test_what_cannot_be(names, options, message):
    with pytest.raises(ValueError, match=message):
        make("conformer", names, **options)


def test_what_one_layer_cannot_do_none_can():
    x = torch.randn(1, 8, 16)
    model = make("conformer", "SummaryMixing,fastformer")
    with pytest.raises(ValueError, match="fastformer sees the whole utterance, never chunks"):
        model(x, chunks=CHUNKS)
    with pytest.raises(ValueError, match="fastformer cannot work on one chunk at a time"):
        model.make_state(CHUNKS)
    with pytest.raises(ValueError, match="RelPosMHAXL needs relative positions"):
        make("branchformer", "SummaryMixing,RelPosMHAXL")(x)
