"""Fingerprints of derived files, by which they are made again only when they are out of date."""

import hashlib
import json
import os
from pathlib import Path

from summarymixing_sb.files import atomic_open, digest


def signature(sources):
    """Hash the names, sizes and times of change of many files.

    Parameters
    ----------
    sources : dict of str to list of str
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
            except (OSError, ValueError):  # a NUL in the name
                state = (None, None)
            names.update(json.dumps([group, path, *state]).encode())
    return names.hexdigest()


class Fingerprint:
    """Record of what files were made from and of what they hold, kept as JSON beside them.

    The hashes of the files are part of it, so a file that was edited or removed counts as out of
    date, as does one whose making was broken off.

    Parameters
    ----------
    path : str or Path
        The JSON file, in the folder of the files.
    options : dict
        The choices that decide what the files hold; must be representable as JSON.
    inputs : str
        A hash of what they are made from, such as a `signature`.
    inputs_name : str
        What `inputs` stands for, in the plural, for log lines.
    notes : sequence of str
        Notes that a whole record has.

    Attributes
    ----------
    recorded : dict
        The record of the last `write`: ``options``, ``inputs``, ``written`` and the notes; empty
        if there is none.
    """

    def __init__(self, path, options, inputs, inputs_name, notes=()):
        self.path = Path(path)
        self.inputs_name = inputs_name
        self._options = json.loads(json.dumps(options))  # as they come back from the file
        self._inputs = inputs
        self._notes = notes
        self.recorded = self._read()

    def _read(self):
        try:
            recorded = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        whole = isinstance(recorded, dict) and isinstance(recorded.get("written"), dict)
        return recorded if whole and recorded.keys() >= {*self._notes} else {}

    def why_outdated(self):
        """Say why the files must be made again.

        Returns
        -------
        str or None
            The reason, for a log line; None if they are up to date.
        """
        if not self.recorded:
            damaged = self.path.is_file()
            return f"{self.path.name} is damaged" if damaged else "nothing prepared there yet"
        options = self.recorded.get("options")
        if options != self._options:
            options = options if isinstance(options, dict) else {}
            keys = {*options, *self._options}
            changed = sorted(k for k in keys if options.get(k) != self._options.get(k))
            return f"changed since: {', '.join(changed)}"
        if self.recorded.get("inputs") != self._inputs:
            return f"{self.inputs_name} changed since"
        for name, content in self.recorded["written"].items():
            try:
                if digest(self.path.parent / name) != content:
                    return f"{name} was changed since"
            except OSError:
                return f"{name} is missing"
        return None

    def write(self, names, **notes):
        """Record files that were made, as the last step, and remove those made before and not now.

        Parameters
        ----------
        names : iterable of str
            Every file written into the folder.
        **notes
            Whatever else the record is to hold, as JSON.
        """
        folder = self.path.parent
        written = {name: digest(folder / name) for name in names}
        for name in self.recorded.get("written", {}).keys() - written.keys():
            (folder / name).unlink(missing_ok=True)
        self.recorded = {
            "options": self._options,
            "inputs": self._inputs,
            "written": written,
            **notes,
        }
        with atomic_open(self.path) as file:
            file.write(json.dumps(self.recorded, indent=2) + "\n")
