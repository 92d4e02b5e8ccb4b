"""Whether files made earlier are still right: a stamp of what they were made from and hold."""

import hashlib
import json
import os
import uuid
from contextlib import contextmanager
from pathlib import Path

STAMP_FILE = "preparation.json"


@contextmanager
def atomic_open(path):
    """Open a text file for writing that takes its place only once it is complete.

    Whoever opens ``path`` sees the old file or the whole new one, never a part; if the body
    raises, the old file stays.

    Parameters
    ----------
    path : str or Path
        The file to make or replace.

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
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def digest(path):
    """SHA-256 of a file's content, in hexadecimal."""
    content = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            content.update(block)
    return content.hexdigest()


def signature(sources):
    """One hash over the names, sizes and times of change of many files.

    Parameters
    ----------
    sources : dict[str, list[str]]
        Groups of absolute paths. A path that leads nowhere counts as a file without size.

    Returns
    -------
    str
        SHA-256 in hexadecimal. The files are not opened.
    """
    names = hashlib.sha256()
    for group, paths in sources.items():
        for path in paths:
            try:
                status = os.stat(path)
                state = (status.st_size, status.st_mtime_ns)
            except OSError:
                state = (None, None)
            names.update(json.dumps([group, path, *state]).encode())
    return names.hexdigest()


class Stamp:
    """What a preparation was made from and what it wrote, kept as JSON beside its files.

    The files' own hashes are in it, so a CSV that was edited, removed or belongs to a
    preparation that was broken off counts as outdated too.

    Parameters
    ----------
    folder : str or Path
        Folder of the prepared files.
    options : dict
        The choices that decide what they hold; must be representable as JSON.
    inputs : str
        `signature` of the files they are made from.

    Attributes
    ----------
    summary : list[str]
        The lines given to `write` by the preparation whose files are there.
    """

    def __init__(self, folder, options, inputs):
        self.folder = Path(folder)
        self.path = self.folder / STAMP_FILE
        self._options = json.loads(json.dumps(options))  # as they come back from the file
        self._inputs = inputs
        self._earlier = self._read()

    def _read(self):
        try:
            earlier = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return earlier if isinstance(earlier, dict) else {}

    @property
    def summary(self):
        return self._earlier.get("summary", [])

    def why_outdated(self):
        """Why the files must be made again.

        Returns
        -------
        str or None
            The reason, for a log line; None if they are still right.
        """
        if not self._earlier:
            return "nothing prepared there yet"
        earlier = self._earlier.get("options")
        if earlier != self._options:
            earlier = earlier if isinstance(earlier, dict) else {}
            keys = {*earlier, *self._options}
            changed = sorted(k for k in keys if earlier.get(k) != self._options.get(k))
            return f"changed since: {', '.join(changed)}"
        if self._earlier.get("inputs") != self._inputs:
            return "files of the data set changed since"
        for name, content in self._earlier.get("written", {}).items():
            try:
                if digest(self.folder / name) != content:
                    return f"{name} was changed since"
            except OSError:
                return f"{name} is missing"
        return None

    def write(self, written, summary):
        """Record a preparation, as its last step, and drop what an earlier one left behind.

        Parameters
        ----------
        written : dict[str, str]
            Name and `digest` of every file written into the folder.
        summary : list[str]
            Lines to show again when the files are found up to date.
        """
        for name in self._earlier.get("written", {}).keys() - written.keys():
            (self.folder / name).unlink(missing_ok=True)
        stamp = {
            "options": self._options,
            "inputs": self._inputs,
            "written": written,
            "summary": summary,
        }
        with atomic_open(self.path) as file:
            file.write(json.dumps(stamp, indent=2) + "\n")
        self._earlier = stamp
