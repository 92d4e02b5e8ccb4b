"""Imports point one way: a layer knows those below it and no other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "summarymixing_sb"
#: From the bottom up; modules of one layer may import each other.
LAYERS = (
    ("version", "lengths", "files", "hub", "registry"),
    ("pooling",),
    ("mixers",),
    ("encoders",),
    ("models",),
    ("hyperparameters",),
    ("data",),
    ("decoding",),
    ("evaluation",),
    ("training", "inference"),
    ("export", "report"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
#: The path of a class in run folders of earlier versions.
PATHS_OF_EARLIER_VERSIONS = {"predictor.py"}


def imported(file):
    """Modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def own(file):
    return [name.split(".") for name in imported(file) if name.startswith("summarymixing_sb.")]


FILES = [
    file
    for file in sorted(PACKAGE.rglob("*.py"))
    if file.name not in PATHS_OF_EARLIER_VERSIONS and file != PACKAGE / "__init__.py"
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_import_runs_up(file):
    here = file.relative_to(PACKAGE).with_suffix("").parts[0]
    for _, there, *_ in own(file):
        assert LEVEL[there] <= LEVEL[here], there
        if {here, there} == {"training", "inference"}:
            pytest.fail(f"{here} imports {there}")
    assert not [name for name in imported(file) if name.split(".")[0] in ("recipes", "results")]
