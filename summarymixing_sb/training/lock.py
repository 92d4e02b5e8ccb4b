"""A lock on an output folder, so that two runs do not write into it at once."""

import os
import socket
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from speechbrain.utils.distributed import if_main_process
from speechbrain.utils.logger import get_logger

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

logger = get_logger(__name__)

LOCK_FILE = "run.lock"


@contextmanager
def locked(folder):
    """Hold a folder for this run, of several processes by the main one.

    The system gives the lock back when the process ends, however it ends, so none is ever stale.
    Processes that a run starts, such as those of data loaders, do not hold it.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.

    Raises
    ------
    RuntimeError
        If another process holds it, naming its host, its number and when it started.

    Examples
    --------
    >>> import tempfile
    >>> with locked(tempfile.mkdtemp()):
    ...     pass
    """
    if fcntl is None or not if_main_process():
        yield
        return
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK_FILE, "a+", encoding="utf-8") as file:
        try:
            # not flock, whose locks pass to forked processes and outlive this one with them
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            raise RuntimeError(
                f"{folder} is in use by {file.read().strip() or 'another process'}: stop that run, "
                "or choose another folder with --output_folder"
            ) from None
        except OSError as error:
            logger.warning(f"{folder} cannot be locked ({error}): start no second run in it")
        file.truncate(0)
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
