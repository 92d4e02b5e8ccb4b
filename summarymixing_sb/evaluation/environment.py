"""Versions, commit, machine and memory of a result."""

import os
import platform
import resource
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import speechbrain
import torch

from summarymixing_sb.version import __version__

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20


def environment_record():
    """Describe the software and the machine of this process.

    Returns
    -------
    dict
        ``versions`` (dict: python, torch, cuda, speechbrain, summarymixing_sb), ``commit`` (str,
        see :func:`git_commit`, or None), ``machine`` (dict: cpu, cores, gpu; gpu is None without
        one) and ``date`` (ISO 8601, UTC).
    """
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "speechbrain": speechbrain.__version__,
            "summarymixing_sb": __version__,
        },
        "commit": git_commit(ROOT),
        "machine": {"cpu": _cpu_name(), "cores": _usable_cores(), "gpu": gpu},
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def git_commit(root):
    """Name the git commit of the checkout at `root`.

    Parameters
    ----------
    root : Path
        The top folder of the checkout.

    Returns
    -------
    str or None
        The commit's hash, with ``-dirty`` behind it when tracked files differ from it; None when
        `root` is not the top of a git checkout (an installed package), has no commit yet, or git is
        missing.
    """
    # A package installed into a virtual environment inside another project must not be given that
    # project's commit.
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return None
    commit = _git(root, "rev-parse", "--verify", "HEAD")
    if commit is None:
        return None
    dirty = _git(root, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if dirty else commit


def reset_peak_memory(device):
    """Start counting :func:`peak_memory_mb` anew; only a GPU's count can be reset.

    Parameters
    ----------
    device : torch.device or str
    """
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mb(device):
    """Measure the peak memory of this process.

    Parameters
    ----------
    device : torch.device or str

    Returns
    -------
    float
        MiB. On a GPU, what torch had allocated there at most since :func:`reset_peak_memory`; on a
        CPU, the resident memory of the whole process at most since it started.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device) / MIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # macOS counts bytes, Linux KiB
    return peak / MIB if sys.platform == "darwin" else peak / 1024


def free_bytes(device):
    """Measure the memory that can still be taken.

    Parameters
    ----------
    device : torch.device or str

    Returns
    -------
    int
        Bytes. On a CPU, what Linux calls available, which counts what it keeps of files; elsewhere
        all of the memory.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _git(folder, *arguments):
    """Run git; its output, or None where it fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _cpu_name():
    """Name the processor; Linux says it in /proc/cpuinfo only."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _usable_cores():
    """Count the cores this process may run on, which a container or a scheduler can restrict."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()
