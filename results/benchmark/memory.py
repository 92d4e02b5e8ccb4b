"""Peak memory of one call of a model, on a CPU in a process of its own."""

import ctypes
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import torch

from results.benchmark.models import build_model, make_inputs
from results.benchmark.timing import make_call
from summarymixing_sb.evaluation import peak_memory_mb, reset_peak_memory

M_MMAP_THRESHOLD = -3  # glibc's malloc.h


def peak_memory(name, case, threads):
    """Measure the memory that one call takes.

    Parameters
    ----------
    name : str
        Of a model.
    case : Case
    threads : int
        Of torch, on the CPU.

    Returns
    -------
    tuple of float
        MiB: on a CPU the highest resident memory of the process, Python, torch and parameters
        included, and how far the call raised it; on a GPU the same of what torch allocated there.

    Raises
    ------
    concurrent.futures.process.BrokenProcessPool
        If the process is killed, as for want of memory.
    """
    if torch.device(case.device).type == "cuda":
        return _measure(name, case, threads)  # PyTorch can reset a GPU's peak
    # The highest resident memory of a process never falls, so each call needs a new one. All are
    # forked from a server that has imported everything, but computed nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure, name, case, threads).result()


def _measure(name, case, threads):
    if hasattr(ctypes.pythonapi, "mallopt"):
        # Of freed tensors that glibc keeps, a peak tells nothing: return blocks above 64 KiB.
        ctypes.pythonapi.mallopt(M_MMAP_THRESHOLD, 2**16)
    torch.set_num_threads(threads)
    call = make_call(build_model(name, case), make_inputs(case), case)
    reset_peak_memory(case.device)
    before = peak_memory_mb(case.device)
    call()
    peak = peak_memory_mb(case.device)
    return peak, peak - before
