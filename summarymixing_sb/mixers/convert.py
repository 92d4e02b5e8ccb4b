"""Conversion of parameter names of the original implementation of SummaryMixing."""

import re

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
    ``local_norm`` and ``summary_norm``.

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
            converted[name] = value
        else:
            raise ValueError(
                f"{name!r} is not a parameter of an original SummaryMixing layer; strip the "
                "prefix of the layer, and see this function's docstring for the names."
            )
    return converted


def _local_width(state_dict, combined_width):
    """Find the width of the local part of the combiner's input, the output of f."""
    biases = sorted(
        name
        for name in state_dict
        if name.startswith("local_proj.linear") and name.endswith((".bias", ".biases"))
    )
    # In the fast form, f and s are equal halves of one layer.
    return state_dict[biases[-1]].numel() if biases else combined_width // 2
