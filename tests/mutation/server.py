"""The process that Python is forked from in mutation testing: `python tests/mutation/server.py SOCKET`, started by `warm.py`."""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import importlib
import io
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import types
from typing import Any

# Under this name, from the folder of this script: the tests' own `tests.mutation.warm` must not be imported here.
import warm

# What the tests, MkDocs and the kernels of notebooks import, as far as it takes more than a moment.
_PRELOADED = """
    torch torch._dynamo torch.distributed.tensor matplotlib.pyplot matplotlib.backends.backend_svg numpy pytest _pytest.pytester
    xdist.plugin hypothesis markdown mkdocs.__main__ mkdocs.commands.build mkdocs.commands.serve material.plugins.search.plugin
    mkdocs_jupyter.plugin pymdownx.superfences pymdownx.details pymdownx.highlight pymdownx.arithmatex pymdownx.tabbed
    pymdownx.snippets pygments.lexers.python pygments.formatters.html nbformat.v4 nbclient ipykernel.ipkernel zmq.eventloop.zmqstream
    IPython.core.application IPython.core.completer jupyter_client.manager sphinx_gallery.gen_gallery sphinx_gallery.notebook nbval.plugin latex2mathml
    latex2mathml.converter yaml symtable runpy difflib tarfile multiprocessing.util concurrent.futures.thread psutil
"""
# More than any test takes: what a mutant made endless ends some time, even if nobody is left to end it.
_CPU_SECONDS = 300
_Children = dict[int, tuple[socket.socket, str]]


def serve(path: str) -> None:
    """Answer requests until standard input ends."""
    subprocess.Popen = warm.Popen  # type: ignore[misc]
    sys.path.pop(0)  # The folder of this file.
    for module in _PRELOADED.split():
        importlib.import_module(module)
    children: _Children = {}
    wake, wake_end = os.pipe()
    for end in (wake, wake_end):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
    # Orphans come back to this process, so that a sweep finds them.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    selector = selectors.DefaultSelector()
    for source in (listener, wake, 0):
        selector.register(source, selectors.EVENT_READ)
    importlib.import_module("gc").freeze()
    os.write(1, b"ready\n")
    while True:
        for key, _ in selector.select():
            if key.fileobj == 0:
                _end(list(children))
                os._exit(0)
            elif key.fileobj == wake:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
            else:
                _answer(listener, children)
        _reap(children)


def _answer(listener: socket.socket, children: _Children) -> None:
    connection, _ = listener.accept()
    head, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_LEN(3 * array.array("i").itemsize))
    descriptors = array.array("i", ancillary[0][2]).tolist()
    try:
        request = json.loads(warm.exactly(connection, struct.unpack("q", head)[0]))
        if "sweep" in request:
            _end([pid for pid, (_, lane) in children.items() if lane == request["sweep"]])
            connection.sendall(struct.pack("i", 0))
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            _become(request, descriptors, connection)
        children[pid] = (connection, request["state"]["lane"])
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _reap(children: _Children) -> None:
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            pid, status = ended
            if pid in children:
                connection, _ = children.pop(pid)
                with contextlib.suppress(OSError):
                    connection.sendall(struct.pack("i", status))
                connection.close()


def _end(pids: list[int]) -> None:
    """Kill these processes with everything they started."""
    import psutil

    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for one in [*process.children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()


def _become(request: dict[str, Any], descriptors: list[int], connection: socket.socket) -> None:
    """In the fork: turn into the interpreter that was asked for."""
    code = 70
    try:
        # A signal to a group, such as that which interrupts a kernel, must not reach the server.
        os.setsid()
        connection.sendall(struct.pack("i", os.getpid()))
        _settle(request, descriptors)
        module = warm.module_of(request["arguments"])
        assert module
        at = request["arguments"].index("-m")
        sys.argv = ["-m", *request["arguments"][at + 2 :]]
        sys.modules["__main__"] = types.ModuleType("__main__")
        sys.modules["__main__"].__dict__["__builtins__"] = __builtins__
        try:
            runpy._run_module_as_main(module)  # type: ignore[attr-defined]
            code = 0
        except SystemExit as stop:
            if stop.code is not None and not isinstance(stop.code, int):
                print(stop.code, file=sys.stderr)
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
            code = 1
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(ValueError, OSError):
                stream.flush()
    finally:
        os._exit(code)


def _settle(request: dict[str, Any], descriptors: list[int]) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
    os.closerange(3, 4096)
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    warm.state.update(request["state"])
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [request["cwd"], *paths]
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")  # type: ignore[misc]
    for name, number, errors in (("stdout", 1, "surrogateescape"), ("stderr", 2, "backslashreplace")):
        raw = io.FileIO(number, "w", closefd=False)
        stream = io.TextIOWrapper(
            raw if unbuffered else io.BufferedWriter(raw), "utf-8", errors, write_through=unbuffered, line_buffering=number == 2
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    tempfile.tempdir = None
    atexit._clear()
    if backend := os.environ.get("MPLBACKEND"):
        importlib.import_module("matplotlib").rcParams["backend"] = backend
    if warm.state["trace"]:
        warm.trace_to(warm.state["trace"])


if __name__ == "__main__":
    serve(sys.argv[1])
