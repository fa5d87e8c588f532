"""Start Python within milliseconds: a server that has imported torch, pytest and MkDocs, and forks instead of starting anew.

In every process that it forks, `subprocess.Popen` asks it for the commands `python -m pytest`, `-m mkdocs` and `-m torchproof...`,
so that whatever the tests and torchproof start is forked too, from a process that has never imported torchproof. Other commands
start as ever. Two servers with hash seeds of their own stand side by side, since a fork cannot choose another seed.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import importlib
import io
import json
import os
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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SEEDS = ("1", "2")
# What the tests, MkDocs and the kernels of notebooks import, as far as it takes more than a moment.
PRELOADED = """
    torch torch._dynamo torch.distributed.tensor matplotlib.pyplot matplotlib.backends.backend_svg numpy pytest _pytest.pytester
    xdist.plugin hypothesis markdown mkdocs.__main__ mkdocs.commands.build mkdocs.commands.serve material.plugins.search.plugin
    mkdocs_jupyter.plugin pymdownx.superfences pymdownx.details pymdownx.highlight pymdownx.arithmatex pymdownx.tabbed
    pymdownx.snippets pygments.lexers.python pygments.formatters.html nbformat.v4 nbclient ipykernel.ipkernel zmq.eventloop.zmqstream IPython.core.application
    IPython.core.completer jupyter_client.manager sphinx_gallery.gen_gallery sphinx_gallery.notebook nbval.plugin latex2mathml
    latex2mathml.converter yaml symtable runpy difflib tarfile multiprocessing.util concurrent.futures.thread psutil
""".split()
_MODULES = ("pytest", "mkdocs", "torchproof.")
# More than any test takes: what a mutant made endless ends some time, even if nobody is left to end it.
_CPU_SECONDS = 300
# Above what `torchproof.worker` closes in its forks.
_TRACE = 900
_RealPopen = subprocess.Popen
_state: dict[str, str] = {"folder": "", "lane": "", "trace": ""}


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """A process that a server has forked, or a real one."""

    _server: socket.socket | None = None

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any,
                       *rest: Any) -> None:  # fmt: skip
        arguments = [os.fspath(a) for a in args] if isinstance(args, (list, tuple)) else []
        if executable or preexec_fn or pass_fds or _module(arguments) is None:
            if _state["trace"]:
                env = {**(os.environ if env is None else env), "TORCHPROOF_TRACE": _state["trace"]}
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest)  # type: ignore[misc]
            return
        _, _, shell, *pipes = rest[:9]
        environment = {os.fsdecode(k): os.fsdecode(v) for k, v in (os.environ if env is None else env).items()}
        request = {
            "arguments": arguments,
            "cwd": os.path.abspath(os.fspath(cwd or ".")),
            "environment": environment,
            "new_session": rest[14],
            "state": _state,
        }
        seed = environment.get("PYTHONHASHSEED", "")
        self._server = _ask(Path(_state["folder"]), seed if seed in SEEDS else SEEDS[0], request, _three(pipes))
        (self.pid,) = struct.unpack("i", _exactly(self._server, 4))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._server is None:
            return super()._try_wait(wait_flags)  # type: ignore[misc, no-any-return]
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            if not selector.select(0 if wait_flags else None):
                return (0, 0)
        (status,) = struct.unpack("i", _exactly(self._server, 4))
        self._server.close()
        return (self.pid, status)

    def _internal_poll(self, _deadstate: int | None = None, **kwargs: Any) -> int | None:
        if self._server is None:
            return super()._internal_poll(_deadstate, **kwargs)  # type: ignore[misc, no-any-return]
        if self.returncode is None and self._waitpid_lock.acquire(False):  # type: ignore[attr-defined]
            try:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode


def _module(arguments: list[str]) -> str | None:
    """The module of `python [-X utf8] -m MODULE`, if a server can run it."""
    if not arguments or arguments[0] != sys.executable:
        return None
    rest = arguments[3:] if arguments[1:3] == ["-X", "utf8"] else arguments[1:]
    # `torchproof.child` is started only where a program asks for a fresh interpreter.
    known = len(rest) > 1 and rest[0] == "-m" and f"{rest[1]}.".startswith(_MODULES) and rest[1] != "torchproof.child"
    return rest[1] if known else None


def _three(pipes: list[int]) -> list[int]:
    """Standard input, output and error of a new process."""
    read, _, _, written, _, told = pipes
    return [0 if read == -1 else read, 1 if written == -1 else written, 2 if told == -1 else told]


def _ask(folder: Path, seed: str, request: dict[str, Any], descriptors: list[int]) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.connect(str(folder / seed))
    body = json.dumps(request).encode()
    socket.send_fds(server, [struct.pack("q", len(body))], descriptors)
    server.sendall(body)
    return server


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise OSError("the server has died")
        data += chunk
    return data


def run(folder: Path, lane: str, arguments: list[str], cwd: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Run `python ARGUMENTS` in a fork of a server: its exit code and all that it wrote.

    Args:
        folder: Where the sockets of the servers are.
        lane: Processes that it leaves behind are known by this name, and killed at the end.
        arguments: What Python is given, such as `["-m", "pytest"]`.
        cwd: The working directory.
        environment: All environment variables.
    """
    request = {
        "arguments": [sys.executable, *arguments],
        "cwd": str(cwd),
        "environment": environment,
        "new_session": True,
        "state": {"folder": str(folder), "lane": lane, "trace": ""},
    }
    with tempfile.TemporaryFile() as told, open(os.devnull) as nothing:
        with _ask(folder, SEEDS[0], request, [nothing.fileno(), told.fileno(), told.fileno()]) as server:
            _exactly(server, 4)
            (status,) = struct.unpack("i", _exactly(server, 4))
        for seed in SEEDS:
            with _ask(folder, seed, {"sweep": lane}, [0, 1, 2]) as server:
                _exactly(server, 4)
        told.seek(0)
        return os.waitstatus_to_exitcode(status), told.read().decode(errors="replace")


