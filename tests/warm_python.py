"""A `python` whose imports are already done: a process that waits, and forks for every command.

A run of the workflow starts some thirty processes, each of which spends nearly all its time on
importing torch or Snakemake. `warm_python` starts the waiting process and writes a program
`python`, which passes `-m MODULE` with its arguments, environment and files to a fork and exits
with its exit code. Everything else goes to the real Python. A signal ends only the program, not the
fork: tests of interruption start the real Python.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import NoReturn

AHEAD = {"snakemake": "snakemake.cli"}  # what a package's __main__ imports
STUB = '#!/bin/sh\nexec {real} -ES {here} {folder} "$@"\n'


@cache
def warm_python() -> Path:
    """Return the program's path; the process that waits ends with this one."""
    folder = Path(tempfile.mkdtemp(prefix="warm_python_"))
    program = folder / "python"
    program.write_text(STUB.format(real=sys.executable, here=__file__, folder=folder))
    program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    waiting = subprocess.Popen(
        [sys.executable, "-m", "tests.warm_python", folder],
        cwd=Path(__file__).parents[1], env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    while not (folder / "socket").exists():
        assert waiting.poll() is None
        time.sleep(0.01)
    return program


def hand_over(folder: Path, arguments: list[str]) -> None:
    """Let a fork run what Python is asked to run, and exit with its code."""
    if arguments[:1] != ["-m"] or arguments[1].startswith("torch"):
        os.execv(sys.executable, [sys.executable, *arguments])
    request = {
        "arguments": arguments[1:],
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
    }
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(folder / "socket"))
        socket.send_fds(connection, [b"3"], [0, 1, 2])
        with connection.makefile("rw") as channel:
            channel.write(json.dumps(request) + "\n")
            channel.flush()
            sys.exit(int(channel.readline() or 1))


def wait(folder: Path) -> dict:
    """Serve requests by importing and forking; return a request in the fork that is to run it."""
    parent = os.getppid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for watchers
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "binding"))
        listening.listen()
        listening.settimeout(1)
        (folder / "binding").rename(folder / "socket")
        while os.getppid() == parent:
            with contextlib.suppress(TimeoutError):
                connection, _ = listening.accept()
                with connection:
                    request = received(connection)
                    if os.fork() == 0:
                        listening.close()
                        watch(connection, request["files"])
                        return request
                    close(request["files"])
    shutil.rmtree(folder)
    sys.exit()


def received(connection: socket.socket) -> dict:
    """Read a request, with its files; import the module that it names."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("r") as channel:
        request = json.loads(channel.readline()) | {"files": files}
    module = request["arguments"][0]
    with contextlib.suppress(Exception):  # the fork will raise it again
        importlib.import_module(AHEAD.get(module, module))
    gc.freeze()  # otherwise a fork's collector copies every page that it visits
    return request


def close(files: list[int]) -> None:
    """Leave the files of a command to its fork alone: readers wait until all copies are closed."""
    for file in files:
        os.close(file)


def watch(connection: socket.socket, files: list[int]) -> None:
    """Fork: return in the child; in this process wait for it and send its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if fork := os.fork():
        close(files)
        code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
        connection.sendall(f"{code if code >= 0 else 128 - code}\n".encode())
        os._exit(0)


def become(program: Path, request: dict) -> None:
    """Do what `python -m` would do in the place of the calling program."""
    for number, file in enumerate(request["files"]):
        os.dup2(file, number)
    close(request["files"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    module, *arguments = request["arguments"]
    ahead = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:1] = [request["folder"], *ahead]
    sys.executable, sys.argv = str(program), [module, *arguments]
    if module not in AHEAD:
        sys.modules.pop(module, None)  # to run it as __main__
    end(partial(runpy.run_module, module, run_name="__main__", alter_sys=True))


def end(program: Callable[[], object]) -> NoReturn:
    """Run and exit as Python does, except for tearing down thousands of modules."""
    code: object = 0
    try:
        program()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if code is not None and not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if sys.flags.no_site:
        hand_over(folder, sys.argv[2:])
    become(folder / "python", wait(folder))
