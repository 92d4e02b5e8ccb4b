"""Every contestant agrees with its reference, at every level that it has."""

import pytest
import torch
from torch import nn

from results.benchmark.contestants import (
    CONTESTANTS,
    build_contestant,
    copy_parameters,
    reference_of,
)
from results.benchmark.correctness import TOLERANCE, reference_error, relative_error
from results.benchmark.levels import make_inputs
from results.benchmark.points import ENCODERS, LEVELS, Kind

CHUNKED = ("SummaryMixing full", "plain", "RoPESDPA", "stock RelPosMHAXL")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("encoder", ENCODERS)
def test_contestants_agree_with_their_references(level, encoder, tiny):
    kind = Kind(level, encoder, sizes=tiny)
    for name in CONTESTANTS:
        if (encoder, name) == ("branchformer", "stock RoPEMHA"):
            continue
        reference, error = reference_error(name, build_contestant(name, kind), kind)
        assert reference in CONTESTANTS
        assert reference != name
        assert error < TOLERANCE, name


@pytest.mark.parametrize("level", ["mixer_step", "encoder"])
@pytest.mark.parametrize("name", CHUNKED)
def test_they_agree_in_chunks(level, name, tiny):
    kind = Kind(level, chunk=4, sizes=tiny)
    assert reference_error(name, build_contestant(name, kind), kind)[1] < TOLERANCE


def test_chunks_matter(tiny):
    outputs = []
    for chunk in (0, 4):
        kind = Kind("encoder", chunk=chunk, sizes=tiny)
        with torch.no_grad():
            outputs.append(build_contestant("RoPESDPA", kind)(*make_inputs(kind, 1, 20, 0)))
    assert relative_error([outputs[0]], [outputs[1]]) > TOLERANCE


def test_a_compiled_contestant_is_held_against_itself(tiny):
    """A stand-in for the compiler, which would take a minute: right, and off by a little."""
    kind = Kind("mixer", mode="compiled", sizes=tiny)
    model = build_contestant("SummaryMixing full", kind)
    assert reference_error("SummaryMixing full", model, kind, model) == ("eager", 0)

    def wrong(x, padding_mask):
        return model(x, padding_mask) * 1.001

    assert reference_error("SummaryMixing full", model, kind, wrong)[1] > TOLERANCE


def test_stock_contestants_are_speechbrains(tiny):
    for name, contestant in CONTESTANTS.items():
        module = build_contestant(name, Kind("encoder", sizes=tiny)).part.__class__.__module__
        assert module.startswith("speechbrain" if contestant.stock else "summarymixing_sb")


def test_what_cannot_be_built_is_told(tiny):
    with pytest.raises(ValueError, match="unknown contestant 'RoPE'; there are SummaryMixing full"):
        build_contestant("RoPE", Kind("mixer", sizes=tiny))
    with pytest.raises(ValueError, match="Branchformer has no RoPEMHA"):
        build_contestant("stock RoPEMHA", Kind("encoder", "branchformer", sizes=tiny))


def test_references_of_rotary_positions_in_a_branchformer():
    kind = Kind("encoder", "branchformer")
    assert {reference_of(name, kind) for name in ("RoPEMHA", "RoPESDPA")} == {"RoPEMHA", "RoPESDPA"}


def test_parameters_of_other_names_are_not_copied():
    with pytest.raises(ValueError, match="bias"):
        copy_parameters(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
