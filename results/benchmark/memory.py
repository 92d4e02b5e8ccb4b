"""Peak memory of one call of a contestant, in a process of its own."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import torch

from results.benchmark.allocator import use_policy
from results.benchmark.contestants import build_contestant
from results.benchmark.levels import make_inputs
from results.benchmark.points import SAMPLE_RATE
from results.benchmark.timing import make_call
from summarymixing_sb.evaluation import peak_memory_mb, reset_peak_memory


def group_inputs(group):
    """Make the inputs of a group, all of them valid."""
    samples = round(group.seconds * SAMPLE_RATE)
    return make_inputs(group.kind, group.batch_size, group.frames, samples)


def peak_in_child(name, group, threads):
    """Measure the memory of a fresh process that does one call.

    Parameters
    ----------
    name : str
        Of a contestant.
    group : Group
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
    # The highest resident memory of a process never falls, so each call needs a new one. All are
    # forked from a server that has imported everything, but computed nothing.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure, name, group, threads).result()


def _measure(name, group, threads):
    use_policy("returned")  # of freed tensors that are kept, a peak tells nothing
    torch.set_num_threads(threads)
    kind = group.kind
    call = make_call(build_contestant(name, kind), group_inputs(group), kind)
    reset_peak_memory(kind.device)
    before = peak_memory_mb(kind.device)
    call()
    peak = peak_memory_mb(kind.device)
    return peak, peak - before
