"""Parameters of models that others trained, under the names of this package.

Those are the models of the original implementation of SummaryMixing, and SpeechBrain's. Their
checkpoints name the parts of a model by positions in a list, whose last two are the decoder's head
and then CTC's.
"""

import re

from summarymixing_sb.mixers import SummaryMixing

HEADS = ("seq_lin", "ctc_lin")
_RENAMED = (
    (re.compile(r"\.mutihead_attn\."), ".multihead_attn."),
    (re.compile(r"\.merge_proj\.linear\.w\."), ".merge_proj.0."),
    (re.compile(r"\.merge_proj\.linear_0\.w\."), ".merge_proj.2."),
)


def load_foreign(parts, state_dict):
    """Load a whole model of the original implementation, or of SpeechBrain.

    Parameters
    ----------
    parts : ModelParts
        The same model of this package: ``CNN``, ``Transformer`` and the heads.
    state_dict : dict of str to torch.Tensor
        Their ``model.ckpt``.

    Returns
    -------
    list of str
        Their parameters that no output depends on, which were dropped: tables of positions, and
        norms that are held and never applied.

    Raises
    ------
    ValueError
        If the parameters are not those of this model, are of this package already, or have a part
        that this model lacks; the message names them.
    """
    named = _name_parts(parts, state_dict)
    ours = parts.state_dict()
    converted, dropped = {}, []
    for name, value in named.items():
        for pattern, ours_name in _RENAMED:
            name = pattern.sub(ours_name, name)
        if name.startswith("Transformer.positional_encoding") and name not in ours:
            dropped.append(name)
        else:
            converted[name] = value
    for prefix, mixer in parts.named_modules():
        if isinstance(mixer, SummaryMixing):
            theirs = _pop(converted, f"{prefix}.")
            try:
                mixer.load_original_state_dict(theirs)
            except ValueError as error:
                raise ValueError(f"{prefix}: {error}") from error
            if mixer.form != "full":
                dropped += [f"{prefix}.{name}" for name in theirs if "_norm." in name]
            converted |= {f"{prefix}.{name}": v for name, v in mixer.state_dict().items()}
    _check(converted, ours)
    parts.load_state_dict(converted)
    return dropped


def _name_parts(parts, state_dict):
    """Replace positions in their list by the names of our parts."""
    if any(".combine_local." in name for name in state_dict):
        raise ValueError("These are parameters of this package: use them as they are.")
    groups = {}
    for name, value in state_dict.items():
        position, _, rest = name.partition(".")
        groups.setdefault(position, {})[rest] = value
    if not all(position.isdigit() for position in groups):
        raise ValueError(
            f"Parts of the model should be numbered, as in a list; there are {', '.join(groups)}."
        )
    heads = [name for name in HEADS if name in parts]
    named = {}
    for position in sorted(groups, key=int):
        group = groups[position]
        if any(name.startswith(("encoder.", "custom_src_module.")) for name in group):
            part = "Transformer"
        elif group.keys() == parts["CNN"].state_dict().keys():
            part = "CNN"
        elif heads:
            part = heads.pop(0)
        else:
            part = f"(number {position})"
        named |= {f"{part}.{name}": value for name, value in group.items()}
    return named


def _pop(state_dict, prefix):
    """Take out what is under a prefix, without it."""
    names = [name for name in state_dict if name.startswith(prefix)]
    return {name.removeprefix(prefix): state_dict.pop(name) for name in names}


def _check(theirs, ours):
    """Refuse parameters that are missing, that have no place, or of another shape."""
    problems = [f"{name} is missing" for name in ours if name not in theirs]
    for name, value in theirs.items():
        if name not in ours:
            problems.append(f"{name} has no place")
        elif value.shape != ours[name].shape:
            shapes = tuple(value.shape), tuple(ours[name].shape)
            problems.append(f"{name} has the shape {shapes[0]}, not {shapes[1]}")
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise ValueError(
            "These are not the parameters of this model; do the YAML file and its overrides "
            f"agree? {'; '.join(problems[:5])}{more}."
        )
