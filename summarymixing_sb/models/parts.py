"""A model's trained parts under their names, as checkpoints hold them."""

import re

from torch import nn

from summarymixing_sb.models.adapters import as_adapted

#: Saved apart from the model, as SpeechBrain saves it.
NORMALIZER = "normalize"
#: What numbered checkpoints of others have, and none of this package.
_FOREIGN = re.compile(
    r"\d+\.(positional_encoding(_decoder)?\.pe$|.*\.((local|summary|global)_proj|mutihead_attn)\.)"
)


class ModelParts(nn.ModuleDict):
    """The modules of a YAML file's ``modules:``, without the normaliser.

    Parameters
    ----------
    modules : mapping of str to torch.nn.Module
        In the order of the YAML file.

    Examples
    --------
    >>> parts = ModelParts({"normalize": nn.Identity(), "ctc_lin": nn.Linear(2, 3)})
    >>> sorted(parts.state_dict())
    ['ctc_lin.bias', 'ctc_lin.weight']
    """

    def __init__(self, modules):
        super().__init__({name: part for name, part in modules.items() if name != NORMALIZER})

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Load parameters, also those that an earlier version named by positions in a list.

        Plain ones are loaded into a model with adapters as well.
        """
        named = as_adapted(name_parts(state_dict, self.listed), self.state_dict())
        return super().load_state_dict(named, strict, assign)

    @property
    def listed(self):
        """Names of the parts that such a list held: all that have anything to save."""
        return [name for name, part in self.items() if part.state_dict()]


def name_parts(state_dict, names):
    """Replace positions in a list, by which earlier versions named parts, with names.

    Parameters
    ----------
    state_dict : dict of str to torch.Tensor
        Parameters by name.
    names : iterable of str
        Names of the parts in the order of that list.

    Returns
    -------
    dict of str to torch.Tensor
        What has a name already, or a position behind the last name, stays as it is.

    Raises
    ------
    ValueError
        If the positions are those of SpeechBrain or of the original implementation, where the
        output layers stand in another order.

    Examples
    --------
    >>> name_parts({"0.weight": 1, "ctc_lin.weight": 2}, ["CNN"])
    {'CNN.weight': 1, 'ctc_lin.weight': 2}
    """
    foreign = next(filter(_FOREIGN.match, state_dict), None)
    if foreign:
        raise ValueError(
            f"{foreign} is of a checkpoint of SpeechBrain or of the original implementation, whose "
            "parts stand in another order: convert it with summarymixing-convert"
        )
    by_position = {str(position): name for position, name in enumerate(names)}
    named = {}
    for key, value in state_dict.items():
        part, _, rest = key.partition(".")
        named[f"{by_position.get(part, part)}.{rest}"] = value
    return named
