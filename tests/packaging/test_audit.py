"""`make audit` tells what is vulnerable from what was not looked up; a program stands in for pip-audit's service."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """#!{python}
import json, sys
from pathlib import Path
lines = Path(sys.argv[-1]).read_text().split()
answers = json.loads('''{answers}''')
print(json.dumps({{"dependencies": [
    {{"name": name, "version": version, "vulns": [], **answers.get(f"{{name}}=={{version}}", {{}})}}
    for name, version in (line.split("==") for line in lines)
    if answers.get(name) != "dropped"
]}}))
"""
VULNERABLE = {"vulns": [{"id": "PYSEC-2019-217"}, {"id": "PYSEC-2019-220"}]}
KNOWN = {"jinja2==2.10": VULNERABLE}
LOCK = """\
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:00
    # via pyarrow
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:01
rich==15.0.0 \\
    --hash=sha256:02
"""

Audit = Callable[[object], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Return a function that audits a lock file with a service that gives these answers, or with this pip-audit."""

    def run(answers: object) -> "subprocess.CompletedProcess[str]":
        program = tmp_path / "bin" / "pip-audit"
        program.parent.mkdir()
        text = PROGRAM.format(python=sys.executable, answers=json.dumps(answers))
        program.write_text(answers if isinstance(answers, str) else text, encoding="utf-8")
        program.chmod(0o755)
        (tmp_path / "some.lock").write_text(LOCK, encoding="utf-8")
        environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
        command = [sys.executable, str(ROOT / "requirements" / "audit.py"), str(tmp_path / "some.lock")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def test_nothing_is_found_where_nothing_is_known(audit: Audit) -> None:
    """Both versions of a package are looked up, whatever Python runs the audit."""
    ended = audit(KNOWN)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "audit: 3 releases in 1 lock files, 0 with known vulnerabilities\n"


def test_a_vulnerable_release_is_named(audit: Audit) -> None:
    """With the names of what is wrong with it, also if another Python would get it."""
    ended = audit({**KNOWN, "numpy==2.5.5": VULNERABLE})
    assert ended.returncode == 1
    assert ended.stdout.splitlines() == [
        "numpy 2.5.5: PYSEC-2019-217, PYSEC-2019-220",
        "audit: 3 releases in 1 lock files, 1 with known vulnerabilities",
    ]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        pytest.param({}, "it knows no vulnerability of jinja2 2.10", id="a mirror that knows none"),
        pytest.param(
            {"jinja2==2.10": {"skip_reason": "not found"}},
            "did not look up 1 of 1 releases. not found",
            id="no service",
        ),
        pytest.param(
            {**KNOWN, "rich==15.0.0": {"skip_reason": "not found"}}, "1 of 2 releases. not found", id="one is unknown"
        ),
        pytest.param({**KNOWN, "rich": "dropped"}, "answered for 1 of 2 releases", id="one is left out"),
        pytest.param("#!/bin/sh\necho 'no network' >&2; exit 1", "no network", id="no network"),
        pytest.param("#!/bin/sh\nexit 1", "pip-audit says nothing", id="not a word"),
    ],
)
def test_what_was_not_looked_up_is_not_called_safe(audit: Audit, answers: object, reason: str) -> None:
    """One sentence, and a status of its own."""
    ended = audit(answers)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("audit: nothing is known of the locks, the vulnerability service is of no use: ")
    assert reason in ended.stderr
    assert ended.stderr.count("\n") == 1
