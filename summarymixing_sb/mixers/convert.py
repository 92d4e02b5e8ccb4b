"""Conversion of parameters of the original implementation, and of earlier versions of this one."""

import re

import torch

_MLPS = {"local_proj": "local", "summary_proj": "summary", "global_proj": "joint"}
_NORMS = ("local_norm", "summary_norm")
_MLP_NAME = re.compile(
    r"(?P<mlp>\w+_proj)\.linear(?:_(?P<index>\d+))?\.(?:w\.(?P<dense>weight|bias)|(?P<split>weights|biases))"
)


def convert_original_state_dict(state_dict):
    """Rename the parameters of one original SummaryMixing layer.

    The original names are ``local_proj``, ``summary_proj`` and ``global_proj`` with
    ``.linear.w.{weight,bias}``, ``.linear_0.w.{weight,bias}``, ... for one head, or
    ``.linear.{weights,biases}``, ``.linear_0.{weights,biases}``, ... for several;
    ``summary_local_merging.linear.w.{weight,bias}`` over [local ; summary], which is split here;
    ``local_norm`` and ``summary_norm``, which are dropped in the forms without ``local_proj``: lite
    and fast hold them and never apply them.

    Parameters
    ----------
    state_dict : dict
        Parameters by their original name.

    Returns
    -------
    dict
        Parameters by their name in :class:`~summarymixing_sb.SummaryMixing`.

    Raises
    ------
    ValueError
        If a name is none of these.

    Examples
    --------
    >>> import torch
    >>> sorted(convert_original_state_dict({
    ...     "local_proj.linear_0.w.bias": torch.zeros(4),
    ...     "summary_norm.weight": torch.ones(4),
    ... }))
    ['local.2.bias', 'summary_norm.weight']
    """
    converted = {}
    applies_norms = any(name.startswith("local_proj.") for name in state_dict)
    for name, value in state_dict.items():
        mlp = _MLP_NAME.fullmatch(name)
        if mlp and mlp["mlp"] in _MLPS:
            layer = 0 if mlp["index"] is None else int(mlp["index"]) + 1
            kind = mlp["dense"] or {"weights": "weight", "biases": "bias"}[mlp["split"]]
            # Our MLPs alternate Linear and GELU, hence the factor.
            converted[f"{_MLPS[mlp['mlp']]}.{2 * layer}.{kind}"] = value
        elif name == "summary_local_merging.linear.w.weight":
            local_width = _local_width(state_dict, value.shape[1])
            converted["combine_local.weight"] = value[:, :local_width]
            converted["combine_summary.weight"] = value[:, local_width:]
        elif name == "summary_local_merging.linear.w.bias":
            converted["combine_local.bias"] = value
        elif name.split(".")[0] in _NORMS:
            converted |= {name: value} if applies_norms else {}
        else:
            raise ValueError(
                f"{name!r} is not a parameter of an original SummaryMixing layer; strip the "
                "prefix of the layer, and see this function's docstring for the names."
            )
    return converted


def without_decay(state_dict, gamma):
    """Take away the decay of an original layer, if it is the same as the mixer's.

    Parameters
    ----------
    state_dict : dict
        Parameters by their original name, with ``decay_constant`` in the exponential variant.
    gamma : float or None
        Decay a frame of the mixer; None for another pooling.

    Returns
    -------
    dict
        The parameters without ``decay_constant``.

    Raises
    ------
    ValueError
        If only one of the two decays, or they decay by different numbers.
    """
    rest = {name: value for name, value in state_dict.items() if name != "decay_constant"}
    decay = state_dict.get("decay_constant")
    if decay is None and gamma is not None:
        raise ValueError(
            "These parameters have no decay_constant, so pooling='decay' is not theirs."
        )
    if decay is not None and gamma is None:
        raise ValueError("These parameters have a decay_constant, so they want pooling='decay'.")
    if decay is not None and not torch.allclose(decay, torch.full_like(decay, gamma), rtol=1e-5):
        raise ValueError(
            f"These parameters decay by {decay.flatten().tolist()[:3]}; decay is {gamma:g}."
        )
    return rest


def _local_width(state_dict, combined_width):
    """Find the width of the local part of the combiner's input, the output of f."""
    biases = sorted(
        name
        for name in state_dict
        if name.startswith("local_proj.linear") and name.endswith((".bias", ".biases"))
    )
    # In the fast form, f and s are equal halves of one layer.
    return state_dict[biases[-1]].numel() if biases else combined_width // 2


def join_heads(state_dict, name):
    """Write a layer whose outputs are the two halves of each head as one dense layer.

    Parameters
    ----------
    state_dict : dict
        Holds ``name.weight`` (heads, in / heads, out / heads) and ``name.bias`` (heads, out /
        heads).
    name : str
        Of the layer.

    Returns
    -------
    dict
        The same two of a :class:`torch.nn.Linear` whose outputs are the two halves over all heads.

    Examples
    --------
    >>> heads = {"joint.weight": torch.ones(2, 1, 2), "joint.bias": torch.tensor([[1, 2], [3, 4]])}
    >>> join_heads(heads, "joint")["joint.bias"]
    tensor([1, 3, 2, 4])
    """
    weight, bias = (state_dict[f"{name}.{kind}"] for kind in ("weight", "bias"))

    def reorder(outputs):
        return outputs.unflatten(0, (len(weight), 2, -1)).transpose(0, 1).flatten(0, 2)

    return {
        f"{name}.weight": reorder(torch.block_diag(*weight).T),
        f"{name}.bias": reorder(bias.flatten()),
    }
