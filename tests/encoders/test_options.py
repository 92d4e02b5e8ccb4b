"""Layer drop, hidden states, length, and what is refused."""

import pytest
import torch

from summarymixing_sb.encoders import BranchformerEncoder, ConformerEncoder, TransformerEncoder
from summarymixing_sb.encoders.convolution import convolve_frames

SIZES = {"num_layers": 1, "d_model": 8, "d_ffn": 8, "nhead": 1}


@pytest.mark.parametrize("encoder", ["branchformer", "conformer", "transformer"])
def test_hidden_states_and_layer_drop(encoder, build):
    x = torch.randn(2, 10, 16)
    model = build(encoder, "SummaryMixing", output_hidden_states=True, layerdrop_prob=1.0)
    out, hidden_states = model(x)
    assert len(hidden_states) == 3
    assert torch.equal(hidden_states[0], x)
    torch.testing.assert_close(model.norm(hidden_states[-1]), out)
    out, hidden_states = model.train()(x)
    assert len(hidden_states) == 1
    torch.testing.assert_close(model.norm(x), out)


def branchformer(**options):
    return BranchformerEncoder(num_layers=1, d_model=8, nhead=1, csgu_linear_units=8, **options)


def test_merging_mlp_has_the_width_of_the_summary_and_the_activation_of_the_encoder():
    encoder = branchformer(activation=torch.nn.SiLU, mixer_options={"summary_hidden": [12]})
    merge = encoder.layers[0].merge_proj
    assert [tuple(merge[i].weight.shape) for i in (0, 2)] == [(12, 16), (8, 12)]
    assert all(isinstance(merge[i], torch.nn.SiLU) for i in (1, 3))
    merge = branchformer(mixer_options={"summary_hidden": []}).layers[0].merge_proj
    assert merge[0].weight.shape == (8, 16)


def test_merging_mlp_of_an_earlier_version_is_kept():
    """It was as wide as the model."""
    earlier = branchformer().state_dict()
    encoder = branchformer(mixer_options={"summary_hidden": [12]})
    wide = {name: value for name, value in encoder.state_dict().items() if "merge" not in name}
    encoder.load_state_dict(earlier | wide)
    merge = encoder.layers[0].merge_proj
    assert [tuple(merge[i].weight.shape) for i in (0, 2)] == [(8, 16), (8, 8)]
    assert merge[0].weight.equal(earlier["layers.0.merge_proj.0.weight"])


@pytest.mark.parametrize("mixer", ["SummaryMixing", "hypermixing", "RoPESDPA", "none"])
def test_length_has_no_cap(mixer):
    model = ConformerEncoder(
        num_layers=1, d_model=4, d_ffn=8, nhead=1, kernel_size=3, attention_type=mixer
    ).eval()
    with torch.no_grad():
        assert model(torch.randn(1, 3500, 4)).shape == (1, 3500, 4)


def test_half_of_the_channels_are_causal():
    conv = torch.nn.Conv1d(6, 6, 5, groups=6, padding=2)
    x = torch.randn(3, 20, 6)
    expected = conv(x.transpose(1, 2)).transpose(1, 2)
    late = torch.nn.functional.pad(x, (0, 0, 2, 0))[:, :20]  # two frames later
    expected[..., :3] = conv(late.transpose(1, 2)).transpose(1, 2)[..., :3]
    found = convolve_frames(x, conv, causal="half")
    torch.testing.assert_close(found[:, :-2], expected[:, :-2])
    torch.testing.assert_close(found[..., 3:], expected[..., 3:])


def test_convolution_equals_conv1d():
    conv = torch.nn.Conv1d(6, 6, 5, groups=6, padding=2)
    mirrored = torch.nn.Conv1d(6, 6, 5, groups=6, padding=2, padding_mode="reflect")
    mirrored.load_state_dict(conv.state_dict())
    x = torch.randn(3, 20, 6)
    for reflect, reference in ((False, conv), (True, mirrored)):
        expected = reference(x.transpose(1, 2)).transpose(1, 2)
        torch.testing.assert_close(convolve_frames(x, conv, reflect=reflect), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConformerEncoder(**SIZES, attention_type="attention"), "RoPEMHA, RoPESDPA"),
        (lambda: ConformerEncoder(**SIZES | {"nhead": 3}), "nhead=3 does not divide"),
        (lambda: ConformerEncoder(**SIZES, kernel_size=4), "kernel_size must be odd, not 4"),
        (
            lambda: ConformerEncoder(**SIZES, causal=True, half_causal_convolution=True),
            "convolution of a causal encoder is causal",
        ),
        (
            lambda: BranchformerEncoder(num_layers=1, d_model=8, nhead=1, kernel_size=4),
            "kernel_size must be odd, not 4",
        ),
        (lambda: TransformerEncoder(**SIZES, attention_type="none"), "moves nothing"),
        (lambda: ConformerEncoder(**SIZES | {"nhead": 8}, attention_type="RoPESDPA"), "even width"),
        (lambda: ConformerEncoder(**SIZES, mixer_options={"pool": 1}), "no option 'pool'"),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
