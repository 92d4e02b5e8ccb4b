"""Parameters that carry the names of the original implementation."""

import pytest
import torch
import torch.nn.functional as F

from summarymixing_sb import SummaryMixing
from summarymixing_sb.mixers.convert import convert_original_state_dict


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


def apply_mlp(x, state_dict, name):
    """The original's block by its parameters: one Linear (or one per head) and a GELU a layer."""
    for layer in (f"{name}.linear", f"{name}.linear_0", f"{name}.linear_1"):
        if f"{layer}.w.weight" in state_dict:
            x = F.linear(x, state_dict[f"{layer}.w.weight"], state_dict[f"{layer}.w.bias"])
        elif f"{layer}.weights" in state_dict:
            weights, biases = state_dict[f"{layer}.weights"], state_dict[f"{layer}.biases"]
            slices = x.chunk(len(weights), dim=-1)
            x = torch.cat([s @ w + b for s, w, b in zip(slices, weights, biases)], dim=-1)
        else:
            break
        x = F.gelu(x)
    return x


@pytest.mark.parametrize("nhead", [1, 4])
@pytest.mark.parametrize("preset", ["interspeech2024", "speechbrain1.0"])
def test_full_gives_the_outputs_of_the_original(nhead, preset):
    layer = dense if nhead == 1 else lambda *a: by_heads(*a, nhead)
    state = {
        **layer("local_proj.linear", 8, 12),
        **layer("local_proj.linear_0", 12, 16),
        **layer("summary_proj.linear", 8, 20),
        **layer("summary_proj.linear_0", 20, 24),
        **dense("summary_local_merging.linear", 16 + 24, 8),
    }
    if preset == "interspeech2024":
        for name, width in (("local_norm", 16), ("summary_norm", 24)):
            state |= {f"{name}.weight": torch.randn(width), f"{name}.bias": torch.randn(width)}
    x = torch.randn(2, 11, 8)
    local = apply_mlp(x, state, "local_proj")
    mean = apply_mlp(x, state, "summary_proj").mean(1, keepdim=True)
    if preset == "interspeech2024":
        local = F.layer_norm(local, [16], state["local_norm.weight"], state["local_norm.bias"])
        mean = F.layer_norm(mean, [24], state["summary_norm.weight"], state["summary_norm.bias"])
    both = torch.cat((local, mean.expand(-1, 11, -1)), dim=-1)
    expected = apply_mlp(both, state, "summary_local_merging")

    mixer = SummaryMixing(
        8,
        nhead,
        preset=preset,
        local_hidden=[12],
        local_out=16,
        summary_hidden=[20],
        summary_out=24,
    )
    mixer.load_original_state_dict(state)
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-5)


def test_lite_and_fast_give_the_outputs_of_the_original():
    x = torch.randn(2, 11, 8)
    lite = {**dense("summary_proj.linear", 8, 12), **dense("summary_proj.linear_0", 12, 8)}
    mixer = SummaryMixing(8, form="lite", summary_hidden=[12])
    mixer.load_original_state_dict(lite)
    expected = apply_mlp(x, lite, "summary_proj").mean(1, keepdim=True).expand(-1, 11, -1)
    torch.testing.assert_close(mixer(x), expected, rtol=1e-5, atol=1e-5)

    fast = {
        **dense("global_proj.linear", 8, 32),
        **dense("summary_local_merging.linear", 32, 8),
    }
    mixer = SummaryMixing(8, form="fast", local_out=16, summary_out=16)
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
