"""Notebooks of tutorials: how they are made, kept and validated, driven by the commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Sandbox, make_sandbox
from torchproof.arithmetic import arithmetic
from torchproof.compare import alike_text
from torchproof.stored import seal

MODULE = '''
"""Lines."""

import time

import matplotlib.pyplot as plt

HALF = 0.5


def line(slope):
    """The line."""
    return [slope * x * HALF for x in range(3)]


def show(values):
    """Print values, and how long that took."""
    start = time.perf_counter()
    print("values", *(f"{v:.4f}" for v in values))
    print(f"took {time.perf_counter() - start:.6f} s")


def draw(values):
    """Draw values, ± nothing."""
    fig, ax = plt.subplots(figsize=(4, 3))
    ax.plot(values)
    ax.set_title("values")
    plt.show()


def fail(values):
    """Raise."""
    raise ValueError(f"bad {values}")


def warn(values):
    """Write to standard error."""
    import warnings

    warnings.warn("beware", stacklevel=1)


def call_home(host):
    """Use the network."""
    import socket

    socket.create_connection((host, 80))
'''
SCRIPT = r'''
"""
A line
======

What is a line? You draw one.

Here is :math:`y = a x`, and

.. math::

   z &= x \\
   y &= x^2

Say::

    pip install matplotlib
