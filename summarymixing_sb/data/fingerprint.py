"""Whether files made earlier are still right: a stamp of what they were made from and hold."""

import hashlib
import json
import os
from pathlib import Path

from summarymixing_sb.files import atomic_open, digest

STAMP_FILE = "preparation.json"


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


def read_stamp(folder):
    """Read what a preparation recorded of itself.

    Parameters
    ----------
    folder : str or Path
        Folder of the prepared files.

    Returns
    -------
    dict
        ``options``, ``inputs``, ``written``, ``summary`` and ``annotated``, as `Stamp` has them.

    Raises
    ------
    FileNotFoundError
        If nothing was prepared there.
    """
    path = Path(folder) / STAMP_FILE
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: no data were prepared in this folder")
    return json.loads(path.read_text(encoding="utf-8"))


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
            earlier = read_stamp(self.folder)
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

    def write(self, written, summary, annotated):
        """Record a preparation, as its last step, and drop what an earlier one left behind.

        Parameters
        ----------
        written : dict[str, str]
            Name and `digest` of every file written into the folder.
        summary : list[str]
            Lines to show again when the files are found up to date.
        annotated : dict[str, int]
            Number of recordings that the annotations of each split name.
        """
        for name in self._earlier.get("written", {}).keys() - written.keys():
            (self.folder / name).unlink(missing_ok=True)
        stamp = {
            "options": self._options,
            "inputs": self._inputs,
            "written": written,
            "summary": summary,
            "annotated": annotated,
        }
        with atomic_open(self.path) as file:
            file.write(json.dumps(stamp, indent=2) + "\n")
        self._earlier = stamp
