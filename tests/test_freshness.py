"""What a change makes stale, what `--stale` runs, and what a reviewer is told."""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Sandbox, make_sandbox
from torchproof.cli import main
from torchproof.project import Project

MODULES = 3
DEFINITIONS = 8
DEMOS = 6


def generated(seed: int) -> tuple[dict[str, str], dict[str, set[str]]]:
    """Three modules of constants, definitions and demos that use each other at random.

    Returns:
        The text of each module, and for each name the names that it uses directly.
    """
    rng = random.Random(seed)
    uses: dict[str, set[str]] = {}
    texts = {}
    earlier: list[tuple[str, str]] = []
    for m in range(MODULES):
        module = f"part{m}"
        lines = []
        known = list(earlier)
        for d in range(DEFINITIONS):
            name = f"step_{m}_{d}"
            chosen = rng.sample(known, min(len(known), rng.randint(0, 2)))
            uses[f"{module}.{name}"] = {f"{where}.{what}" for where, what in chosen} | {f"{module}.SCALE_{m}_{d % 2}"}
            total = " + ".join([f"SCALE_{m}_{d % 2}", *(f"{what}(x)" for _, what in chosen)])
            lines.append(f'def {name}(x):\n    """Step."""\n    return x + {total} + {rng.randint(1, 9)}\n')
            known.append((module, name))
        for d in range(DEMOS):
            name = f"show_{m}_{d}"
            chosen = rng.sample(known, 2)
            uses[f"{module}.{name}"] = {f"{where}.{what}" for where, what in chosen}
            total = " + ".join(f"{what}({d})" for _, what in chosen)
            lines.append(f'def {name}() -> None:\n    """Show."""\n    print({total} + {rng.randint(1, 9)})\n')
        imports = [f"from snippets.{where} import {what}" for where, what in earlier]
        constants = [f"SCALE_{m}_{n} = {rng.randint(1, 9)}" for n in range(2)]
        uses |= {f"{module}.SCALE_{m}_{n}": set() for n in range(2)}
        texts[module] = "\n".join(['"""Generated."""', *imports, *constants, "", "", "\n\n".join(lines)])
        earlier = known
    return texts, uses


def depending_on(name: str, uses: dict[str, set[str]]) -> set[str]:
    """Brute force: everything from which `name` can be reached, itself included."""
    found = {name}
    while True:
        more = {user for user, used in uses.items() if used & found} - found
        if not more:
            return found
        found |= more


def stale(root: Path) -> set[str]:
    project = Project(root)
    snippets = list(project.catalog.snippets())
    return {f"{s.module}.{s.name}" for s in snippets if project.standing(project.program(s), "cpu").state == "stale"}


def edits(texts: dict[str, str], uses: dict[str, set[str]]) -> list[tuple[str, str, str]]:
    """30 edits: a constant, or the last number of a definition or of a demo."""
    rng = random.Random(0)
    chosen = rng.sample(sorted(uses), 30)
    found = []
    for name in chosen:
        module, what = name.split(".")
        constant = what.startswith("SCALE")
        pattern = rf"(^{what} = )(\d+)$" if constant else rf"(^def {what}\(.*\n.*\n.*\+ )(\d+)(?=\)?$)"
        edited, count = re.subn(pattern, lambda m: f"{m[1]}{int(m[2]) + 10}", texts[module], flags=re.MULTILINE)
        assert count == 1, name
        found.append((name, module, edited))
    return found


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sandbox, dict[str, str], dict[str, set[str]]]:
    sandbox = make_sandbox(tmp_path_factory.mktemp("fresh"))
    texts, uses = generated(seed=0)
    for module, text in texts.items():
        sandbox.write(f"snippets/{module}.py", text)
    assert sandbox.pytest("snippets", "--record", "-q").returncode == 0
    return sandbox, texts, uses


