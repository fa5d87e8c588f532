"""Start Python within milliseconds: ask a server that has imported torch, pytest and MkDocs, and forks instead of starting anew.

In every process that a server (`server.py`) has forked, `subprocess.Popen` asks it for the commands `python -m pytest`, `-m mkdocs`
and `-m torchproof...`, so that whatever the tests and torchproof start is forked too, from a process that has never imported
torchproof. Other commands start as ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
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

# Hash seeds of the servers: a fork cannot choose another one.
SEEDS = ("1", "2")
_MODULES = ("pytest", "mkdocs", "torchproof.")
# Above what `torchproof.worker` closes in its forks.
_TRACE = 900
# Of the process: where the servers are, what it belongs to, and the file that its lines are added to.
state: dict[str, str] = {"folder": "", "lane": "", "trace": ""}


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """A process that a server has forked, or a real one."""

    _server: socket.socket | None = None

    def _execute_child(self, args: Any, executable: Any, preexec_fn: Any, close_fds: Any, pass_fds: Any, cwd: Any, env: Any,
                       *rest: Any) -> None:  # fmt: skip
        arguments = [os.fspath(a) for a in args] if isinstance(args, (list, tuple)) else []
        if executable or preexec_fn or pass_fds or module_of(arguments) is None:
            if state["trace"]:
                env = {**(os.environ if env is None else env), "TORCHPROOF_TRACE": state["trace"]}
            super()._execute_child(args, executable, preexec_fn, close_fds, pass_fds, cwd, env, *rest)  # type: ignore[misc]
            return
        _, _, _, *pipes = rest[:9]
        environment = {os.fsdecode(k): os.fsdecode(v) for k, v in (os.environ if env is None else env).items()}
        request = {
            "arguments": arguments,
            "cwd": os.path.abspath(os.fspath(cwd or ".")),
            "environment": environment,
            "state": state,
        }
        seed = environment.get("PYTHONHASHSEED", "")
        self._server = _ask(Path(state["folder"]), seed if seed in SEEDS else SEEDS[0], request, _three(pipes))
        (self.pid,) = struct.unpack("i", exactly(self._server, 4))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if self._server is None:
            return super()._try_wait(wait_flags)  # type: ignore[misc, no-any-return]
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            if not selector.select(0 if wait_flags else None):
                return (0, 0)
        (status,) = struct.unpack("i", exactly(self._server, 4))
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


def module_of(arguments: list[str]) -> str | None:
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


def exactly(connection: socket.socket, count: int) -> bytes:
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
        "state": {"folder": str(folder), "lane": lane, "trace": ""},
    }
    with tempfile.TemporaryFile() as told, open(os.devnull) as nothing:
        with _ask(folder, SEEDS[0], request, [nothing.fileno(), told.fileno(), told.fileno()]) as server:
            exactly(server, 4)
            (status,) = struct.unpack("i", exactly(server, 4))
        for seed in SEEDS:
            with _ask(folder, seed, {"sweep": lane}, [0, 1, 2]) as server:
                exactly(server, 4)
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
            command = [sys.executable, "-X", "utf8", str(Path(__file__).with_name("server.py")), str(folder / seed)]
            server = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=scratch)
            stack.callback(server.wait)
            assert server.stdin and server.stdout
            stack.callback(server.stdin.close)
            started.append(server.stdout)
        if any(output.readline() != b"ready\n" for output in started):
            raise OSError("a server did not start; see above")
        yield folder


def trace_to(path: str) -> None:
    """From now on add each line of torchproof that runs, here and in what is started from here, to a file, at once.

    coverage.py keeps what it saw until a process ends by itself; most of these are killed, or leave by `os._exit`.
    """
    state["trace"] = path
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
