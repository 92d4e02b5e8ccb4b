"""Folders of models, here or on the Hugging Face hub."""

import re
from pathlib import Path

import huggingface_hub

#: owner/name
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
#: Files of a model that summarymixing-export made; the first is in the folder of no run.
EXPORT_FILE = "config.json"
MODEL_FILE, NORMALIZER_FILE, TOKENIZER_FILE = "model.ckpt", "normalizer.ckpt", "tokenizer.ckpt"


def find_folder(source):
    """Find a folder of this machine, or fetch one from the Hugging Face hub.

    Parameters
    ----------
    source : str or Path
        A folder, or owner/name where there is no such folder.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If there is neither.
    """
    folder = Path(source).resolve()
    if folder.is_dir():
        return folder
    if not HUB_NAME.fullmatch(str(source)):
        raise FileNotFoundError(f"there is no folder {folder}; name the output_folder of a run")
    try:
        return Path(huggingface_hub.snapshot_download(str(source)))
    except Exception as error:  # the hub's client raises many unrelated kinds
        raise FileNotFoundError(
            f"there is no folder {folder}, and the hub gave no model {source}: {error}"
        ) from error