def test_an_edit_makes_stale_exactly_what_depends_on_it(
    recorded: tuple[Sandbox, dict[str, str], dict[str, set[str]]],
) -> None:
    sandbox, texts, uses = recorded
    snippets = {name for name in uses if "SCALE" not in name}
    assert stale(sandbox.root) == set()
    sizes = []
    for name, module, edited in edits(texts, uses):
        sandbox.write(f"snippets/{module}.py", edited)
        expected = depending_on(name, uses) & snippets
        assert stale(sandbox.root) == expected, name
        sizes.append(len(expected))
        sandbox.write(f"snippets/{module}.py", texts[module])
    assert min(sizes) == 1
    assert max(sizes) > 10


def test_stale_runs_only_what_changed(recorded: tuple[Sandbox, dict[str, str], dict[str, set[str]]]) -> None:
    sandbox, texts, uses = recorded
    nothing = sandbox.pytest("snippets", "--stale")
    assert nothing.returncode == 0
    assert "deselected" in nothing.stdout
    name, module, edited = next(edit for edit in edits(texts, uses) if "show" in edit[0])
    sandbox.write(f"snippets/{module}.py", edited)
    one = sandbox.pytest("snippets", "--stale", "-v")
    assert one.returncode == 1
    assert re.findall(r"::(\w+) FAILED", one.stdout) == [name.split(".")[1]]
    assert "1 failed" in one.stdout
    assert "passed" not in one.stdout
    sandbox.write(f"snippets/{module}.py", texts[module])


def test_a_reviewer_sees_which_outputs_changed(sandbox: Sandbox) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=A", "-c", "user.email=a@b.example"]
        subprocess.run(["git", *identity, *arguments], cwd=sandbox.root, check=True, capture_output=True)

    demo = '"""T."""\n\n\ndef {name}() -> None:\n    """Show."""\n    print("loss {value}")\n'
    sandbox.write("snippets/kept.py", demo.format(name="kept", value=1))
    sandbox.write("snippets/told.py", demo.format(name="told", value=0.5))
    sandbox.write("snippets/gone.py", demo.format(name="gone", value=2))
    git("init", "-q")
    git("add", "snippets")
    git("commit", "-qm", "Programs without records")
    assert sandbox.pytest("snippets", "--record").returncode == 0
    told = sandbox.torchproof("changes")
    assert told.returncode == 0
    assert told.stdout.count("is new") == 3
    git("add", "-A")
    git("commit", "-qm", "Their records")
    assert sandbox.torchproof("changes").stdout == "No output changed.\n"

    sandbox.write("snippets/kept.py", demo.format(name="kept", value=1).replace("print", "# Why.\n    print"))
    sandbox.write("snippets/told.py", demo.format(name="told", value=0.75))
    (sandbox.root / "snippets/gone.py").unlink()
    (sandbox.root / "docs/records/cpu/gone.json").unlink()
    assert sandbox.pytest("snippets", "--record").returncode == 0
    told = sandbox.torchproof("changes", "HEAD")
    assert told.stdout.startswith("**2 outputs changed**, and 1 programs changed that do the same.")
    assert "- `snippets.told.told` on cpu prints something else" in told.stdout
    assert "-loss 0.5\n  +loss 0.75" in told.stdout
    assert "- `snippets.gone.gone` on cpu is gone" in told.stdout
    assert "- `snippets.kept.kept` on cpu changed, and does the same" in told.stdout

    unknown = sandbox.torchproof("changes", "nowhere")
    assert unknown.returncode == 1
    assert "git cannot show the records of nowhere" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_check_tells_the_states_of_each_device(sandbox: Sandbox) -> None:
    text = '"""T."""\nimport pytest\n\n\n'
    for name in ("first", "second", "third"):
        text += f'def {name}() -> None:\n    """Show."""\n    print("{name}")\n\n\n'
    text += '@pytest.mark.cpu_only("reads the CPU")\ndef fourth() -> None:\n    """Show."""\n    print("fourth")\n'
    text += '\n\n@pytest.mark.gpus(2)\ndef fifth() -> None:\n    """Show."""\n    print("fifth")\n'
    sandbox.write("snippets/topic.py", text)
    names = ("first", "second", "third", "fourth", "fifth")
    sandbox.write("docs/index.md", "".join(f"::: snippets.topic.{name}\n\n" for name in names))
    assert sandbox.pytest("snippets", "--record").returncode == 0
    # A record of a GPU, as a machine with one would have committed it: two programs, one of them since changed.
    path = sandbox.root / "docs/records/cpu/topic.json"
    record = json.loads(path.read_text())
    record["environment"]["device"] = "a GPU"
    record["snippets"] = {name: record["snippets"][name] for name in ("first", "second")}
    record["snippets"]["second"]["sha256"] = "0" * 64
    sandbox.write("docs/records/cuda/topic.json", json.dumps(record, indent=1, sort_keys=True) + "\n")

    relaxed = sandbox.torchproof("check")
    assert relaxed.returncode == 0
    assert "cpu: 1 excused, 4 fresh\ncuda: 2 excused, 1 fresh, 1 missing, 1 stale" in relaxed.stdout
    strict = sandbox.torchproof("check", "--require", "cpu", "--require", "cuda")
    assert strict.returncode == 1
    # One GPU was there, and the fifth needs two: that is no fault of the record.
    assert "fifth" not in strict.stdout
    assert "the record of snippets.topic.second is stale" in strict.stdout
    assert "snippets.topic.third has no record on the cuda" in strict.stdout
    assert "pytest snippets/topic.py::third --device cuda --record" in strict.stdout


