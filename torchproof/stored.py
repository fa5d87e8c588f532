"""Committed notebooks, looked at without any Jupyter library: are they whole, and of which script."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from torchproof.problems import Place, Problem
from torchproof.tutorial import Tutorial

_EMPTY = '"content": ""'


def seal(text: str) -> str:
    """Put the digest of a notebook's text into its one empty `content`."""
    return text.replace(_EMPTY, f'"content": "{_digest(text)}"', 1)


def load(path: Path, fix: str) -> dict[str, Any]:
    """Read a notebook.

    Args:
        path: The file.
        fix: The command that makes it again.

    Raises:
        Problem: There is none, or it is not as it was written.
    """
    if not path.exists():
        raise Problem("the tutorial has no notebook", Place(path.with_suffix(".py"), 1), fix)
    try:
        text = path.read_text(encoding="utf-8")
        notebook: dict[str, Any] = json.loads(text)
        told = notebook["metadata"]["torchproof"]
        written = str(told["content"])
        complete = {"environment", "seconds", "sha256"} <= set(told)
    except json.JSONDecodeError as error:
        raise Problem(f"the notebook is not valid JSON ({error.msg})", Place(path, error.lineno), fix) from None
    except (UnicodeDecodeError, KeyError, TypeError) as error:
        raise Problem(f"the notebook lacks what a notebook of ours holds ({error!r})", Place(path, 1), fix) from None
    if not complete or not written or _digest(text.replace(f'"content": "{written}"', _EMPTY, 1)) != written:
        raise Problem("the notebook is not as it was written: something changed it by hand", Place(path, 1), fix)
    return notebook


def current(tutorial: Tutorial) -> dict[str, Any]:
    """The notebook of a tutorial.

    Raises:
        Problem: It is missing, damaged or stale.
    """
    notebook = load(tutorial.notebook, tutorial.command)
    if notebook["metadata"]["torchproof"]["sha256"] != tutorial.sha256:
        raise Problem(
            "the notebook is stale: the tutorial or code that it shows has changed since", tutorial.place(1), tutorial.command
        )
    return notebook


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
