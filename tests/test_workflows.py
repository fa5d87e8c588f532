"""The GitHub workflows: valid by GitHub's schema, and by rules of our own, each of which is shown to catch its fault."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
Workflow = dict[str, Any]
# What a run gets from somebody else's pull request, and would paste into a shell as code.
FOREIGN = re.compile(r"\$\{\{[^}]*github\.(event\.|head_ref)")


def read(text: str) -> Workflow:
    """YAML 1.1 reads the key `on` as true."""
    return yaml.load(text, Loader=yaml.BaseLoader)


def triggers(workflow: Workflow) -> set[str]:
    on = workflow["on"]
    return {on} if isinstance(on, str) else set(on)


def steps(workflow: Workflow) -> Iterator[dict[str, Any]]:
    for job in workflow["jobs"].values():
        yield from job.get("steps", [])


def actions_are_pinned(text: str, workflow: Workflow) -> str:
    for line in re.findall(r"uses: *(\S.*)", text):
        if not line.startswith("./") and not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", line):
            return f"{line} is not pinned by commit, with its version beside it"
    return ""


def rights_are_least(text: str, workflow: Workflow) -> str:
    if workflow.get("permissions") != {"contents": "read"}:
        return "the workflow may do more than read"
    for name, job in workflow["jobs"].items():
        writes = {right for right, level in job.get("permissions", {}).items() if level == "write"}
        if writes - ({"pages", "id-token"} if name == "pages" else set()):
            return f"the job {name} may write {writes}"
    return ""


def forks_get_nothing(text: str, workflow: Workflow) -> str:
    if "pull_request_target" in triggers(workflow):
        return "pull_request_target runs with our rights on somebody else's code"
    return "a secret is used" if "secrets." in text or "secrets:" in text else ""


def own_machines_wait_for_approval(text: str, workflow: Workflow) -> str:
    for name, job in workflow["jobs"].items():
        runner = str(job.get("runs-on", ""))
        hosted = not runner or re.fullmatch(r"(ubuntu|macos|windows)-[\d.]+", runner)
        asks = "head.repo.full_name != github.repository" in str(job.get("environment", ""))
        if not hosted and not (asks and "'gpu-approval'" in str(job["environment"])):
            return f"the job {name} runs a fork's code on {runner} without approval"
    return ""


def runs_do_not_pile_up(text: str, workflow: Workflow) -> str:
    return "" if "group" in workflow.get("concurrency", {}) else "there is no concurrency group"


def jobs_have_a_limit(text: str, workflow: Workflow) -> str:
    for name, job in workflow["jobs"].items():
        if "steps" in job and not 0 < int(job.get("timeout-minutes", 0)) <= 60:
            return f"the job {name} has no time limit of an hour or less"
    return ""


def nothing_foreign_in_a_shell(text: str, workflow: Workflow) -> str:
    found = [step["run"] for step in steps(workflow) if FOREIGN.search(step.get("run", ""))]
    return f"{found[0]!r} pastes what a stranger wrote into a shell" if found else ""


def checkouts_keep_no_token(text: str, workflow: Workflow) -> str:
    for step in steps(workflow):
        if "checkout@" in step.get("uses", "") and step.get("with", {}).get("persist-credentials") != "false":
            return "a checkout leaves its token behind"
    return ""


def installs_are_cached(text: str, workflow: Workflow) -> str:
    for step in steps(workflow):
        if "setup-python@" in step.get("uses", "") and step.get("with", {}).get("cache") != "pip":
            return "packages are downloaded again in each run"
    return ""


Rule = Callable[[str, Workflow], str]
# Each rule with a file and an edit of it that the rule must catch.
RULES: list[tuple[Rule, str, str, str]] = [
    (actions_are_pinned, "cpu", "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683", "actions/checkout@v4"),
    (
        actions_are_pinned,
        "gpu",
        "ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2",
        "ea165f8d65b6e75b540449e92b4886f43607fa02",
    ),
    (rights_are_least, "render", "permissions:\n  contents: read", "permissions: write-all"),
    (rights_are_least, "deploy", "      pages: write", "      pages: write\n      contents: write"),
    (forks_get_nothing, "render", "  pull_request:", "  pull_request_target:"),
    (forks_get_nothing, "cpu", "run: bash .ci/run", "run: bash .ci/run ${{ secrets.TOKEN }}"),
    (own_machines_wait_for_approval, "gpu", "!= github.repository", "== github.repository"),
    (own_machines_wait_for_approval, "cpu", "runs-on: macos-15", "runs-on: self-hosted"),
    (runs_do_not_pile_up, "deploy", "  group: deploy\n", "  queue: deploy\n"),
    (jobs_have_a_limit, "gpu", "    timeout-minutes: 30\n", ""),
    (nothing_foreign_in_a_shell, "render", '"$BASE"', "${{ github.event.pull_request.title }}"),
    (checkouts_keep_no_token, "gpu", "persist-credentials: false", "persist-credentials: true"),
    (installs_are_cached, "render", "          cache: pip\n", ""),
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_workflow_follows_the_rules(file: Path) -> None:
    text = file.read_text()
    broken = {rule.__name__: told for rule, *_ in RULES if (told := rule(text, read(text)))}
    assert not broken


@pytest.mark.parametrize(("rule", "name", "old", "new"), RULES, ids=lambda value: getattr(value, "__name__", ""))
def test_each_rule_catches_its_fault(rule: Rule, name: str, old: str, new: str) -> None:
    text = (FOLDER / f"{name}.yml").read_text()
    assert old in text
    broken = text.replace(old, new)
    assert rule(broken, read(broken))


def schema_check(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True)


def test_workflows_are_valid_by_githubs_schema(tmp_path: Path) -> None:
    assert {file.stem for file in FILES} == {"cpu", "gpu", "render", "deploy"}
    assert schema_check(*FILES).returncode == 0
    broken = tmp_path / "broken.yml"
    broken.write_text((FOLDER / "cpu.yml").read_text().replace("runs-on:", "runs_on:"))
    assert schema_check(broken).returncode == 1


def test_what_the_workflows_call_exists() -> None:
    text = "".join(file.read_text() for file in FILES)
    makefile = (REPOSITORY / "Makefile").read_text()
    assert all(re.search(f"^{target}:", makefile, re.MULTILINE) for target in re.findall(r"run: make (\w+)", text))
    commands = set(re.findall(r"torchproof (\w+)", text))
    assert commands == {"check", "changes", "publish", "finish"}
    listed = subprocess.run([sys.executable, "-m", "torchproof.cli", "--help"], cwd=REPOSITORY, capture_output=True, text=True)
    assert all(command in listed.stdout for command in commands)
    called = re.findall(r"uses: \./\.github/workflows/(\w+)\.yml", text)
    assert all("workflow_call" in triggers(read((FOLDER / f"{name}.yml").read_text())) for name in called)


def test_the_site_needs_both_devices() -> None:
    site = read((FOLDER / "render.yml").read_text())["jobs"]["site"]
    assert set(site["needs"]) == {"cpu", "gpu"}
    assert any(step.get("run") == "torchproof check --require cpu --require cuda" for step in site["steps"])
