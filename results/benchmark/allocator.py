"""What becomes of freed memory, on which times and peaks on a CPU depend.

glibc hands blocks above 32 MB back to the system as soon as they are freed, and gets them anew,
page by page, in the next operation. How long that takes depends on the machine's past, so times
are measured with all freed memory kept, and peaks with none.
"""

import ctypes

import torch

# Finds the functions of all libraries of the process, on every system.
_PROCESS = ctypes.pythonapi
# mallopt's parameters, as in glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4

#: Parameters of glibc: none for its own ways.
POLICIES = {
    "kept": {_MMAP_MAX: 0, _TRIM_THRESHOLD: -1},
    "returned": {_MMAP_THRESHOLD: 1 << 16},
    "system": {},
}


def use_policy(name):
    """Tell the C library, for the rest of this process, what to do with freed memory.

    Parameters
    ----------
    name : str
        "kept" by the process, "returned" to the system, or whatever the "system" does.

    Returns
    -------
    str
        The policy in force: "system" where the C library is not glibc.

    Examples
    --------
    >>> use_policy("system")
    'system'
    """
    if not hasattr(_PROCESS, "mallopt"):
        return "system"
    for parameter, value in POLICIES[name].items():
        _PROCESS.mallopt(parameter, value)
    return name


def return_kept():
    """Give freed memory that the process keeps back to the system."""
    if hasattr(_PROCESS, "malloc_trim"):
        _PROCESS.malloc_trim(0)


def touch(size):
    """Take memory and free it, so that the first call finds what the others will.

    Parameters
    ----------
    size : float
        Bytes.
    """
    torch.empty(int(size), dtype=torch.uint8).fill_(1)
