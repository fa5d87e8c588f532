"""What the process of a program refuses, asked in a process that does nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

ASK = """
import socket
from torchproof.child import block_network

block_network()
try:
    {code}
    print("went through")
except OSError as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            'socket.socket().connect(("192.0.2.1", 80))',
            "PermissionError: a program cannot use the network (it tried to reach 192.0.2.1)",
        ),
        (
            'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 80))',
            "PermissionError: a program cannot use the network (it tried to reach 192.0.2.1)",
        ),
        (
            'socket.getaddrinfo("example.org", 80)',
            "PermissionError: a program cannot use the network (it looked up example.org)",
        ),
        ('socket.gethostbyname("example.org")', "PermissionError: a program cannot use the network (it looked up example.org)"),
        ('socket.getaddrinfo("localhost", 80)', "went through"),
        ("socket.getaddrinfo(None, 0, flags=socket.AI_PASSIVE)", "went through"),
        ('socket.create_connection(socket.create_server(("127.0.0.1", 0)).getsockname())', "ConnectionRefusedError"),
        ('server = socket.create_server(("127.0.0.1", 0)); socket.create_connection(server.getsockname())', "went through"),
        ('socket.socket(socket.AF_UNIX).connect("no-such-socket")', "FileNotFoundError"),
    ],
)
def test_only_this_machine_is_reached(code: str, told: str) -> None:
    asked = subprocess.run([sys.executable, "-c", ASK.format(code=code)], cwd=REPOSITORY, capture_output=True, text=True)
    assert asked.stdout.startswith(told), asked.stderr