@contextlib.contextmanager
def servers() -> Iterator[Path]:
    """The folder of two servers, which end with the block or with this process."""
    with tempfile.TemporaryDirectory(prefix="warm-") as scratch, contextlib.ExitStack() as stack:
        folder = Path(scratch)
        started = []
        for seed in SEEDS:
            environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MPLBACKEND")}
            environment |= {
                "PYTHONHASHSEED": seed,
                "OMP_NUM_THREADS": "1",
                "CUDA_VISIBLE_DEVICES": "",
                "NO_MKDOCS_2_WARNING": "1",
            }
            command = [sys.executable, "-X", "utf8", __file__, str(folder / seed)]
            server = _RealPopen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=scratch)
            stack.callback(server.wait)
            assert server.stdin and server.stdout
            stack.callback(server.stdin.close)
            started.append(server.stdout)
        if any(output.readline() != b"ready\n" for output in started):
            raise OSError("a server did not start; see above")
        yield folder


def serve(path: str) -> None:
    """Answer requests until standard input ends."""
    subprocess.Popen = Popen  # type: ignore[misc]
    # For the pytest plugin that says which test the lines belong to.
    sys.modules["warm"] = sys.modules["__main__"]
    sys.path.pop(0)  # The folder of this file.
    for module in PRELOADED:
        importlib.import_module(module)
    children: dict[int, tuple[socket.socket, str]] = {}
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


def _answer(listener: socket.socket, children: dict[int, tuple[socket.socket, str]]) -> None:
    connection, _ = listener.accept()
    head, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_LEN(3 * array.array("i").itemsize))
    descriptors = array.array("i", ancillary[0][2]).tolist()
    try:
        request = json.loads(_exactly(connection, struct.unpack("q", head)[0]))
        if "sweep" in request:
            _end([pid for pid, (_, lane) in children.items() if lane == request["sweep"]])
            connection.sendall(struct.pack("i", 0))
            connection.close()
            return
        pid = os.fork()
        if pid == 0:
            _become(request, descriptors)
        children[pid] = (connection, request["state"]["lane"])
        with contextlib.suppress(OSError):
            connection.sendall(struct.pack("i", pid))
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _reap(children: dict[int, tuple[socket.socket, str]]) -> None:
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


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """In the fork: turn into the interpreter that was asked for."""
    code = 70
    try:
        _settle(request, descriptors)
        module = _module(request["arguments"])
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
    import resource

    if request["new_session"]:
        os.setsid()
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
    _state.update(request["state"])
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [request["cwd"], *paths]
    unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]
    for name, number, errors in (("stdout", 1, "surrogateescape"), ("stderr", 2, "backslashreplace")):
        raw = open(number, "wb", buffering=0 if unbuffered else -1, closefd=False)
        stream = io.TextIOWrapper(raw, "utf-8", errors, write_through=unbuffered, line_buffering=number == 2)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    tempfile.tempdir = None
    atexit._clear()
    if backend := os.environ.get("MPLBACKEND"):
        importlib.import_module("matplotlib").rcParams["backend"] = backend
    if _state["trace"]:
        trace_to(_state["trace"])


def trace_to(path: str) -> None:
    """From now on add each line of torchproof that runs, here and in what is started from here, to a file, at once.

    coverage.py keeps what it saw until a process ends by itself; most of these are killed, or leave by `os._exit`.
    """
    _state["trace"] = path
    seen: set[tuple[str, int]] = set()
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, _TRACE, inheritable=False)
    os.close(out)

    def line(frame: types.FrameType, event: str, _: Any) -> Any:
        place = (frame.f_code.co_filename, frame.f_lineno)
        if event == "line" and place not in seen:
            seen.add(place)
            with contextlib.suppress(OSError):
                os.write(_TRACE, f"{Path(place[0]).name}:{place[1]}\n".encode())
        return line

    def call(frame: types.FrameType, event: str, argument: Any) -> Any:
        return line if "/torchproof/" in frame.f_code.co_filename else None

    threading.settrace(call)
    sys.settrace(call)


if __name__ == "__main__":
    serve(sys.argv[1])
