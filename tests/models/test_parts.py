"""Checkpoints name the parts of a model; those of earlier versions load."""

import pytest
import torch
from torch import nn

from summarymixing_sb.models.parts import ModelParts, name_parts


def parts():
    return ModelParts(
        {"normalize": nn.Identity(), "CNN": nn.Linear(2, 3), "ctc_lin": nn.Linear(3, 4)}
    )


def test_parameters_have_the_names_of_their_parts():
    names = ["CNN.weight", "CNN.bias", "ctc_lin.weight", "ctc_lin.bias"]
    assert list(parts().state_dict()) == names


def test_a_list_of_an_earlier_version_loads():
    ours, theirs = parts(), nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 4)])
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours["ctc_lin"].weight, theirs[1].weight)
    assert torch.equal(ours["CNN"].bias, theirs[0].bias)


def test_a_part_without_parameters_was_in_no_list():
    theirs = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 4)])
    ours = ModelParts({"CNN": nn.Linear(2, 3), "joint": nn.Tanh(), "ctc_lin": nn.Linear(3, 4)})
    ours.load_state_dict(theirs.state_dict())
    assert torch.equal(ours["ctc_lin"].weight, theirs[1].weight)


def test_another_models_list_is_refused():
    theirs = nn.ModuleList([nn.Linear(2, 3), nn.Linear(3, 4), nn.Linear(3, 4)])
    with pytest.raises(RuntimeError, match=r'Unexpected key.*"2\.weight"'):
        parts().load_state_dict(theirs.state_dict())


def test_names_stay():
    assert name_parts({"CNN.0.weight": 1, "7.bias": 2}, ["CNN"]) == {"CNN.0.weight": 1, "7.bias": 2}


@pytest.mark.parametrize(
    "name",
    [
        "1.positional_encoding.pe",
        "1.encoder.layers.0.mha_layer.local_proj.linear.w.weight",
        "1.decoder.layers.0.mutihead_attn.att.in_proj_weight",
    ],
)
def test_numbered_parts_of_others_are_refused(name):
    """Their output layers stand in another order, and have the same shapes."""
    with pytest.raises(ValueError, match=f"{name} .* summarymixing-convert"):
        name_parts({name: 1, "2.w.weight": 2}, ["CNN", "Transformer", "ctc_lin", "seq_lin"])
