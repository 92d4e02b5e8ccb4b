"""Parameters that carry the names of the original implementation."""

import pytest
import torch
import torch.nn.functional as F

from summarymixing_sb import SummaryMixing
from summarymixing_sb.mixers.convert import convert_original_state_dict
from summarymixing_sb.mixers.summary_mixing import PRESETS


def dense(name, fan_in, fan_out):
    return {
        f"{name}.w.weight": torch.randn(fan_out, fan_in),
        f"{name}.w.bias": torch.randn(fan_out),
    }


def by_heads(name, fan_in, fan_out, n):
    return {
        f"{name}.weights": torch.randn(n, fan_in // n, fan_out // n),
        f"{name}.biases": torch.randn(n, fan_out // n),
    }


def apply_mlp(x, state_dict, name, activation=F.gelu):
    """The original's block by its parameters: one Linear (or one per head) and GELU or Swish."""
    for layer in (f"{name}.linear", f"{name}.linear_0", f"{name}.linear_1"):
        if f"{layer}.w.weight" in state_dict:
            x = F.linear(x, state_dict[f"{layer}.w.weight"], state_dict[f"{layer}.w.bias"])
        elif f"{layer}.weights" in state_dict:
            weights, biases = state_dict[f"{layer}.weights"], state_dict[f"{layer}.biases"]
            slices = x.chunk(len(weights), dim=-1)
            x = torch.cat([s @ w + b for s, w, b in zip(slices, weights, biases)], dim=-1)
        else:
            break
        x = activation(x)
    return x


def norms(**widths):
    """Parameters of LayerNorms."""
    return {
        f"{name}.{kind}": torch.randn(width)
        for name, width in widths.items()
        for kind in ("weight", "bias")
    }


@pytest.mark.parametrize("nhead", [1, 4])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("activation", "function"), [("gelu", F.gelu), ("swish", F.silu)])
def test_full_gives_the_outputs_of_the_original(nhead, preset, activation, function):
    layer = dense if nhead == 1 else lambda *a: by_heads(*a, nhead)
    state = {
        **layer("local_proj.linear", 8, 12),
        **layer("local_proj.linear_0", 12, 16),
        **layer("summary_proj.linear", 8, 20),
        **layer("summary_proj.linear_0", 20, 24),
        **dense("summary_local_merging.linear", 16 + 24, 8),
    }
    if PRESETS[preset]["layer_norm"]:
        state |= norms(local_norm=16, summary_norm=24)
    x = torch.randn(2, 11, 8)
    local = apply_mlp(x, state, "local_proj", function)
    mean = apply_mlp(x, state, "summary_proj", function).mean(1, keepdim=True)
    if PRESETS[preset]["layer_norm"]:
        local = F.layer_norm(local, [16], state["local_norm.weight"], state["local_norm.bias"])
        mean = F.layer_norm(mean, [24], state["summary_norm.weight"], state["summary_norm.bias"])
    both = torch.cat((local, mean.expand(-1, 11, -1)), dim=-1)
    expected = apply_mlp(both, state, "summary_local_merging", function)

    mixer = SummaryMixing(
        8,
        nhead,
        preset=preset,
        activation=activation,
        local_hidden=[12],
        local_out=16,
        summary_hidden=[20],
        summary_out=24,
        dropout=0.5,
    ).eval()
    mixer.load_original_state_dict(state)
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("nhead", [1, 4])
def test_lite_and_fast_give_the_outputs_of_the_original(preset, nhead):
    """Norms may be in a checkpoint; they are never applied. Fast is dense whatever the heads."""
    x = torch.randn(2, 11, 8)
    layer = dense if nhead == 1 else lambda *a: by_heads(*a, nhead)
    lite = {**layer("summary_proj.linear", 8, 12), **layer("summary_proj.linear_0", 12, 8)}
    lite |= norms(summary_norm=8)
    mixer = SummaryMixing(8, nhead, preset=preset, form="lite", summary_hidden=[12])
    mixer.load_original_state_dict(lite)
    expected = apply_mlp(x, lite, "summary_proj").mean(1, keepdim=True).expand(-1, 11, -1)
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-5)

    fast = {
        **dense("global_proj.linear", 8, 32),
        **dense("summary_local_merging.linear", 32, 8),
        **norms(local_norm=16, summary_norm=16),
    }
    mixer = SummaryMixing(8, nhead, preset=preset, form="fast", local_out=16, summary_out=16)
    mixer.load_original_state_dict(fast)
    local, frames = apply_mlp(x, fast, "global_proj").chunk(2, dim=-1)
    both = torch.cat((local, frames.mean(1, keepdim=True).expand(-1, 11, -1)), dim=-1)
    expected = apply_mlp(both, fast, "summary_local_merging")
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-5)


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"encoder\.local_proj"):
        convert_original_state_dict({"encoder.local_proj.linear.w.bias": torch.zeros(2)})


