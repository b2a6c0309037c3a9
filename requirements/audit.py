"""Looks for known vulnerabilities in what lock files name, with pip-audit.

    python requirements/audit.py requirements/*.lock

The status is 0 if every release was looked up and none has a known vulnerability, 1 if one has, and 2 if one was not
looked up: pip-audit itself ends with 0 then. The service is asked first about a release whose vulnerabilities have been
known for years, because a mirror of the package index may answer and know of none.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

KNOWN = ("jinja2", "2.10")  # CVE-2019-10906 and others
FOUND, NOT_AUDITED = 1, 2
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)

Pin = tuple[str, str]


class AuditError(Exception):
    """Not every release was looked up."""


def main(locks: Sequence[str]) -> int:
    """Audit lock files; print what is found; return the exit status."""
    pins = sorted({pin for lock in locks for pin in pins_of(Path(lock).read_text(encoding="utf-8"))})
    try:
        check_service()
        found = [vulnerable for group in groups(pins) for vulnerable in audited(group)]
    except AuditError as error:
        print(f"audit: nothing is known of the locks, the vulnerability service is of no use: {error}", file=sys.stderr)
        return NOT_AUDITED
    for name, version, ids in sorted(found):
        print(f"{name} {version}: {', '.join(ids)}")
    print(f"audit: {len(pins)} releases in {len(locks)} lock files, {len(found)} with known vulnerabilities")
    return FOUND if found else 0


def check_service() -> None:
    """Raise AuditError unless the service knows what is wrong with a release that is known to be vulnerable."""
    if not audited([KNOWN]):
        raise AuditError(f"it knows no vulnerability of {KNOWN[0]} {KNOWN[1]}")


def pins_of(lock: str) -> list[Pin]:
    """Return the releases in a lock file, for whatever Python they are."""
    return _PINNED.findall(lock)


def groups(pins: Sequence[Pin]) -> Iterator[list[Pin]]:
    """Yield releases in groups in which no package is twice, as pip-audit wants them."""
    left = list(pins)
    while left:
        first = dict(reversed(left))
        yield list(first.items())
        left = [pin for pin in left if first[pin[0]] != pin[1]]


def audited(pins: Sequence[Pin]) -> list[tuple[str, str, list[str]]]:
    """Return the releases that have known vulnerabilities, with their names.

    Raises:
        AuditError: a release was not looked up.
    """
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text("".join(f"{name}=={version}\n" for name, version in pins), encoding="utf-8")
        command = ["pip-audit", "--disable-pip", "--no-deps", "--progress-spinner=off", "--format=json"]
        ended = subprocess.run([*command, "-r", requirements], capture_output=True, text=True, check=False)  # noqa: S603 - the command is the one above
    try:
        answers: list[dict[str, Any]] = json.loads(ended.stdout)["dependencies"]
    except (ValueError, KeyError) as error:
        raise AuditError((ended.stderr.strip().splitlines() or ["pip-audit says nothing"])[-1]) from error
    skipped = [answer for answer in answers if "skip_reason" in answer]
    if skipped:
        raise AuditError(f"it did not look up {len(skipped)} of {len(pins)} releases. {skipped[0]['skip_reason']}")
    if len(answers) != len(pins):
        raise AuditError(f"it answered for {len(answers)} of {len(pins)} releases")
    return [
        (answer["name"], answer["version"], [vulnerability["id"] for vulnerability in answer["vulns"]])
        for answer in answers
        if answer["vulns"]
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
