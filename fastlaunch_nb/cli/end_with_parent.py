"""Run a module as ``python -m`` does, until the process that started it has ended.

Its standard input is a pipe of that process, which every system closes when the process ends,
even if it is killed. This is run as a file, so it loads nothing else of this package.
"""

import os
import runpy
import signal
import sys
import time
from threading import Thread

TIMEOUT = 20  # seconds for a clean end, in which Jupyter stops its kernels


def end_with_pipe() -> None:
    """Wait until the standard input is closed; then end this process."""
    while os.read(0, 1024):  # not sys.stdin, whose lock would disturb the end of the interpreter
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(TIMEOUT)
    os._exit(1)


if __name__ == "__main__":
    Thread(target=end_with_pipe, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
