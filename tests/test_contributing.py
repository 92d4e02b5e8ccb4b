"""The mixer that CONTRIBUTING.md writes works as it says."""

import sys
from pathlib import Path

import pytest
import torch

from summarymixing_sb import TransformerASR, build_mixer
from summarymixing_sb.registry import mixer_class

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@pytest.fixture
def mean_mixing(tmp_path, monkeypatch):
    """Write the example where commands are typed."""
    code = TEXT.split("```python\n")[1].split("```")[0]
    assert len(code.splitlines()) < 60
    (tmp_path / "my_mixers.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield mixer_class("my_mixers.MeanMixing")
    del sys.modules["my_mixers"]


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
        attention_type="my_mixers.MeanMixing",
        mixer_options={"my_mixers.MeanMixing": {"gain": 0.5}, "SummaryMixing": {"form": "full"}},
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
        build_mixer("my_mixers.MeanMixing", 8, size=3)
    with pytest.raises(ValueError, match="cannot be causal"):
        TransformerASR(5, 8, 16, 2, attention_type="my_mixers.MeanMixing", causal=True)


def test_long_files_have_a_reason():
    for folder in ("summarymixing_sb", "recipes", "results"):
        for file in (ROOT / folder).rglob("*.py"):
            if len(file.read_text(encoding="utf-8").splitlines()) > 300:
                assert f"`{file.relative_to(ROOT)}`" in TEXT, file
