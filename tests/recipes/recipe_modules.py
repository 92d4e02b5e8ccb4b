"""The files of a recipe as modules."""

import importlib
import sys
from pathlib import Path

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def load_recipe(dataset, name):
    """One file of a recipe; its neighbours are found as they are when it is run as a script."""
    folder = RECIPES / dataset
    names = {path.stem for path in folder.glob("*.py")}
    others = {other: sys.modules.pop(other) for other in names if other in sys.modules}
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))
        for other in names:
            sys.modules.pop(other, None)
        sys.modules.update(others)  # another recipe's, in another test
