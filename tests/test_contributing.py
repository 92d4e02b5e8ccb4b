"""The mixer that CONTRIBUTING.md writes works as it says."""

import textwrap
from pathlib import Path

import pytest
import torch

from summarymixing_sb import TransformerASR, build_mixer, registry

TEXT = (Path(__file__).resolve().parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def mean_mixing(monkeypatch):
    """Register the example for one test."""
    monkeypatch.setattr(registry, "_MIXERS", dict(registry._MIXERS))
    _, code = TEXT.split("```python\n")
    code = textwrap.dedent(code.split("```")[0])
    names = {"__name__": "mean_mixing"}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    return names["MeanMixing"]


@pytest.mark.parametrize("encoder", ["branchformer", "conformer", "transformer"])
def test_the_example_is_a_mixer(mean_mixing, encoder):
    model = TransformerASR(
        tgt_vocab=5,
        input_size=8,
        d_model=16,
        nhead=2,
        num_encoder_layers=2,
        num_decoder_layers=0,
        d_ffn=16,
        csgu_linear_units=16,
        encoder_module=encoder,
        attention_type="MeanMixing",
        mixer_options={"MeanMixing": {"gain": 0.5}, "SummaryMixing": {"form": "full"}},
    ).eval()
    mixers = [module for module in model.modules() if isinstance(module, mean_mixing)]
    assert [mixer.gain for mixer in mixers] == [0.5, 0.5]
    speech = torch.randn(2, 11, 8)
    with torch.no_grad():
        batched = model.encode(speech, torch.tensor([1.0, 5 / 11]))
        alone = model.encode(speech[1:, :5])
    assert (batched[1, :5] - alone[0]).abs().max() < 1e-5


def test_its_options_and_limits_are_checked(mean_mixing):
    with pytest.raises(ValueError, match="Its options: gain"):
        build_mixer("MeanMixing", 8, size=3)
    with pytest.raises(ValueError, match="cannot be causal"):
        TransformerASR(5, 8, 16, 2, attention_type="MeanMixing", causal=True)
