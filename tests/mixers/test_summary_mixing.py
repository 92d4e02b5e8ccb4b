"""The fast form of SummaryMixing against its reference."""

import pytest
import torch
import torch.nn.functional as F
from speechbrain.utils.dynamic_chunk_training import DynChunkTrainConfig

from summarymixing_sb.mixers.heads import HeadLinear
from summarymixing_sb.mixers.reference import reference_summary_mixing
from summarymixing_sb.mixers.summary_mixing import FORMS, PRESETS, SummaryMixing

CHUNKS = {
    "utterance": None,
    "chunks": DynChunkTrainConfig(4, None),
    "limited": DynChunkTrainConfig(4, 2),
    "alone": DynChunkTrainConfig(3, 0),
    "causal": DynChunkTrainConfig(1, None),
    "longer than the speech": DynChunkTrainConfig(50, 1),
}


def make_mixer(form, preset, nhead, **options):
    mixer = SummaryMixing(12, nhead, form=form, preset=preset, **options).double().eval()
    for norm in (mixer.summary_norm, getattr(mixer, "local_norm", None)):
        if isinstance(norm, torch.nn.LayerNorm):  # not at its trivial initial value
            torch.nn.init.normal_(norm.weight)
            torch.nn.init.normal_(norm.bias)
    return mixer


def output_and_gradients(function, mixer, x, weights):
    x = x.clone().requires_grad_()
    mixer.zero_grad()
    out = function(x)
    (out * weights).sum().backward()
    gradients = [p.grad.clone() for p in mixer.parameters() if p.grad is not None]
    assert len(gradients) == len(list(mixer.parameters()))
    return [out.detach(), x.grad, *gradients]


def relative_error(fast, slow):
    return ((fast - slow).norm() / slow.norm().clamp(min=1e-30)).item()


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("gate", ["channel", "head"])
@pytest.mark.parametrize("options", [{}, {"form": "fast"}, {"pooling": "decay"}], ids=str)
def test_gates_equal_reference(options, gate, chunks):
    options = {"form": "full", "preset": "interspeech2024"} | options
    mixer = make_mixer(**options, nhead=4, gate=gate)
    x, weights = torch.randn(2, 3, 13, 12, dtype=torch.double)
    padding_mask = torch.arange(13) >= torch.tensor([[13], [6], [0]])
    for mask in (None, padding_mask):
        results = [
            output_and_gradients(lambda x, f=f, m=mask: f(x, m, chunks), mixer, x, weights)
            for f in (mixer, lambda *a: reference_summary_mixing(mixer, *a))
        ]
        for fast, slow in zip(*results):
            assert relative_error(fast, slow) <= 1e-10


def test_a_gate_by_head_combines_each_mean_once(largest_tensor):
    """Also in training without dropout, and with: dropout of a frame gates in full."""
    mixer = SummaryMixing(12, 4, dropout=0.5, gate="head", summary_dropout="shared")
    with largest_tensor as largest:
        mixer(torch.randn(1, 500, 12))
    assert largest.elements <= 500 * 12
    mixer = SummaryMixing(12, 4, dropout=0.5, gate="head")
    assert mixer(torch.randn(2, 50, 12)).isfinite().all()
    with pytest.raises(ValueError, match="form='lite' gives the mean itself, ungated"):
        SummaryMixing(12, form="lite", gate="channel")
    with pytest.raises(ValueError, match="nhead=4 does not divide summary_out=6"):
        SummaryMixing(
            12, 4, local_out=8, local_hidden=[], summary_hidden=[8], summary_out=6, gate="head"
        )


@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize("nhead", [1, 4])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("time", [1, 7, 13])
def test_equals_reference(form, preset, nhead, chunks, time):
    mixer = make_mixer(form, preset, nhead)
    x = torch.randn(3, time, 12, dtype=torch.double)
    # A full row, a padded one, and one that is all padding.
    padding_mask = torch.arange(time) >= torch.tensor([[time], [max(1, time // 2)], [0]])
    weights = torch.randn(3, time, 12, dtype=torch.double)
    for mask in (None, padding_mask):
        fast = output_and_gradients(lambda x: mixer(x, mask, chunks), mixer, x, weights)  # noqa: B023
        slow = output_and_gradients(
            lambda x: reference_summary_mixing(mixer, x, mask, chunks),  # noqa: B023
            mixer,
            x,
            weights,
        )
        assert max(map(relative_error, fast, slow)) < 1e-10


@pytest.mark.parametrize("form", FORMS)
def test_padding_is_never_read(form):
    mixer = SummaryMixing(8, form=form)
    x = torch.randn(2, 9, 8)
    padding_mask = torch.arange(9) >= torch.tensor([[9], [4]])
    clean = mixer(x, padding_mask)[~padding_mask]
    x[padding_mask] = torch.nan
    assert torch.equal(mixer(x, padding_mask)[~padding_mask], clean)


def test_dropout_on_summary_is_per_frame_or_shared():
    x = torch.randn(1, 50, 8)
    for summary_dropout, differ in (("per_frame", True), ("shared", False)):
        mixer = SummaryMixing(8, dropout=0.5, summary_dropout=summary_dropout)
        with torch.no_grad():  # only the summary counts, so frames differ by its dropout alone
            mixer.combine_local.weight.zero_()
        out = mixer(x)
        assert (out.std(dim=1).max() > 1e-3) == differ
        mixer.eval()
        assert mixer(x).std(dim=1).max() < 1e-6


def test_preset_without_dropout_has_none():
    mixer = SummaryMixing(8, dropout=0.5, preset="interspeech2024").train()
    x = torch.randn(2, 9, 8)
    assert torch.equal(mixer(x), mixer(x))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(4, 1)], ids=["utterance", "chunks"])
def test_every_tensor_is_made_on_the_device_of_the_input(form, chunks):
    mixer = SummaryMixing(8, 2, form=form, dropout=0.1).to("meta")
    x = torch.empty(2, 9, 8, device="meta")
    padding_mask = torch.empty(2, 9, dtype=torch.bool, device="meta")
    for mask in (None, padding_mask):
        assert mixer(x, mask, chunks).device.type == "meta"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(16, 2)], ids=["utterance", "chunks"])
