"""LoRA adapters of SpeechBrain in the linear layers of a model, and plain weights out of them.

With rank r, a layer computes ``W x + B A x``, of which only A (r, inputs) and B (outputs, r) are
trained (arXiv 2106.09685). Merged, it is the layer with the weight ``W + B A``.
"""

import torch
from speechbrain.nnet.adapters import LoRA, replace_module
from torch import nn

from summarymixing_sb.mixers import Mixer

#: How SpeechBrain's LoRA names the layer itself and its two matrices.
LAYER, DOWN, UP = "pretrained_module.", "adapter_down_proj.weight", "adapter_up_proj.weight"


def insert_lora(module, rank):
    """Put adapters into the linear layers of a module, and freeze all else of it.

    Mixers and torch's attention are left out: they read their weights, and call no layer.

    Parameters
    ----------
    module : torch.nn.Module
    rank : int

    Returns
    -------
    int
        How many layers have one.

    Examples
    --------
    >>> layers = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> insert_lora(layers, rank=1)
    2
    >>> [name for name, parameter in layers.named_parameters() if parameter.requires_grad][:2]
    ['0.adapter_down_proj.weight', '0.adapter_up_proj.weight']
    """
    module.requires_grad_(False)
    closed = tuple(
        f"{name}."
        for name, part in module.named_modules()
        if isinstance(part, Mixer | nn.MultiheadAttention)
    )
    names = [
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.Linear) and not name.startswith(closed)
    ]
    for name in names:
        # alpha = rank: the product of the matrices has no other factor
        replace_module(module, name, LoRA(module.get_submodule(name), rank, alpha=rank))
    return len(names)


def merge_lora(state_dict):
    """Make plain weights of a state with adapters; one without comes back as it is.

    Parameters
    ----------
    state_dict : dict of str to torch.Tensor

    Returns
    -------
    dict of str to torch.Tensor

    Examples
    --------
    >>> layer = nn.Sequential(nn.Linear(4, 3))
    >>> plain = dict(layer.state_dict())
    >>> _ = insert_lora(layer, rank=2)
    >>> merged = merge_lora(layer.state_dict())
    >>> merged.keys() == plain.keys(), torch.equal(merged["0.weight"], plain["0.weight"])
    (True, True)
    """
    merged = {}
    for name, value in state_dict.items():
        if name.endswith((DOWN, UP)):
            continue
        if LAYER in name:
            before = name.rpartition(LAYER)[0]
            if name.endswith("weight"):
                value = value + state_dict[before + UP] @ state_dict[before + DOWN]
            name = name.replace(LAYER, "")
        merged[name] = value
    return merged


def as_adapted(state_dict, own):
    """Name plain weights as a model with adapters does; those then add nothing.

    Parameters
    ----------
    state_dict : dict of str to torch.Tensor
        Plain, or of a model with adapters, which comes back as it is.
    own : dict of str to torch.Tensor
        The state of the model that shall load it.

    Returns
    -------
    dict of str to torch.Tensor
    """
    if any(LAYER in name for name in state_dict) or not any(LAYER in name for name in own):
        return state_dict
    adapted = {name: state_dict.get(name.replace(LAYER, ""), value) for name, value in own.items()}
    ups = {name: torch.zeros_like(value) for name, value in own.items() if name.endswith(UP)}
    return {**adapted, **ups}
