"""The recipes' tables of errors quote what the code prints."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VALUE = "\0"


def texts(file):
    """String literals of a file; what an f-string puts in is one character."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.Constant) else VALUE for p in node.values]
            yield "".join(parts)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


SOURCES = sorted([*(ROOT / "summarymixing_sb").rglob("*.py"), *(ROOT / "recipes").rglob("*.py")])
PRINTED = "\n".join(text for file in SOURCES for text in texts(file))


def is_printed(quote):
    """Whether the code has a text, in which one stretch may be a value."""
    stretches = ((i, j) for i in range(len(quote) + 1) for j in range(i, len(quote) + 1))
    return any(
        (quote if i == j else quote[:i] + VALUE + quote[j:]) in PRINTED
        for i, j in stretches
        if len(quote) - (j - i) >= min(8, len(quote))  # the rest must say something
    )


def quotes():
    for readme in sorted(ROOT.glob("recipes/*/README.md")):
        table = readme.read_text(encoding="utf-8").partition("| the message says |")[2]
        for line in table.partition("\n\n")[0].splitlines()[2:]:
            for quote in re.findall(r"`([^`]+)`", line.split("|")[1]):
                for part in filter(str.strip, quote.split("...")):
                    yield pytest.param(part.strip(), id=f"{readme.parent.name}: {part.strip()}")


@pytest.mark.parametrize("quote", quotes())
def test_the_code_prints_what_the_table_quotes(quote):
    assert is_printed(quote)


def test_a_text_that_no_code_prints_is_found():
    assert is_printed("leaves data_folder to you")
    assert not is_printed("which the decoder could then not write")