def test_bfloat16_sums_in_float32(form, chunks):
    mixer = SummaryMixing(32, form=form)
    x = torch.randn(2, 2000, 32) + 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = mixer(x, chunks=chunks)
    # A bfloat16 running sum would stop growing after 256 frames and be off by far more.
    assert relative_error(low.float(), mixer(x, chunks=chunks)) < 0.02


def test_saves_no_tensor_that_is_quadratic_in_time():
    mixer = SummaryMixing(8)
    time, sizes = 512, []

    def pack(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        mixer(torch.randn(1, time, 8), chunks=DynChunkTrainConfig(4, 1))
    assert 0 < max(sizes) < time * time / 8


def test_initialisation_of_heads_follows_their_own_fan():
    layer = HeadLinear(512, 512, heads=8)
    assert layer.weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("heads", "std"), [(1, (2 / 1024) ** 0.5), (8, (2 / (64**2 + 512)) ** 0.5)]
)
def test_original_initialisation(heads, std):
    """Zero biases of dense layers; torch's fans of a three-dimensional tensor."""
    mixer = SummaryMixing(512, heads, initialisation="original")
    assert mixer.local[0].weight.std().item() == pytest.approx(std, rel=0.02)
    assert mixer.local[0].bias.any() == (heads > 1)
    assert not mixer.combine_local.bias.any()
    theirs = torch.nn.init.xavier_normal_(torch.empty(mixer.local[0].weight.shape))
    assert mixer.local[0].weight.std().item() == pytest.approx(theirs.std().item(), rel=0.02)


def test_spread_of_several_heads_at_width_64():
    """The figures of the published code, and ours."""
    for initialisation, std in (("original", 0.08), ("per_head", 0.25)):
        weights = [
            SummaryMixing(64, 4, initialisation=initialisation).local[0].weight for _ in range(20)
        ]
        assert torch.stack(weights).std().item() == pytest.approx(std, rel=0.05)


def test_fast_takes_any_number_of_heads():
    assert SummaryMixing(20, 8, form="fast").joint[0].weight.shape == (40, 20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "relu"}, "gelu, swish"),
        ({"initialisation": "zeros"}, "per_head, original"),
        ({"form": "half"}, "full, lite, fast"),
        ({"preset": "2024"}, "interspeech2024, speechbrain1.0"),
        ({"summary_dropout": "never"}, "per_frame, shared"),
        ({"nhead": 5}, "nhead=5 does not divide the width 12"),
        ({"form": "lite", "summary_out": 8}, "summary_out must be d_model=12, not 8"),
        ({"form": "fast", "local_out": 8}, "must be the same, not 8 and 12"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        SummaryMixing(12, **options)


@pytest.mark.parametrize("chunks", [None, DynChunkTrainConfig(4, 1)], ids=["utterance", "chunks"])
@pytest.mark.parametrize("pooling", ["utterance", "decay", "window"])
@pytest.mark.parametrize("form", ["full", "fast"])
def test_activations_that_hooks_hold_are_not_changed(form, pooling, chunks):
    mixer = SummaryMixing(8, form=form, preset="interspeech2024", pooling=pooling)
    held = []
    for module in mixer.modules():
        module.register_forward_hook(lambda _, args, out: held.append((out, copied(out))))
    for mode in (mixer.eval(), mixer.train()):
        mode(torch.randn(2, 9, 8), chunks=chunks)
    assert len(held) > 2 * len(list(mixer.children()))
    for out, at_that_time in held:
        torch.testing.assert_close(out, at_that_time, rtol=0, atol=0)
    combined = []
    mixer.combine_local.register_forward_hook(lambda _, args, out: combined.append((*args, out)))
    mixer(torch.randn(2, 9, 8), chunks=chunks)
    ((local, out),) = combined
    assert torch.equal(out, F.linear(local, mixer.combine_local.weight, mixer.combine_local.bias))


def copied(out):
    return tuple(map(copied, out)) if isinstance(out, tuple) else out.clone()
