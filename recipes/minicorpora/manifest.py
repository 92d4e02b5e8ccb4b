"""The manifest of a corpus folder, which keeps two corpora from mixing in one folder."""

import json
import shutil

from summarymixing_sb.files import atomic_open

NAME = "manifest.json"


def claim(folder, parameters, contents):
    """Take a folder for a corpus, unless another one is there.

    A corpus whose writing was broken off is removed.

    Parameters
    ----------
    folder : pathlib.Path
        Where the corpus goes.
    parameters : dict
        What determines the corpus, as JSON holds it: its options, and under "version" a mark of
        the code that made it.
    contents : sequence of str
        Names of the files and folders that will be written in the folder.

    Returns
    -------
    dict or None
        The statistics of this very corpus if it is there already, None if it must be written.

    Raises
    ------
    FileExistsError
        The folder holds another corpus, or something that is none of ours.
    """
    path = folder / NAME
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["statistics"] is not None:
            if found["parameters"] == parameters:
                return found["statistics"]
            _refuse(folder, found["parameters"], parameters)
        for name in found["contents"]:
            left = folder / name
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    elif folder.is_dir() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} holds files and no {NAME} of a mini corpus; choose another output folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write(path, parameters, contents, None)
    return None


def finish(folder, parameters, contents, statistics):
    """Note that the corpus is complete; the arguments are those of `claim`, and its statistics."""
    _write(folder / NAME, parameters, contents, statistics)


def _refuse(folder, found, wanted):
    """Say in which parameters the corpus that is there differs."""
    differences = [
        f"{key} is {found.get(key)}, not {wanted.get(key)}"
        for key in sorted(found.keys() | wanted.keys())
        if key != "version" and found.get(key) != wanted.get(key)
    ] or ["made by another version of the package"]
    raise FileExistsError(
        f"{folder} holds another corpus ({'; '.join(differences)}); "
        "choose another output folder, or remove this one"
    )


def _write(path, parameters, contents, statistics):
    """Write the file in one step."""
    text = json.dumps(
        {"parameters": parameters, "contents": list(contents), "statistics": statistics}, indent=2
    )
    with atomic_open(path) as file:
        file.write(text + "\n")
