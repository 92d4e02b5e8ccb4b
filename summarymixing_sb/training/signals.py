"""Signals that ask a run to stop: a training finishes its step, saves, and can be resumed."""

import os
import signal
import threading
from contextlib import contextmanager

from speechbrain.utils.logger import get_logger

logger = get_logger(__name__)

#: Exit status of a run that waits to be started again (EX_TEMPFAIL of sysexits.h).
REQUEUE_STATUS = 75
#: Signals of a cluster that wants its machine back, and of a user at a terminal.
STOP_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGUSR1", "SIGINT") if hasattr(signal, name)
)


class StopSignals:
    """Exit with a stated status when a signal asks to stop, in :meth:`deferred` after saving.

    A second SIGINT interrupts at once. Outside of the main thread no signal is caught.

    Attributes
    ----------
    exit_status : int
        0 until a signal has come; then 130 for SIGINT, as shells have it, and 75 otherwise.

    Examples
    --------
    >>> import os, signal
    >>> with StopSignals() as signals, signals.deferred():
    ...     os.kill(os.getpid(), signal.SIGTERM)
    ...     signals.exit_status
    75
    """

    def __init__(self):
        self.exit_status = 0
        self._deferred = False
        self._process = os.getpid()
        self._before = {}

    def __enter__(self):
        """Take the place of the handlers of before."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in STOP_SIGNALS}
            for number in STOP_SIGNALS:
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *error):
        """Put those handlers back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def deferred(self):
        """Only note signals: who calls this looks at `exit_status` and exits."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def _handle(self, number, frame):
        if os.getpid() != self._process:
            self._handle_in_child(number)
            return
        again = bool(self.exit_status)
        self.exit_status = 128 + number if number == signal.SIGINT else REQUEUE_STATUS
        if number == signal.SIGINT and (again or not self._deferred):
            raise KeyboardInterrupt
        if not self._deferred:
            raise SystemExit(self.exit_status)
        name = signal.Signals(number).name
        logger.warning(f"{name}: saving and stopping after this step", main_process_only=False)

    def _handle_in_child(self, number):
        """Let a forked process die of a signal, unless a step may wait for it."""
        if not self._deferred:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def ignore_stop_signals(worker):
    """Leave the signals of a process group to the run, in a worker of its data loaders.

    SIGTERM too, by which Python ends the workers that are left at exit: who gives this to a loader
    ends its workers otherwise.

    Parameters
    ----------
    worker : int
        Number of the worker, which `torch.utils.data.DataLoader` gives.
    """
    del worker
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
