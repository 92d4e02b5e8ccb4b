"""Names of mixers."""

import pytest

from summarymixing_sb import build_mixer, list_mixers, register_mixer


def test_names():
    assert list_mixers() == [
        "RelPosMHAXL",
        "RoPEMHA",
        "RoPESDPA",
        "SummaryMixing",
        "fastformer",
        "hypermixing",
        "none",
        "regularMHA",
    ]
    assert list_mixers("Ro*") == ["RoPEMHA", "RoPESDPA"]


def test_an_unknown_name_lists_those_that_exist():
    with pytest.raises(ValueError, match=r"'selfattention'.*RelPosMHAXL, RoPEMHA.*SummaryMixing"):
        build_mixer("selfattention", 8)


def test_an_unknown_option_lists_those_that_exist():
    with pytest.raises(ValueError, match=r"no option 'size'.*preset, form"):
        build_mixer("SummaryMixing", 8, size=3)
    with pytest.raises(ValueError, match="Its options: none"):
        build_mixer("RoPEMHA", 8, form="full")


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="'SummaryMixing' is registered already"):
        register_mixer("SummaryMixing")(object)
