"""Code that torch.compile generates gives the same numbers; each takes a compiler a minute."""

import shutil

import pytest
from encoders.test_compile import assert_same_gradients, build, forget_graphs  # noqa: F401  fixture


@pytest.mark.skipif(shutil.which("g++") is None, reason="inductor needs a C++ compiler")
@pytest.mark.parametrize("name", ["branchformer", "conformer"])
def test_generated_code(name):
    assert_same_gradients(build(name, {}))
