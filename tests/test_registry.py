"""Mixers by name, by dotted path and from plug-ins; the contract of their classes."""

import textwrap
from importlib.metadata import EntryPoint

import pytest
import torch

from summarymixing_sb import (
    Mixer,
    TransformerASR,
    build_mixer,
    list_mixers,
    register_mixer,
    registry,
)
from summarymixing_sb.mixers import NoMixer
from summarymixing_sb.registry import mixer_class, options_by_mixer

STRANGER = """
    from torch import nn
    from summarymixing_sb import Mixer

    class Gain(Mixer):
        def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None, gain=1.0):
            super().__init__()
            self.linear, self.gain = nn.Linear(d_model, d_model), gain

        def forward(self, x, padding_mask=None, chunks=None, positions=None):
            return self.gain * self.linear(x)
"""


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    """Registrations of a test end with it."""
    monkeypatch.setattr(registry, "_MIXERS", dict(registry._MIXERS))


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A folder that holds strangers/mine.py, as the working directory."""
    (tmp_path / "strangers_mixers.py").write_text(textwrap.dedent(STRANGER), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [path for path in __import__("sys").path if path])
    return "strangers_mixers.Gain"


class Good(Mixer):
    def __init__(self, d_model, nhead=1, dropout=0.0, d_ffn=None):
        super().__init__()

    def forward(self, x, padding_mask=None, chunks=None, positions=None):
        return x


def test_names():
    names = list_mixers()
    assert names == sorted(names)
    assert {"SummaryMixing", "RoPEMHA", "none"} <= set(names)
    assert list_mixers("Ro*") == ["RoPEMHA", "RoPESDPA"]


def test_every_name_builds_a_mixer_that_keeps_the_contract():
    for name in list_mixers():
        assert isinstance(build_mixer(name, d_model=8, nhead=2), Mixer)
        registry.check_mixer(mixer_class(name))


def test_an_unknown_name_lists_those_that_exist():
    with pytest.raises(ValueError, match=r"'selfattention'.*RelPosMHAXL, RoPEMHA.*SummaryMixing"):
        build_mixer("selfattention", 8)
    with pytest.raises(ValueError, match="did you mean SummaryMixing"):
        build_mixer("Summarymixing", 8)


def test_an_unknown_option_lists_those_that_exist():
    with pytest.raises(ValueError, match=r"no option 'size'.*preset, form"):
        build_mixer("SummaryMixing", 8, size=3)
    with pytest.raises(ValueError, match=r"no option 'polling'.*did you mean pooling"):
        build_mixer("SummaryMixing", 8, polling="decay")
    with pytest.raises(ValueError, match="Its options: none"):
        build_mixer("RoPEMHA", 8, form="full")


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="'SummaryMixing' is registered already"):
        register_mixer("SummaryMixing")(Good)
    with pytest.raises(ValueError, match="a name with a dot is the path of a class"):
        register_mixer("my.Good")(Good)


class Mistaken(Good):
    position = "relativ"


class Unmerged(Good):
    branch_merge = "sum"


class WithoutHeads(Good):
    def __init__(self, d_model, dropout=0.0, d_ffn=None):
        super().__init__(d_model)


class WithoutMask(Good):
    def forward(self, x, chunks=None, positions=None):
        return x


@pytest.mark.parametrize(
    ("mixer", "message"),
    [
        (Mistaken, r"Mistaken: position='relativ' is unknown.*'none', 'absolute', 'relative'"),
        (Unmerged, "branch_merge='sum' is unknown; it is one of 'linear', 'mlp'"),
        (WithoutHeads, "__init__ lacks the argument nhead; it must take d_model, nhead"),
        (WithoutMask, "forward lacks the argument padding_mask"),
        (torch.nn.Linear, r"must be a subclass of summarymixing_sb\.Mixer"),
        (print, r"must be a subclass of summarymixing_sb\.Mixer"),
    ],
)
def test_a_class_that_breaks_the_contract_is_refused(mixer, message):
    with pytest.raises(ValueError, match=message):
        register_mixer("Broken")(mixer)
    assert "Broken" not in list_mixers()


def test_a_strangers_class_by_its_dotted_path(stranger):
    model = TransformerASR(
        **{"tgt_vocab": 5, "input_size": 8, "d_model": 16, "nhead": 2, "d_ffn": 16},
        **{"num_encoder_layers": 1, "num_decoder_layers": 0, "encoder_module": "conformer"},
        attention_type=stranger,
        mixer_options={stranger: {"gain": 0.5}, "SummaryMixing": {"form": "full"}},
    )
    assert model.encoder.layers[0].mha_layer.gain == 0.5
    assert model.encode(torch.randn(2, 11, 8)).shape == (2, 11, 16)
    assert stranger not in list_mixers()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("strangers_mixers.Loss", "strangers_mixers.py has no class Loss"),
        ("no_such_package.mine.Gain", r"there is no module no_such_package on Python's path or in"),
        ("torch.nn.Linear", r"must be a subclass of summarymixing_sb\.Mixer"),
    ],
)
def test_a_dotted_path_that_leads_nowhere(stranger, path, message):
    with pytest.raises(ValueError, match=message):
        mixer_class(path)


def test_an_import_that_fails_in_the_strangers_file_is_shown_as_it_is(stranger, tmp_path):
    (tmp_path / "strangers_broken.py").write_text("import no_such_package\n", encoding="utf-8")
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_package'"):
        mixer_class("strangers_broken.Gain")


def test_a_mixer_of_a_plug_in(monkeypatch):
    path = "summarymixing_sb.mixers.none:NoMixer"
    point = EntryPoint("nothing", path, registry.PLUGIN_GROUP)
    monkeypatch.setattr(registry, "_plugins", lambda: {"nothing": point})
    assert "nothing" in list_mixers()
    assert isinstance(build_mixer("nothing", d_model=8), NoMixer)


def test_options_under_the_names_of_mixers():
    options = {"SummaryMixing": {"form": "lite"}, "RoPEMHA": {}}
    assert options_by_mixer("RoPEMHA", options) == options
    assert options_by_mixer("SummaryMixing", {"form": "lite"}) == {
        "SummaryMixing": {"form": "lite"}
    }
    assert options_by_mixer("RoPEMHA", None) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"SummryMixing": {"form": "lite"}},
            "'SummryMixing' is neither.*did you mean SummaryMixing",
        ),
        (
            {"SummaryMixing": {"from": "lite"}},
            "SummaryMixing has no option 'from'.*did you mean form",
        ),
        ({"form": "lite"}, "RoPEMHA has no option 'form'"),
    ],
)
def test_options_of_mixers_that_are_not_active_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        options_by_mixer("RoPEMHA", options)
