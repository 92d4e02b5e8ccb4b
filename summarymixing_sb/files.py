"""Files that appear whole or not at all, and how to tell whether one changed."""

import hashlib
import os
import shutil
import uuid
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_open(path, binary=False):
    """Open a file for writing that takes its place only once it is complete.

    Whoever opens ``path`` sees the old file or the whole new one, never a part; if the body
    raises, the old file stays.

    Parameters
    ----------
    path : str or Path
        The file to make or replace.
    binary : bool
        For bytes instead of text.

    Yields
    ------
    file object

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "train.csv"
    >>> with atomic_open(target) as file:
    ...     _ = file.write("ID,duration")
    ...     target.exists()
    False
    >>> target.read_text()
    'ID,duration'
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        text = {} if binary else {"encoding": "utf-8", "newline": ""}
        with open(temporary, "wb" if binary else "w", **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        flush_to_disk(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def flush_to_disk(path):
    """Wait until a file, or the names in a folder, are on the disk, safe from a power failure."""
    if os.path.isdir(path) and os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep_copy(path, folder):
    """Copy a file into a folder, unless it lies there or the same content does.

    Parameters
    ----------
    path, folder : str or Path
        The folder is made if it does not exist.
    """
    path, copy = Path(path), Path(folder) / Path(path).name
    if copy.is_file() and (copy.samefile(path) or digest(copy) == digest(path)):
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(copy, binary=True) as target, open(path, "rb") as source:
        shutil.copyfileobj(source, target)


def digest(path):
    """SHA-256 of a file's content, in hexadecimal."""
    content = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            content.update(block)
    return content.hexdigest()