def test_parameters_of_another_layer_are_refused():
    lite = {**dense("summary_proj.linear", 8, 8), **dense("summary_proj.linear_0", 8, 8)}
    with pytest.raises(ValueError, match="do form, preset, nhead and the widths agree"):
        SummaryMixing(8, form="full").load_original_state_dict(lite)


def test_the_exponential_variant_decays_as_the_mixer_does():
    state = {**dense("global_proj.linear", 8, 16), **dense("summary_local_merging.linear", 16, 8)}
    state["decay_constant"] = torch.tensor(0.995)
    x = torch.randn(1, 9, 8)
    local, frames = apply_mlp(x, state, "global_proj").chunk(2, dim=-1)
    time = torch.arange(9)
    weights = 0.995 ** (time[:, None] - time).abs()
    means = weights @ frames / weights.sum(-1, keepdim=True)
    expected = apply_mlp(torch.cat((local, means), dim=-1), state, "summary_local_merging")
    mixer = SummaryMixing(8, form="fast", pooling="decay", decay=0.995)
    mixer.load_original_state_dict(state)
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-5)

    with pytest.raises(ValueError, match=r"decay by \[0.99.*; decay is 0.98"):
        SummaryMixing(8, form="fast", pooling="decay").load_original_state_dict(state)
    with pytest.raises(ValueError, match="pooling='decay'"):
        SummaryMixing(8, form="fast").load_original_state_dict(state)
    del state["decay_constant"]
    with pytest.raises(ValueError, match="no decay_constant"):
        mixer.load_original_state_dict(state)


def test_fast_split_into_heads_by_an_earlier_version_computes_the_same(caplog):
    heads, x = 4, torch.randn(2, 11, 8)
    mixer = SummaryMixing(8, heads, form="fast")
    state = mixer.state_dict()
    state["joint.0.weight"] = weights = torch.randn(heads, 2, 4)
    state["joint.0.bias"] = biases = torch.randn(heads, 4)
    mixer.load_state_dict(state)
    outputs = [F.gelu(s @ w + b) for s, w, b in zip(x.chunk(heads, -1), weights, biases)]
    local, frames = (torch.cat([out.chunk(2, -1)[half] for out in outputs], -1) for half in (0, 1))
    both = torch.cat((local, frames.mean(1, keepdim=True).expand(-1, 11, -1)), -1)
    combiner = torch.cat((state["combine_local.weight"], state["combine_summary.weight"]), 1)
    expected = F.gelu(F.linear(both, combiner, state["combine_local.bias"]))
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["lite", "fast"])
def test_norms_of_an_earlier_version_are_applied(form):
    x = torch.randn(2, 11, 8)
    mixer = SummaryMixing(8, form=form, preset="interspeech2024")
    assert not any("norm" in name for name, _ in mixer.named_parameters())
    without = mixer(x)
    earlier = mixer.state_dict() | norms(summary_norm=8)
    if form == "fast":
        earlier |= norms(local_norm=8)
    mixer.load_state_dict(earlier)
    assert not torch.allclose(mixer(x), without)
    if form == "lite":
        mean = F.layer_norm(
            without[:, :1], [8], earlier["summary_norm.weight"], earlier["summary_norm.bias"]
        )
        torch.testing.assert_close(mixer(x), mean.expand(-1, 11, -1))
