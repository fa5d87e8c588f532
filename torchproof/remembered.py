"""The answer of a check that found nothing to mend, kept until a file that it read changes by a single byte."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path

from torchproof.files import write_atomically

FOLDER = ".torchproof_cache"
_READ = ("mkdocs.yml", "docs", "snippets", "tutorials")


def fingerprint(root: Path, *arguments: str) -> str:
    """A digest of all that an answer depends on: the project's files, this package, Python, and the arguments.

    "" where a file cannot be read, or goes away meanwhile: such a state is not remembered.
    """
    with contextlib.suppress(OSError):
        return _digest(root, arguments)
    return ""


def _digest(root: Path, arguments: tuple[str, ...]) -> str:
    digest = hashlib.blake2b("\0".join([sys.version, *arguments]).encode())
    for folder in (*(root / name for name in _READ), Path(__file__).parent):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            if path.is_file() and "__pycache__" not in path.parts:
                content = path.read_bytes()
                digest.update(os.fsencode(path) + f"\0{len(content)}\0".encode())
                digest.update(content)
    return digest.hexdigest()


def recall(root: Path, key: str) -> str | None:
    """What was answered for this fingerprint, None if the last answer was for another."""
    if not key:
        return None
    with contextlib.suppress(OSError, UnicodeDecodeError):
        known, _, answer = (root / FOLDER / "check").read_text(encoding="utf-8").partition("\n")
        if known == key:
            return answer
    return None


def remember(root: Path, key: str, answer: str) -> None:
    """Keep an answer; where nothing can be written, the next check looks at everything again."""
    with contextlib.suppress(OSError):
        write_atomically(root / FOLDER / "check", f"{key}\n{answer}")
