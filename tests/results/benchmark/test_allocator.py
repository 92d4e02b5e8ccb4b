"""What becomes of freed memory, seen in a process of its own."""

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")

SCRIPT = """
import resource, sys, torch
from results.benchmark.allocator import return_kept, touch, use_policy

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

assert use_policy(sys.argv[1]) == sys.argv[1]
touch(2**28)
before = pages()
for _ in range(4):
    torch.ones(2**24)  # 64 MiB
reused = pages() - before
return_kept()
torch.ones(2**24)
print(reused, pages() - before - reused)
"""


def pages_taken(policy):
    command = [sys.executable, "-c", SCRIPT, policy]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [int(count) for count in done.stdout.split()]


def test_kept_memory_is_used_again_until_it_is_returned():
    reused, after_return = pages_taken("kept")
    assert reused < 100
    assert after_return > 2**24 * 4 / 2**21  # in pages of at most 2 MiB


@pytest.mark.parametrize("policy", ["returned", "system"])
def test_returned_memory_is_taken_anew(policy):
    assert pages_taken(policy)[0] > 4 * 2**24 * 4 / 2**21