"""

# %%
# Values
# ------
# See `lines <../docs/learn/lines.md>`_.
#
# .. note::
#    A note.

from snippets.lines import line, show

values = line(2)
show(values)

# %%
# A picture.

from snippets.lines import draw, line

# alt: A line from 0 to 2.
draw(values)
'''


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    sandbox = make_sandbox(tmp_path_factory.mktemp("notebooks"))
    sandbox.write("snippets/lines.py", MODULE)
    names = ("line", "show", "draw", "fail", "warn", "call_home")
    sandbox.write("docs/learn/lines.md", "# Lines\n\n" + "\n\n".join(f"::: snippets.lines.{name}" for name in names) + "\n")
    sandbox.write("docs/index.md", "# Home\n\n::: tutorials.story\n")
    sandbox.write("tutorials/story.py", SCRIPT)
    made = sandbox.torchproof("notebook")
    assert made.returncode == 0, made.stderr
    assert re.fullmatch(r"story: ran in \d{1,2} s, written\n", made.stdout)
    return sandbox


@pytest.fixture
def lines(original: Sandbox, tmp_path: Path) -> Sandbox:
    shutil.copytree(original.root, tmp_path, dirs_exist_ok=True)
    return Sandbox(tmp_path)


def notebook(sandbox: Sandbox) -> Any:
    return json.loads((sandbox.root / "tutorials" / "story.ipynb").read_text())


def code(sandbox: Sandbox) -> list[str]:
    return [cell["source"] for cell in notebook(sandbox)["cells"] if cell["cell_type"] == "code"]


def replace(sandbox: Sandbox, path: str, old: str, new: str) -> None:
    file = sandbox.root / path
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_the_file_has_one_form(original: Sandbox) -> None:
    text = (original.root / "tutorials" / "story.ipynb").read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    assert [sorted(cell["metadata"].items()) for cell in notebook(original)["cells"][3:]] == [
        [],
        [("alt", ["A line from 0 to 2."])],
    ]
    told = notebook(original)["metadata"]
    assert told["kernelspec"] == {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert told["language_info"]["name"] == "python"


def test_code_comes_once_where_it_is_first_needed(original: Sandbox) -> None:
    first, second = code(original)
    assert first.startswith("import time\n\n\nHALF = 0.5\n\n\ndef line(slope):") or first.startswith(
        "import time\n\nHALF = 0.5\n\n\ndef line"
    )
    assert first.endswith("\n\n\nvalues = line(2)\nshow(values)")
    assert second.startswith("import matplotlib.pyplot as plt\n\n\ndef draw(values):")
    assert second.endswith("\n\n\ndraw(values)")
    assert "def line" not in second


def test_text_becomes_markdown(original: Sandbox) -> None:
    title, values, picture = (c["source"] for c in notebook(original)["cells"] if c["cell_type"] == "markdown")
    assert title.startswith("# A line\n\nWhat is a line? You draw one.\n\nHere is $y = a x$, and\n\n$$\n\\begin{aligned}")
    assert title.endswith("Say:\n\n    pip install matplotlib")
    assert values.startswith("## Values\nSee [lines](../docs/learn/lines.md).")
    assert picture == "A picture."


def test_the_code_stands_alone(original: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "story.py"
    path.write_text("\n\n".join(code(original)))
    assert "snippets" not in path.read_text()
    assert "torchproof" not in path.read_text()
    (tmp_path / "empty").mkdir()
    ran = subprocess.run(
        [sys.executable, "-I", str(path)], cwd=tmp_path / "empty", capture_output=True, text=True, env={"MPLBACKEND": "agg"}
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("values 0.0000 1.0000 2.0000\n")


def test_the_script_runs_as_it_is(original: Sandbox) -> None:
    ran = original.python("-c", "import matplotlib, runpy; matplotlib.use('agg'); runpy.run_path('tutorials/story.py')")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("values 0.0000 1.0000 2.0000\n")


def test_figures_take_the_colors_of_the_page(original: Sandbox) -> None:
    drawn = notebook(original)["cells"][-1]["outputs"][0]["data"]["image/svg+xml"]
    assert drawn.startswith("<svg ")
    assert "currentColor" in drawn
    assert "story-1-0" in drawn
    assert not re.search(r"<style|<metadata|font-family|#000000|#ffffff", drawn)
    # Hundredths of a point are enough, and no zero is written that says nothing.
    numbers = [number for path in re.findall(r' d="([^"]*)"', drawn) for number in re.findall(r"[\d.]+", path)]
    assert {len(number.partition(".")[2]) for number in numbers} == {0, 1, 2}
    assert not [number for number in numbers if "." in number and number.endswith(("0", "."))]
    assert notebook(original)["cells"][-1]["outputs"][0]["data"]["text/plain"].startswith("<Figure size 400x300")


def test_what_has_not_changed_is_not_run_again(lines: Sandbox) -> None:
    path = lines.root / "tutorials" / "story.ipynb"
    before = path.read_bytes()
    assert lines.torchproof("notebook", "story").stdout == "story: the code has not changed, unchanged\n"
    assert path.read_bytes() == before


def test_what_runs_again_and_shows_the_same_is_not_written(lines: Sandbox) -> None:
    path = lines.root / "tutorials" / "story.ipynb"
    # No run is faster than this, so no output that shows a duration is replaced.
    text = re.sub(r'"seconds": [\d.]+', '"seconds": 0.0', path.read_text())
    path.write_text(seal(re.sub(r'"content": "\w+"', '"content": ""', text)))
    before = path.read_bytes()
    assert re.fullmatch(r"story: ran in 0 s, unchanged\n", lines.torchproof("notebook", "story", "--again").stdout)
    assert path.read_bytes() == before


def test_a_much_faster_run_replaces_the_durations(lines: Sandbox) -> None:
    path = lines.root / "tutorials" / "story.ipynb"
    text = re.sub(r'"seconds": [\d.]+', '"seconds": 9999.0', path.read_text())
    text = re.sub(r"took [\d.]+ s", "took 777 s", text)
    path.write_text(seal(re.sub(r'"content": "\w+"', '"content": ""', text)))
    assert ", written" in lines.torchproof("notebook", "story", "--again").stdout
    assert "took 777 s" not in path.read_text()


def test_a_change_of_text_runs_nothing(lines: Sandbox) -> None:
    before = notebook(lines)
    replace(lines, "tutorials/story.py", "# A picture.", "# A new picture.")
    told = lines.torchproof("check")
    assert "tutorials/story.py:1: the notebook is stale" in told.stdout
    assert lines.torchproof("notebook").stdout == "story: the code has not changed, written\n"
    after = notebook(lines)
    assert after["cells"][-2]["source"] == "A new picture."
    assert after["cells"][-1] == before["cells"][-1]
    assert after["metadata"]["torchproof"]["seconds"] == before["metadata"]["torchproof"]["seconds"]
    assert "notebook" not in "".join(line for line in lines.torchproof("check").stdout.splitlines() if ".py:" in line)


def test_a_change_of_a_snippet_makes_the_notebook_stale(lines: Sandbox) -> None:
    replace(lines, "snippets/lines.py", "HALF = 0.5", "HALF = 0.25")
    assert "tutorials/story.py:1: the notebook is stale" in lines.torchproof("check").stdout
    assert "story: ran in" in lines.torchproof("notebook").stdout
    assert notebook(lines)["cells"][1 + 1]["outputs"][0]["text"].startswith("values 0.0000 0.5000 1.0000\n")


FAILING = {
    "fails": ("from snippets.lines import fail\n\nfail(3)\n", "fails.py:43: the cell raises ValueError: bad 3"),
    "warns": ("from snippets.lines import warn\n\nwarn(3)\n", "warns.py:43: the cell writes to standard error"),
    "calls": ("from snippets.lines import call_home\n\ncall_home('pytorch.org')\n", "a program cannot use the network"),
    "told": ("# alt: Nothing.\nshow([1])\n", "told.py:44: the cell draws 0 figures and has 1 alt texts"),
}


def test_a_cell_that_fails_writes_nothing_and_says_where(lines: Sandbox) -> None:
    for name, (cell, _) in FAILING.items():
        lines.write(f"tutorials/{name}.py", SCRIPT.lstrip("\n") + "\n# %%\n# More.\n\n" + cell)
    before = sorted((p.name, p.read_bytes()) for p in (lines.root / "tutorials").iterdir())
    made = lines.torchproof("notebook")
    assert made.returncode == 1
    for name, (_, message) in FAILING.items():
        assert f"tutorials/{name}.py:4" in made.stderr
        assert message in made.stderr
    assert "nbclient" not in made.stderr
    # What the cell's own code did is told with it.
    assert re.search(r"ValueError: bad 3\n(?:.*\n)*.*raise ValueError\(f\"bad \{values\}\"\)", made.stderr)
    assert sorted((p.name, p.read_bytes()) for p in (lines.root / "tutorials").iterdir()) == before


def test_a_change_by_hand_is_found(lines: Sandbox) -> None:
    replace(lines, "tutorials/story.ipynb", "values 0.0000 1.0000", "values 0.0000 1.0001")
    assert "story.ipynb:1: the notebook is not as it was written" in lines.torchproof("check").stdout
    assert "story: ran in" in lines.torchproof("notebook").stdout


def test_an_unknown_tutorial_names_the_known(original: Sandbox) -> None:
    told = original.torchproof("notebook", "tale")
    assert told.returncode == 1
    assert "there is no tutorials/tale.py\n    to fix: the tutorials are story" in told.stderr


def test_what_nbval_compares_is_equal_to_what_shows_the_same() -> None:
    from torchproof.validate import Shown

    shown = Shown("it took 3 s, loss 0.5000")
    shown.drawn_alike = shown.rounds_alike = True
    assert shown == "it took 4 s, loss 0.5001"
    assert (shown != "it took 4 s, loss 0.5001") is False
    assert shown != "it took 4 s, loss 0.6000"
    assert shown != 3
    assert hash(shown) == hash(str(shown))
    figure = Shown('<svg><path d="M 1"/><text>a</text></svg>')
    figure.rounds_alike = True
    for figure.drawn_alike in (True, False):
        assert (figure == '<svg><path d="M 2"/><text>a</text></svg>') is not figure.drawn_alike


@pytest.mark.parametrize(
    ("recorded", "shown", "same"),
    [
        ("values 0.0000 1.0000", "values 0.0000 1.0001", True),
        ("values 0.0000 1.0000", "values 0.0000 1.0011", False),
        ("values 0.0000", "items 0.0000", False),
        ("it took 0.25 s, 3 steps", "it took 71 ms, 3 steps", True),
        ("it took 0.25 s, 3 steps", "it took 0.25 s, 4 steps", False),
        ("it lasted 0.25 s", "it lasted 0.26 s", False),
        ('<svg width="216"/>', '<svg width="216.01"/>', True),
        ('<svg width="216"/>', '<svg width="217"/>', False),
        ("<svg><text>loss</text></svg>", "<svg><text>error</text></svg>", False),
        ('<svg><path d="M1"/><text>loss</text></svg>', '<svg><path d="M2"/><text>loss</text></svg>', False),
        (
            '<svg><path d="M1"/><text>s it took</text><text>9</text></svg>',
            '<svg><path d="M2"/><text>s it took</text></svg>',
            True,
        ),
        ("<svg><text>s it took</text></svg>", "<svg><text>ms it took</text></svg>", False),
    ],
)
def test_outputs_are_compared_with_a_tolerance(recorded: str, shown: str, same: bool) -> None:
    assert alike_text(recorded, shown) is same


@pytest.mark.parametrize(
    ("recorded", "shown", "same"),
    [
        ("loss 0.25 after  9 steps", "loss 1.5e-3 after 10 steps", True),
        ("loss 0.25", "error 0.25", False),
        ("wrong: [3, 5]", "wrong: [4]", True),
        ("wrong: [3, 5]", "wrong: none", False),
        ('<svg><path d="M1"/><text>loss 0.5</text><text>\u22123</text></svg>', "<svg><text>loss 0.4</text></svg>", True),
        ("<svg><text>loss</text></svg>", "<svg><text>error</text></svg>", False),
    ],
)
def test_words_are_compared_where_a_processor_rounds_otherwise(recorded: str, shown: str, same: bool) -> None:
    assert alike_text(recorded, shown, rounds_alike=False) is same


def test_nbval_compares_with_a_tolerance_in_an_empty_directory_without_this_repository(lines: Sandbox) -> None:
    path = lines.root / "tutorials" / "story.ipynb"
    text = path.read_text()
    head, mark, outputs = text.partition('"outputs"')
    for name, old, new in [
        ("noise", "values 0.0000 1.0000", "values 0.0000 1.0001"),
        ("number", "values 0.0000 1.0000", "values 0.0000 1.0011"),
        ("figure", ">values<", ">items<"),
        ("elsewhere", "values 0.0000 1.0000", "values 0.0000 1.0011"),
        ("lost", "values 0.0000 1.0000", "items 0.0000 1.0000"),
    ]:
        assert old in outputs
        # The ids inside a figure start with the name of its notebook.
        changed = head + mark + outputs.replace(old, new).replace("story-1", f"{name}-1")
        if name in ("elsewhere", "lost"):
            changed = changed.replace(f'"arithmetic": "{arithmetic()}"', '"arithmetic": "of another processor"')
        (path.parent / f"{name}.ipynb").write_text(changed)
    probe = (
        "import os, sys\n"
        "print(os.listdir(), [p for p in sys.path if os.path.exists(os.path.join(p, 'torchproof'))])\n"
        "try:\n    import snippets\nexcept ModuleNotFoundError:\n    print('none')"
    )
    told = json.loads(text)
    told["cells"][2] |= {"source": probe, "outputs": [{"output_type": "stream", "name": "stdout", "text": "[] []\nnone\n"}]}
    del told["cells"][3:]
    (path.parent / "probe.ipynb").write_text(json.dumps(told))
    ran = lines.python(
        "-m", "pytest", "--nbval", "-p", "no:randomly", "-rfp", "--color=no", "-p", "no:cacheprovider", "tutorials"
    )
    failed = set(re.findall(r"^FAILED tutorials/(\w+)\.ipynb::Cell (\d)", ran.stdout, re.MULTILINE))
    passed = set(re.findall(r"^PASSED tutorials/(\w+)\.ipynb::Cell (\d)", ran.stdout, re.MULTILINE))
    assert failed == {("number", "0"), ("figure", "1"), ("lost", "0")}, ran.stdout
    assert len(passed) == 10
    assert "to accept what the notebook does now: torchproof notebook number --again" in ran.stdout
