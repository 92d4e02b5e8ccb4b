"""Every model of the benchmark agrees with its reference, and what is wrong is seen."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from results.benchmark.correctness import (
    TOLERANCE,
    compiled_error,
    copy_parameters,
    outputs,
    reference_error,
    relative_error,
)
from results.benchmark.models import MODELS, Case, build_model, make_inputs

TINY = Case("encoder", "inference", 1.5, d_model=16, layers=2, batch_size=2)


@pytest.mark.parametrize("part", ["mixer", "encoder"])
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("encoder", ["conformer", "branchformer"])
def test_models_agree_with_their_references(part, mode, encoder):
    case = replace(TINY, part=part, mode=mode, encoder=encoder)
    checked = 0
    for name, model in MODELS.items():
        if model.speechbrain or model.reference is None:
            continue
        reference, error = reference_error(name, build_model(name, case), case)
        assert reference in ("equations", "RoPEMHA", "SpeechBrain RoPEMHA")
        assert error < TOLERANCE, name
        checked += 1
    assert checked == 8


@pytest.mark.parametrize("part", ["mixer", "encoder"])
@pytest.mark.parametrize("name", ["SummaryMixing", "SummaryMixing decay", "RoPESDPA"])
def test_they_agree_in_chunks(part, name):
    case = replace(TINY, part=part, mode="training", chunk=4)
    assert reference_error(name, build_model(name, case), case)[1] < TOLERANCE


@pytest.mark.parametrize("mixer", ["RoPEMHA", "RelPosMHAXL", "regularMHA", "hypermixing"])
def test_encoders_of_speechbrain_agree_with_ours(mixer):
    case = replace(TINY, batch_size=1)
    ours, theirs = build_model(mixer, case), build_model(f"SpeechBrain {mixer}", case)
    assert type(theirs.part).__module__.startswith("speechbrain")
    assert type(ours.part).__module__.startswith("summarymixing_sb")
    copy_parameters(ours, theirs)
    inputs = make_inputs(case)
    both = (outputs(model, inputs, training=False) for model in (ours, theirs))
    assert relative_error(*both) < TOLERANCE


def test_chunks_matter():
    found = []
    for chunk in (0, 4):
        case = replace(TINY, chunk=chunk)
        found.append(outputs(build_model("RoPESDPA", case), make_inputs(case), False))
    assert relative_error(*found) > TOLERANCE


def test_what_is_off_by_a_little_is_wrong():
    model = build_model("SummaryMixing", TINY)
    forward = model.forward
    model.forward = lambda *inputs: forward(*inputs) * 1.001
    assert reference_error("SummaryMixing", model, TINY)[1] > TOLERANCE


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_compiled_model_is_held_against_itself(mode):
    """A stand-in for the compiler, which would take a minute: right, and off by a little."""
    case = replace(TINY, mode=mode, compiled=True)
    model = build_model("SummaryMixing", case)
    assert compiled_error(model, copy.deepcopy(model), case) == 0
    wrong = copy.deepcopy(model)
    forward = wrong.forward
    wrong.forward = lambda *inputs: forward(*inputs) * 1.001
    assert compiled_error(model, wrong, case) > TOLERANCE


def test_a_mixer_by_its_path_has_no_reference():
    path = "summarymixing_sb.mixers.fastformer.FastFormer"
    reference, error = reference_error(path, build_model(path, TINY), TINY)
    assert reference == "none"
    assert error != error  # NaN


def test_what_cannot_be_built_is_told():
    with pytest.raises(ValueError, match="Unknown mixer 'RoPE'"):
        build_model("RoPE", TINY)
    with pytest.raises(ValueError, match="Branchformer has no RoPEMHA"):
        build_model("SpeechBrain RoPEMHA", replace(TINY, encoder="branchformer"))


def test_parameters_of_other_names_are_not_copied():
    with pytest.raises(ValueError, match="bias"):
        copy_parameters(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))


def test_bfloat16_is_used_where_it_is_asked_for():
    from results.benchmark.timing import make_call

    seen = []
    # oneDNN's depthwise convolution of 16 channels in bfloat16 never ends on some processors
    case = replace(TINY, precision="bf16", d_model=32)
    model = build_model("SummaryMixing", case)
    model.part.register_forward_hook(lambda module, args, out: seen.append(args[0].dtype))
    model.part.layers[0].mha_layer.register_forward_hook(
        lambda module, args, out: seen.append(out.dtype)
    )
    make_call(model, make_inputs(case), case)()
    assert seen == [torch.bfloat16, torch.float32]
