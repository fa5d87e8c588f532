"""Every program with each version of torch: what `torchproof compat` sees, writes and shows. No torch is installed: a module of
that name answers differently in each version."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Sandbox, make_sandbox

# What the three versions of this small torch hold, the newest being the one that made the records.
VERSIONS = {
    "1.9.0": "answer = 41\ndef old(): raise RuntimeError('<b>no</b> such thing at 0x7f1234567890')\n",
    "1.10.0": "answer = 42\ndef old():\n    import warnings\n    warnings.warn('old is going away', FutureWarning)\ndef newer(): pass\n",
    "2.0.0": "answer = 42\ndef old(): pass\ndef newer(): pass\n",
}
SNIPPETS = '''
    import sys

    import pytest
    import torch


    def prints():
        """Shows the answer."""
        print("the answer")
        print(f"is {torch.answer}")


    def calls():
        """Calls what is old."""
        torch.old()


    def asks():
        """Calls what is newer."""
        torch.newer()


    def claims():
        """Claims something."""
        assert torch.answer == 42


    def writes():
        """Writes where errors go."""
        if torch.answer == 41:
            print("a warning", file=sys.stderr)


    def agrees():
        """Does the same everywhere."""
        print("<script>")


    @pytest.mark.measurement
    def measures():
        """Measures."""
        print(torch.answer)


    @pytest.mark.gpus(2)
    def scatters():
        """Needs two."""
        print(torch.answer)

    '''


def environment(sandbox: Sandbox, version: str, refused: str = "nothing") -> Path:
    """An environment whose interpreter is this one with another `torch`, and whose pip installs nothing but is counted."""
    library = f"library/{version}"
    sandbox.write(f"{library}/torch/__init__.py", VERSIONS[version])
    sandbox.write(f"{library}/torchvision.py", "import torch\n")
    for name, number in (("torch", version), ("torchvision", f"0.{version}+cpu")):
        sandbox.write(
            f"{library}/{name}-{number}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n"
        )
    python = sandbox.write(
        f".compat/{version}/bin/python",
        f"""
        #!/bin/sh
        case "$*" in
          "-m {refused} "*) echo "there is no such thing" >&2; exit 1;;
          "-m pip "*) echo "$*" >> "$(dirname "$0")/calls"; exit 0;;
        esac
        PYTHONPATH="$PYTHONPATH:$(dirname "$0")/../../../{library}" exec {sys.executable} "$@"
        """,
    )
    python.chmod(0o755)
    return python


def project(root: Path) -> Sandbox:
    """A project whose records the newest version made."""
    sandbox = make_sandbox(root)
    settings = "\n".join(f'"{version}" = "0.{version}"' for version in VERSIONS)
    more = '[project.optional-dependencies]\nprograms = ["numpy", "torch>=1", "torchvision"]\ntest = ["pytest>=9", "pytest-xdist"]\n'
    text = (sandbox.root / "pyproject.toml").read_text()
    sandbox.write("pyproject.toml", f"{text}\n[tool.torchproof.versions]\n{settings}\n\n{more}")
    sandbox.write("constraints.txt", "numpy==2.0.0\nnvidia-cublas==13.0.0\ntorch==2.0.0\ntorchvision==0.2.0.0\n")
    sandbox.write("snippets/topic.py", SNIPPETS)
    sandbox.write("docs/versions.md", "# Versions\n\n::: versions\n")
    for version in VERSIONS:
        newest = environment(sandbox, version)
    recorded = sandbox.run(str(newest), "-m", "pytest", "-q", "--device", "cpu", "snippets", "--record")
    assert "7 passed, 1 skipped" in recorded.stdout, recorded.stdout + recorded.stderr
    return sandbox


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, str]:
    """Run once with three versions, and what was said meanwhile."""
    sandbox = project(tmp_path_factory.mktemp("compared"))
    ran = sandbox.torchproof("compat")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return sandbox, ran.stdout


def record_of(sandbox: Sandbox) -> Path:
    return sandbox.root / "docs/records/compat.json"


def test_what_differs_from_the_record_is_told_apart_with_its_reason(compared: tuple[Sandbox, str]) -> None:
    sandbox, _ = compared
    data = json.loads(record_of(sandbox).read_text())
    gaps = data["gaps"]["topic"]
    gpus = {"did": "skipped", "reason": "needs 2 GPUs, this run has 0"}
    assert gaps == {
        "prints": {"1.9.0": {"did": "differs", "reason": "prints something else", "lines": ["-is 42", "+is 41"]}},
        "calls": {
            "1.9.0": {"did": "fails", "reason": "it raised RuntimeError: <b>no</b> such thing at 0x…"},
            "1.10.0": {"did": "fails", "reason": "it raised FutureWarning: old is going away"},
        },
        "asks": {
            "1.9.0": {"did": "fails", "reason": "it raised AttributeError: module 'torch' has no attribute 'newer'"},
        },
        "claims": {"1.9.0": {"did": "fails", "reason": "its assertion fails: assert torch.answer == 42"}},
        "writes": {"1.9.0": {"did": "fails", "reason": "it wrote to standard error: a warning"}},
        "scatters": dict.fromkeys(["1.9.0", "1.10.0", "2.0.0"], gpus),
    }
    assert {"agrees", "measures"} < set(data["programs"]["topic"])
    assert data["versions"]["1.9.0"]["torchvision"] == "0.1.9.0"


def test_it_says_what_it_does_and_how_many_did_what(compared: tuple[Sandbox, str]) -> None:
    _, said = compared
    assert "torch 1.9.0: installing into .compat/1.9.0" in said
    assert re.search(r"torch 1\.9\.0: snippets/topic\.py .*\[8/8\]", said)
    assert "torch 1.9.0: 2 the same, 1 different, 4 failed, 1 skipped" in said
    assert "torch 1.10.0: 6 the same, 1 failed, 1 skipped" in said
    assert "torch 2.0.0: 7 the same, 1 skipped" in said
    assert "docs/records/compat.json: written" in said


def test_only_torch_is_another_and_what_is_installed_stays(compared: tuple[Sandbox, str]) -> None:
    sandbox, _ = compared
    before = record_of(sandbox).read_bytes()
    again = sandbox.torchproof("compat")
    assert "torch 1.9.0: installed in .compat/1.9.0" in again.stdout
    assert "docs/records/compat.json: unchanged" in again.stdout
    assert record_of(sandbox).read_bytes() == before
    folder = sandbox.root / ".compat/1.9.0"
    (call,) = (folder / "bin/calls").read_text().splitlines()
    assert call.endswith(" torch==1.9.0 torchvision==0.1.9.0 numpy pytest>=9")
    assert (folder / "constraints.txt").read_text() == "numpy==2.0.0\n"


def break_the_import(sandbox: Sandbox) -> None:
    sandbox.write("library/1.9.0/torchvision.py", "raise ImportError('operator nms does not exist')\n")


def hold_another_version(sandbox: Sandbox) -> None:
    environment(sandbox, "1.9.0").write_text((sandbox.root / ".compat/2.0.0/bin/python").read_text())


def refuse_to_install(sandbox: Sandbox) -> None:
    environment(sandbox, "1.9.0", refused="pip")
    sandbox.write("constraints.txt", "numpy==2.0.1\n")


def lose_pytest(sandbox: Sandbox) -> None:
    environment(sandbox, "1.9.0", refused="pytest")


def change_a_program(sandbox: Sandbox) -> None:
    path = sandbox.root / "snippets/topic.py"
    path.write_text(path.read_text().replace('"the answer"', '"an answer"'))


def name_no_versions(sandbox: Sandbox) -> None:
    sandbox.write("pyproject.toml", make_sandbox(sandbox.root / "other").root.joinpath("pyproject.toml").read_text())


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (break_the_import, "torch 1.9.0: its environment is broken (ImportError: operator nms does not exist)"),
        (hold_another_version, "torch 1.9.0: its environment holds other versions (torch and torchvision 2.0.0 and 0.2.0.0)"),
        (refuse_to_install, "torch 1.9.0: it cannot be installed (there is no such thing)"),
        (lose_pytest, "torch 1.9.0: its programs did not all run (there is no such thing)"),
        (change_a_program, "snippets/topic.py:7: snippets.topic.prints has no fresh record to compare with"),
        (name_no_versions, "pyproject.toml:1: cannot read which versions to run"),
    ],
)
def test_what_cannot_run_is_one_message_and_the_old_record_stays(
    tmp_path: Path, compared: tuple[Sandbox, str], damage: Callable[[Sandbox], Any], told: str
) -> None:
    sandbox = Sandbox(shutil.copytree(compared[0].root, tmp_path / "copy"))
    old = sandbox.write("docs/records/compat.json", '{"what": "was"}').read_bytes()
    damage(sandbox)
    ran = sandbox.torchproof("compat")
    assert ran.returncode == 1
    assert ran.stderr.startswith(told) and "\n    to fix: " in ran.stderr and ran.stderr.count("\n") == 2
    assert record_of(sandbox).read_bytes() == old


def test_the_page_shows_each_gap_and_escapes_what_ran(compared: tuple[Sandbox, str]) -> None:
    sandbox, _ = compared
    built = sandbox.mkdocs("--strict")
    assert built.returncode == 0, built.stderr
    text = (sandbox.root / "site/versions/index.html").read_text()
    rows = dict(re.findall(r"<tr><td><a [^>]+><code>topic\.(\w+)</code></a></td>(.*?)</tr>", text))
    assert rows["prints"] == ("<td>differs</td><td>same</td><td>same</td><td>prints something else<br>-is 42<br>+is 41</td>")
    assert rows["calls"].startswith("<td>fails</td><td>fails</td><td>same</td><td>1.9.0: it raised RuntimeError: &lt;b&gt;no")
    assert "<br>1.10.0: it raised FutureWarning: old is going away</td>" in rows["calls"]
    assert set(rows) == {"prints", "calls", "asks", "claims", "writes"}
    assert "<b>no" not in text
    assert "<td>needs 2 GPUs, this run has 0</td><td>1</td>" in text
    assert "<td><code>topic</code></td><td>2</td>" in text
    assert re.search(r"<li>torch 1\.9\.0 \(torchvision 0\.1\.9\.0, Python [\d.]+, [^<]+\): of 8 programs, 2 the same", text)


def test_a_program_that_changed_since_is_named_and_no_failure(tmp_path: Path, compared: tuple[Sandbox, str]) -> None:
    ran, _ = compared
    sandbox = Sandbox(shutil.copytree(ran.root, tmp_path / "copy"))
    names = re.findall(r"^def (\w+)", (sandbox.root / "snippets/topic.py").read_text(), re.MULTILINE)
    sandbox.write("docs/page.md", "::: versions\n\n" + "\n\n".join(f"::: snippets.topic.{name}" for name in names))
    checked = sandbox.torchproof("check")
    assert "versions: 8 fresh\n" in checked.stdout

    path = sandbox.root / "snippets/topic.py"
    path.write_text(path.read_text().replace('"the answer"', '"an answer"').replace('"<script>"', '"<style>"'))
    checked = sandbox.torchproof("check", "--require", "mps")
    assert "versions: 6 fresh, 2 changed since (topic.prints, topic.agrees); to run them: make compat\n" in checked.stdout
    assert "versions" not in checked.stdout.partition("versions: ")[0]
    sandbox.mkdocs()
    text = (sandbox.root / "site/page/index.html").read_text()
    assert "<td>the program has changed since<br>prints something else<br>-is 42" in text
    listed = text.partition('<h2 id="changed">')[2].partition("<h2")[0]
    assert "<p>2 programs</p>" in listed and "topic.prints" in listed and "topic.agrees" in listed
    assert "of 6 programs, " in text and "<code>topic</code></a></td><td>1</td>" in text


def test_a_damaged_record_of_the_versions_is_a_problem(sandbox: Sandbox) -> None:
    sandbox.write("docs/records/compat.json", '{"versions": {}}')
    checked = sandbox.torchproof("check")
    assert checked.returncode == 1
    assert "docs/records/compat.json:1: the record of the versions lacks what it holds" in checked.stdout
    sandbox.write("docs/records/compat.json", '{\n"versions": \n')
    assert "docs/records/compat.json:3: the record of the versions is not valid JSON" in sandbox.torchproof("check").stdout
