"""Faults of programs: every way a program can go wrong fails that snippet alone, and says what happened."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest

from tests.conftest import Sandbox, make_sandbox

HEAD = '''
"""Every way to end."""
import concurrent.futures
import ctypes
import inspect
import multiprocessing
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
import torch


class Point:
    """A point."""

    def __init__(self, x):
        self.x = x


def double(x):
    """Twice."""
    return 2 * x


'''
# Name, marks, body, and what the failure must say; "" for a program that must pass.
CASES = {
    "prints": ("", 'print("fine")', ""),
    "raises": ("", 'raise ValueError("bad shape")', "it raised ValueError: bad shape"),
    "expected": ('@pytest.mark.raises(ValueError, match="bad")', 'raise ValueError("bad shape")', ""),
    "expected_other": (
        "@pytest.mark.raises(TypeError)",
        'raise ValueError("bad shape")',
        "it should have raised TypeError; it raised ValueError",
    ),
    "expected_none": ("@pytest.mark.raises(TypeError)", "print(1)", "it should have raised TypeError, and raised nothing"),
    "expected_message": (
        '@pytest.mark.raises(ValueError, match="good")',
        'raise ValueError("bad shape")',
        "the message of its ValueError does not match 'good'",
    ),
    "hangs": ("@pytest.mark.time_limit(1)", "while True:\n        pass", "it did not end within 1 s and was killed"),
    "floods": ("", 'while True:\n        print("x" * 10_000)', "it printed more than 1,000,000 bytes and was killed"),
    "multiplies": ("", "while True:\n        os.fork()", "it started more than 200 processes and was killed"),
    "fills_memory": ("", "torch.ones(2**34)", "allocate memory"),
    "fills_memory_in_python": ("", "bytearray(2**35)", "it raised MemoryError"),
    "segfaults": ("", "ctypes.string_at(0)", "it was killed by signal 11 (SIGSEGV)"),
    "kills_itself": ("", "os.kill(os.getpid(), signal.SIGKILL)", "it was killed by signal 9 (SIGKILL)"),
    "leaves_early": ("", "os._exit(0)", "its process ended with exit code 0 before the program's end"),
    "exits_badly": ("", "sys.exit(3)", "it ended with exit code 3"),
    "warns": ("", 'warnings.warn("old")', "it raised UserWarning: old"),
    "warns_of_removal": ("", 'warnings.warn("old", DeprecationWarning)', "it raised DeprecationWarning: old"),
    "writes_to_stderr": ("", 'print("psst", file=sys.stderr)', "it wrote to standard error"),
    "prints_bytes": ("", 'sys.stdout.buffer.write(b"\\xff\\xfe")', "it printed bytes that are not UTF-8 text (at byte 0)"),
    "ends_in_a_riddle": ("", "riddle = type('Riddle', (), {'__getattribute__': lambda *_: 1 / 0})()\n    print('fine')", ""),
    "connects": ("", 'socket.create_connection(("192.0.2.1", 80))', "cannot use the network"),
    "looks_up": ("", 'socket.getaddrinfo("example.org", 80)', "cannot use the network (it looked up example.org)"),
    "talks_to_itself": (
        "",
        'with socket.create_server(("127.0.0.1", 0)) as server:\n        socket.create_connection(server.getsockname()).close()',
        "",
    ),
    "imports_snippets": ("", '__import__("snippets.other")', "a program cannot import snippets"),
    "is_main": (
        "",
        "assert __name__ == '__main__'\n    assert Path(__file__).name == 'is_main.py'\n    assert sys.argv == [__file__]\n    print(inspect.getsource(Point).splitlines()[0])",
        "",
    ),
    "pickles": ("", "print(pickle.loads(pickle.dumps(Point(3))).x)", ""),
    "scripts": ("", "print(isinstance(torch.ones(2).tolist(), list), inspect.getsource(double).count('return'))", ""),
    "starts_processes": (
        "@pytest.mark.spawns",
        'with multiprocessing.get_context("spawn").Pool(1) as pool:\n        print(pool.map(double, [1, 2]))',
        "",
    ),
    "is_alone": ("", "print(sorted(os.listdir()))\n    Path('left.txt').write_text('x')", ""),
    "is_alone_again": ("", "print(sorted(os.listdir()))\n    Path('left.txt').write_text('x')", ""),
    "changes_state": (
        "",
        "torch.set_default_dtype(torch.float64)\n    os.environ['LEAK'] = '1'\n    print(torch.ones(1).dtype)",
        "",
    ),
    "sees_no_state": ("", "print(torch.ones(1).dtype, os.environ.get('LEAK'))", ""),
    "leaves_a_child": ("", "subprocess.Popen(['sleep', '600'])\n    print('gone')", ""),
    "joins_threads": ("", "threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()", ""),
    "leaves_a_pool": (
        "@pytest.mark.time_limit(5)",
        "pool = concurrent.futures.ThreadPoolExecutor(1)\n    print(pool.submit(lambda: 7).result())",
        "",
    ),
    "draws": ("", "plt.plot([1, 2])\n    plt.show()\n    plt.figure()\n    plt.plot([2, 1])", ""),
    "is_fresh": ("@pytest.mark.fresh('needs its own interpreter')", "print('numpy' in sys.modules)", ""),
    "lacks_a_command": ("@pytest.mark.needs('no-such-command')", "print(1)", "skipped"),
    "needs_gpus": ("@pytest.mark.gpus(2)", "print(1)", "skipped"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = make_sandbox(tmp_path_factory.mktemp("run"))
    demos = (f'{marks}\ndef {name}():\n    """Show."""\n    {body}\n\n\n' for name, (marks, body, _) in CASES.items())
    sandbox.write("snippets/ends.py", HEAD + "".join(demos))
    return sandbox


@pytest.fixture(scope="module")
def recorded(project: Sandbox) -> str:
    """One run over all of them, recording what passes."""
    result = project.pytest("snippets", "--record", "-rA")
    assert "Traceback" not in result.stderr, result.stderr
    return result.stdout


def failure(recorded: str, name: str) -> str:
    """What the run said of one failed snippet."""
    found = re.search(rf"^_+ snippets\.ends\.{name} on cpu _+$(.*?)^(?:_|=)+ ", recorded, re.DOTALL | re.MULTILINE)
    assert found is not None, f"{name} did not fail"
    return found[1]


@pytest.mark.parametrize("name", CASES)
def test_ends_as_it_should(name: str, recorded: str) -> None:
    expected = CASES[name][2]
    if not expected:
        assert f"PASSED snippets/ends.py::{name}\n" in recorded
    elif expected == "skipped":
        assert re.search(r"SKIPPED.*needs (the command no-such-command|2 GPUs)", recorded)
    else:
        assert expected in failure(recorded, name)
        assert re.search(rf"ends\.py:\d+: snippets\.ends\.{name}:", failure(recorded, name))


def test_what_was_printed_is_recorded(project: Sandbox, recorded: str) -> None:
    import json

    entries = json.loads((project.root / "docs/records/cpu/ends.json").read_text())["snippets"]
    printed = {name: "\n".join(entry["stdout"]) for name, entry in entries.items()}
    assert printed["is_alone"] == printed["is_alone_again"] == "[]\n"
    assert printed["changes_state"] == "torch.float64\n"
    assert printed["sees_no_state"] == "torch.float32 None\n"
    assert printed["joins_threads"] == "late\n"
    assert printed["starts_processes"] == "[2, 4]\n"
    assert printed["is_fresh"] == "False\n"
    assert entries["expected"]["exception"] == {"type": "ValueError", "message": "bad shape"}
    assert len(entries["draws"]["figures"]) == 2
    assert not {"raises", "hangs", "floods", "warns"} & set(entries)


def test_a_failure_hides_the_machinery(recorded: str) -> None:
    report = failure(recorded, "raises")
    assert 'File "raises.py", line 1, in <module>' in report
    assert "torchproof" not in report


def test_nothing_stays_running(project: Sandbox, recorded: str) -> None:
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        # Others may run the same tests; a process may end while it is looked at.
        with contextlib.suppress(OSError):
            ours = str(project.root).encode() in (process / "environ").read_bytes()
            left += [process] if ours and (process / "cmdline").read_bytes() == b"sleep\x00600\x00" else []
    assert not left


def test_a_figure_takes_the_color_of_the_page(project: Sandbox, recorded: str) -> None:
    svg = next((project.root / "docs/records/cpu/ends").glob("draws-*.svg")).read_text()
    assert "currentColor" in svg
    assert "font-family" not in svg
    assert "<style" not in svg
    assert "#010203" not in svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(i.startswith("ends-draws-") for i in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg)) == set(ids)
