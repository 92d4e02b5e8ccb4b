"""Signals that ask a run to stop, and the lock on its folder."""

import os
import signal
import subprocess
import sys
import time

import pytest

from summarymixing_sb.training.lock import locked
from summarymixing_sb.training.signals import StopSignals


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_exits_with_the_status_for_requeueing(name):
    with StopSignals() as signals, pytest.raises(SystemExit) as raised:
        os.kill(os.getpid(), getattr(signal, name))
    assert raised.value.code == signals.exit_status == 75


def test_a_second_interrupt_is_not_deferred():
    with StopSignals() as signals, signals.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.exit_status == 130
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_forked_processes_die_of_signals():
    """Those of a pool that prepares data, which multiprocessing ends with SIGTERM."""
    with StopSignals():
        ready, started = os.pipe()
        child = os.fork()
        if not child:
            os.write(started, b".")
            while True:
                time.sleep(0.01)
        os.read(ready, 1)
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM


def test_lock_names_the_other_process(tmp_path):
    script = (
        "import sys, time\n"
        "from summarymixing_sb.training.lock import locked\n"
        "with locked(sys.argv[1]):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        message = rf"is in use by process {other.pid} on .* since 2.*--output_folder"
        with pytest.raises(RuntimeError, match=message), locked(tmp_path):
            pass
    finally:
        other.kill()
        other.wait()
    with locked(tmp_path):  # the system took it from the killed one
        pass
    with locked(tmp_path):
        pass
