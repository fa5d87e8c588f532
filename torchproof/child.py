"""What happens inside the process that runs one program. Imports nothing that the program could notice."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import json
import os
import resource
import sys
import threading
import time
import traceback
import types
import warnings
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torchproof.variables import Chance, variables

BACKEND = "module://torchproof.figures"
# A program that asks for more gets an error from its own allocation, and the machine stays usable.
MEMORY_LIMIT = 8 * 2**30


@dataclass(frozen=True)
class Job:
    """One run of one program.

    Attributes:
        program: The script; it becomes `__main__`, in this very file.
        scratch: A directory of the run's own. Its `cwd` is where the program runs, empty.
        limit: Seconds until the run is killed.
        figure_prefix: What the ids inside the figures start with.
        root: The project, taken off the import path.
        fresh: Whether a fresh interpreter is asked for.
    """

    program: str
    scratch: str
    limit: float
    figure_prefix: str
    root: str
    fresh: bool = False


@dataclass
class Result:
    """What the program's own process can tell about the run."""

    seconds: float = 0.0
    figures: list[str] = field(default_factory=list)
    exception: dict[str, str] | None = None
    variables: list[str] = field(default_factory=list)


def run_job(job: Job) -> None:
    """Turn this process into the program's, run it, and leave; never returns."""
    os.chdir(Path(job.scratch) / "cwd")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not os.environ.get("CUDA_VISIBLE_DEVICES", "all"):
        # On the CPU alone: a GPU's driver maps far more than it uses.
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    faulthandler.enable()
    # A little before the limit, so that a hanging program says where it hangs.
    faulthandler.dump_traceback_later(job.limit * 0.95)
    # What was registered while torch was imported (24 ms of tidying) belongs to the parent's end, not to this one's.
    atexit._clear()
    if util := sys.modules.get("multiprocessing.util"):
        atexit.register(util._exit_function)
    sys.path[:] = [p for p in sys.path if p not in ("", job.root)]
    forget_project()
    _warnings_are_errors()
    block_network()
    code, result = _execute(job)
    (Path(job.scratch) / "result.json").write_text(json.dumps(asdict(result)), encoding="utf-8")
    _leave(code)


def _execute(job: Job) -> tuple[int, Result]:
    result = Result()
    main = types.ModuleType("__main__")
    main.__file__ = job.program
    sys.modules["__main__"] = main
    sys.argv = [job.program]
    chance = Chance()
    code = 0
    start = time.perf_counter()
    try:
        exec(compile(Path(job.program).read_bytes(), job.program, "exec"), main.__dict__)
        result.seconds = time.perf_counter() - start
        result.figures = _figures(job.figure_prefix)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if isinstance(stop.code, str):  # As the interpreter does.
            print(stop.code, file=sys.stderr)
    except BaseException as error:
        result.seconds = time.perf_counter() - start
        result.exception = {"type": type(error).__name__, "message": str(error)}
        # The first frame is this function: the reader of the program has no such line.
        traceback.print_exception(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
        code = 1
        with contextlib.suppress(Exception):
            result.figures = _figures(job.figure_prefix)
    # What mentions a folder of this machine is another text on the next.
    places = [job.root, job.scratch, sys.prefix, str(Path(os.__file__).parent)]
    result.variables = variables(main.__dict__, chance.was_taken(), places)
    return code, result


def _figures(prefix: str) -> list[str]:
    # Matplotlib imports its backend with the first figure.
    figures = sys.modules.get("torchproof.figures")
    return figures.collect(prefix) if figures else []


def _leave(code: int) -> None:
    """End as an interpreter does, without the time it takes to tear torch down."""
    faulthandler.cancel_dump_traceback_later()
    # What the interpreter itself calls first: it ends thread pools, then waits for threads.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError):
            stream.flush()
    os._exit(code)


def forget_project() -> None:
    """A program needs no `snippets` package: make sure that it cannot have one."""

    class NoSnippets:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            """Find nothing; refuse our own."""
            if name.partition(".")[0] == "snippets":
                raise ModuleNotFoundError(f"a program cannot import {name}: it stands alone", name=name)

    sys.meta_path.insert(0, NoSnippets())


def _warnings_are_errors() -> None:
    """What a reader would see as a warning is an error; what Python hides by default stays hidden."""
    warnings.simplefilter("error", append=True)
    warnings.filterwarnings("error", category=DeprecationWarning, module="__main__")
    # torch enters the thread of its backward pass without a CUDA context, notices, and makes one: nothing that a program
    # does, or could do otherwise, brings this on.
    warnings.filterwarnings("ignore", "Attempting to run cuBLAS, but there was no current CUDA context")


def block_network() -> None:
    """Refuse to reach any other machine; processes of this machine may talk to each other."""

    def audit(event: str, args: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto"):
            address = args[1]
            if isinstance(address, tuple) and not _is_local(str(address[0])):
                raise PermissionError(f"a program cannot use the network (it tried to reach {address[0]})")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not _is_local(str(args[0])):
            raise PermissionError(f"a program cannot use the network (it looked up {args[0]})")

    local = {"localhost", "::1", "0.0.0.0", "::", "", "None", os.uname().nodename}

    def _is_local(host: str) -> bool:
        return host in local or host.startswith("127.")

    sys.addaudithook(audit)


if __name__ == "__main__":
    run_job(Job(**json.loads(sys.argv[1])))
