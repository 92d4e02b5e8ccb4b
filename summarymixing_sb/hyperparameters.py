"""YAML files of hyperparameters: as settings, or with the objects that they describe built."""

from hyperpyyaml import load_hyperpyyaml, resolve_references
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def read_settings(hparams_file, overrides):
    """Read a YAML file without building anything.

    Parameters
    ----------
    hparams_file : str or Path
    overrides : dict

    Returns
    -------
    dict
        Top-level keys with references resolved; objects to be built are dicts of their arguments,
        with their class under ``!``.

    Raises
    ------
    ValueError
        If the file is no YAML of keys, or a key marked ``!PLACEHOLDER`` is given no value.
    """
    with open(hparams_file, encoding="utf-8") as stream:
        try:
            nodes = YAML().load(stream)
        except YAMLError as error:
            raise ValueError(f"{hparams_file} is no YAML: {error}") from error
        if not isinstance(nodes, dict):
            raise ValueError(f"{hparams_file} has no keys: it is empty, or of something else")
        for key, node in nodes.items():
            if _tag(node) == "!PLACEHOLDER" and overrides.get(key) is None:
                raise ValueError(f"{hparams_file} leaves {key} to you: add --{key}=...")
    with open(hparams_file, encoding="utf-8") as stream:
        resolved = YAML().load(resolve_references(stream, overrides))
    return {key: _plain(node) for key, node in resolved.items()}


def load_hparams(hparams_file, overrides):
    """Read a YAML file and build what it describes.

    Parameters
    ----------
    hparams_file : str or Path
    overrides : dict

    Returns
    -------
    dict
    """
    with open(hparams_file, encoding="utf-8") as stream:
        return load_hyperpyyaml(stream, overrides)


def is_built(node):
    """Say whether a node of a YAML file stands for an object to be built.

    Parameters
    ----------
    node : object
        A node that ruamel loaded, or a value of :func:`read_settings`.

    Returns
    -------
    bool
    """
    tag = node.get("!") if isinstance(node, dict) and "!" in node else _tag(node)
    return isinstance(node, dict) or bool(tag and tag.startswith(("!new", "!name", "!apply")))


def _tag(node):
    """Give the YAML tag of a node that ruamel loaded, or None."""
    return getattr(getattr(node, "tag", None), "value", None)


def _plain(node):
    """Turn ruamel's nodes into dicts, lists and scalars; a tag becomes the entry ``!``."""
    tag = _tag(node)
    if tag == "!tuple":  # hyperpyyaml makes ruamel mark them, once it has loaded a file
        return node.value
    marked = {"!": tag} if tag and tag.startswith("!") else {}
    if isinstance(node, dict):
        return {**marked, **{key: _plain(value) for key, value in node.items()}}
    if isinstance(node, list):
        items = [_plain(value) for value in node]
        return {**marked, "items": items} if marked else items
    if marked:
        return {**marked, "value": str(getattr(node, "value", ""))}
    return float(node) if isinstance(node, float) else node