def test_what_was_found_fresh_is_looked_at_again_when_a_byte_changes(sandbox: Sandbox) -> None:
    sandbox.write("snippets/topic.py", '"""T."""\n\n\ndef demo() -> None:\n    """Show."""\n    print("demo")\n')
    page = sandbox.write("docs/index.md", "::: snippets.topic.demo\n")
    assert sandbox.pytest("snippets", "--record").returncode == 0
    answers = [sandbox.torchproof("check") for _ in range(2)]
    assert [(a.returncode, a.stdout, a.stderr) for a in answers] == [(0, "cpu: 1 fresh\n", "")] * 2
    # The second answer was kept: what keeps it says for which files, and no longer fits if one of them changes.
    kept = sandbox.root / ".torchproof_cache/check"
    kept.write_text(kept.read_text().replace("1 fresh", "kept"))
    assert sandbox.torchproof("check").stdout == "cpu: kept\n"
    assert sandbox.torchproof("check", "--require", "cuda").returncode == 1
    for changed in (page, sandbox.root / "snippets/topic.py", sandbox.root / "docs/records/cpu/topic.json"):
        before = changed.read_bytes()
        changed.write_bytes(before.replace(b"demo", b"dem0"))
        assert sandbox.torchproof("check").returncode == 1
        changed.write_bytes(before)
    kept.write_bytes(b"\xff")
    assert sandbox.torchproof("check").stdout == "cpu: 1 fresh\n"


def test_a_file_that_goes_away_while_it_is_looked_at_is_no_failure(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(path: Path) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert main(["--root", str(sandbox.root), "check"]) == 0
    assert "Traceback" not in capsys.readouterr().err
    assert not (sandbox.root / ".torchproof_cache").exists()


def test_a_module_that_nobody_uses_changes_no_program(sandbox: Sandbox) -> None:
    """Its imports once decided which of two other modules came first in their common programs."""
    sandbox.write("snippets/add.py", '"""T."""\n\n\ndef add(x):\n    """T."""\n    return x + 1\n')
    sandbox.write("snippets/sub.py", '"""T."""\n\n\ndef sub(x):\n    """T."""\n    return x - 1\n')
    uses = "from snippets.add import add\nfrom snippets.sub import sub\n"
    demo = f'"""T."""\n\n{uses}\n\ndef demo() -> None:\n    """Show."""\n    print(add(sub(1)))\n'
    sandbox.write("snippets/topic.py", demo)

    def identity() -> str:
        project = Project(sandbox.root)
        return project.program(project.catalog.find("snippets.topic.demo")).sha256

    before = identity()
    sandbox.write(
        "snippets/aaa.py", '"""T."""\n\nfrom snippets.sub import sub\n\n\ndef more(x):\n    """T."""\n    return sub(x)\n'
    )
    assert identity() == before
