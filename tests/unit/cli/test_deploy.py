"""What `deploy/` has works: the units are without fault, and the commands in it score."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audiomnist.scoring.command import TABLE_HELD, USAGE
from audiomnist.scoring.shutdown import INTERRUPTED
from audiomnist.scoring.table import lock
from audiomnist.scoring.table.table import Table

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
UNITS = ("audiomnist-score.service", "audiomnist-score.timer")
SERVICE = (DEPLOY / "audiomnist-score.service").read_text(encoding="utf-8")
CRON = (DEPLOY / "audiomnist.cron").read_text(encoding="utf-8")
INSTALLED = "/opt/audiomnist"

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed (Debian's package systemd)"
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder that is laid out as a machine is, from its root: the program and an empty inbox."""
    command = tmp_path / "opt/audiomnist/.venv/bin/audiomnist"
    command.parent.mkdir(parents=True)
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m audiomnist "$@"\n', encoding="ascii")
    command.chmod(0o755)
    (tmp_path / "srv/audiomnist/inbox").mkdir(parents=True)
    (tmp_path / "var/lib/audiomnist").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """Return copies of the units whose program is there."""
    copies = [tmp_path / name for name in UNITS]
    for copy in copies:
        text = (DEPLOY / copy.name).read_text(encoding="utf-8")
        copy.write_text(text.replace(f"{INSTALLED}/.venv/bin/audiomnist", sys.executable), encoding="utf-8")
    return copies


@needs_systemd
def test_systemd_has_nothing_to_say_about_the_units(units: list[Path]) -> None:
    """`systemd-analyze verify` is silent; it only warns of what it does not know, with status 0."""
    assert verified(units) == (0, "")


@needs_systemd
@pytest.mark.parametrize("fault", ["KillMode=maybe", "ProtectSystm=strict", "SystemCallFilter=@no-such-group"])
def test_a_fault_in_a_unit_would_be_seen(units: list[Path], fault: str) -> None:
    """The check above can fail: a wrong value, a misspelt key and an unknown group are reported."""
    service = units[0]
    service.write_text(service.read_text(encoding="utf-8") + fault + "\n", encoding="utf-8")
    assert verified(units)[1] != ""


@needs_systemd
def test_the_service_is_confined(units: list[Path]) -> None:
    """Systemd's own measure of exposure, 0 to 10, is below 1."""
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=10", str(units[0])]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@needs_systemd
def test_the_timer_names_a_time_of_each_night() -> None:
    """Systemd reads the calendar, and every day has that time once, also where summer time begins or ends."""
    timer = (DEPLOY / "audiomnist-score.timer").read_text(encoding="utf-8")
    (when,) = values(timer, "OnCalendar")
    ended = subprocess.run(
        ["systemd-analyze", "calendar", when],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C"},
    )
    assert ended.returncode == 0, ended.stderr
    hour = re.fullmatch(r"\*-\*-\* (\d\d):\d\d:00", when)
    assert hour is not None
    assert 3 <= int(hour[1]) < 6
    assert values(timer, "Persistent") == ["true"]


@pytest.mark.skipif(shutil.which("systemd-sysusers") is None, reason="systemd-sysusers is not installed")
def test_the_user_of_the_service_can_be_made(tmp_path: Path) -> None:
    """`systemd-sysusers` makes the user that the unit names, with no shell."""
    (tmp_path / "etc").mkdir()
    command = ["systemd-sysusers", f"--root={tmp_path}", str(DEPLOY / "audiomnist.sysusers")]
    subprocess.run(command, check=True, capture_output=True)
    (user,) = values(SERVICE, "User")
    assert re.search(rf"^{user}:.*/nologin$", (tmp_path / "etc/passwd").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.long
def test_the_service_scores(site: Path) -> None:
    """The unit's command, with the unit's environment, makes a table of what lies in the inbox."""
    (site / "srv/audiomnist/inbox/0.wav").write_bytes(b"no sound")
    ended = subprocess.run(moved(service_command(), site), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "1 rejected" in ended.stderr
    assert len(Table.open(site / "var/lib/audiomnist/table").runs()) == 1


def test_options_for_one_machine_reach_the_command() -> None:
    """`AUDIOMNIST_OPTIONS` is split at blanks, and nothing where it is empty."""
    plain = service_command()
    assert service_command({"AUDIOMNIST_OPTIONS": "--min-confidence 0.8"}) == [*plain, "--min-confidence", "0.8"]
    assert "" not in plain


def test_the_service_takes_an_interruption_for_no_failure_and_all_else_for_one() -> None:
    """Of the documented statuses 130 alone counts as success, beside 0; SIGTERM reaches the run, not its workers."""
    assert values(SERVICE, "SuccessExitStatus") == [str(INTERRUPTED)]
    assert values(SERVICE, "KillMode") == ["mixed"]


def test_the_service_leaves_the_decoder_what_it_needs() -> None:
    """Under MemoryDenyWriteExecute= soundfile cannot call libsndfile: every FLAC file would be deferred."""
    assert values(SERVICE, "MemoryDenyWriteExecute") == []


def test_the_cron_line_prints_nothing_where_all_is_well(site: Path) -> None:
    """So cron sends no mail."""
    assert run_by_cron(site) == ""


def test_the_cron_line_tells_a_failure_with_its_status(site: Path) -> None:
    """Cron mails the sentence, and the status that the runbook explains."""
    (site / "srv/audiomnist/inbox").rmdir()
    output = run_by_cron(site)
    assert "is no folder that can be listed" in output
    assert f"status {USAGE}\n" in output


def test_the_cron_line_needs_no_lock_of_its_own(site: Path) -> None:
    """A run that meets another ends with the status for that."""
    table = site / "var/lib/audiomnist/table"
    assert run_by_cron(site) == ""
    with lock.held(table, wait=False):
        assert f"status {TABLE_HELD}\n" in run_by_cron(site)


def test_the_cron_file_has_the_shape_of_etc_cron_d() -> None:
    """Five fields of time, a user and a command on one line that ends; a % would end the command."""
    assert re.fullmatch(r"(\S+ ){5}audiomnist /opt/audiomnist/[^%\n]+\n", cron_line())
    assert CRON.endswith(cron_line())


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.ray"])
def test_the_image_is_made_of_files_that_are_there_and_runs_as_nobody_special(name: str) -> None:
    """What the Dockerfile copies exists and gets past the ignore file; the program is not started by root."""
    dockerfile = (DEPLOY / name).read_text(encoding="utf-8")
    admitted = re.findall(r"^!(\S+)", (DEPLOY / f"{name}.dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    copied = [
        file
        for line in re.findall(r"^COPY (?:--chown=\w+ )?(?!--from)(.+)", dockerfile, re.MULTILINE)
        for file in line.split()[:-1]
    ]
    assert sorted(copied) == sorted(admitted)
    assert [name for name in copied if not (ROOT / name).exists()] == []
    last_stage = dockerfile.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last_stage, re.MULTILINE)


def test_the_image_of_the_scorer_is_the_command() -> None:
    """What follows its name on the command line are words after `audiomnist`."""
    assert (DEPLOY / "Dockerfile").read_text(encoding="utf-8").endswith('ENTRYPOINT ["audiomnist"]\n')


def verified(units: list[Path]) -> tuple[int, str]:
    """Return status and stderr of `systemd-analyze verify`."""
    command = ["systemd-analyze", "verify", *map(str, units)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def values(unit: str, key: str) -> list[str]:
    """Return what a unit gives a key."""
    return re.findall(rf"^{key}=(.*)$", unit, re.MULTILINE)


def service_command(more: dict[str, str] | None = None) -> list[str]:
    """Return the service's command as systemd takes it apart: `${X}` is one word, `$X` as many as it has."""
    pairs = [pair for line in values(SERVICE, "Environment") for pair in shlex.split(line)]
    environment = dict(pair.split("=", 1) for pair in pairs) | (more or {})
    (command,) = values(SERVICE, "ExecStart")
    words: list[str] = []
    for word in command.split():
        if re.fullmatch(r"\$\w+", word):
            words += environment[word[1:]].split()
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], word))
    return words


def moved(words: list[str], site: Path) -> list[str]:
    """Return a command whose absolute paths lie below another root."""
    return [f"{site}{word}" if word.startswith("/") else word for word in words]


def cron_line() -> str:
    """Return the line of the table of cron that is a job."""
    return next(line for line in CRON.splitlines(keepends=True) if line[0].isdigit())


def run_by_cron(site: Path) -> str:
    """Run the job as cron does, but as this user; return what would be mailed."""
    command = re.sub(r"(?<!\S)/(opt|srv|var/lib)/", rf"{site}/\1/", cron_line().split(maxsplit=6)[6])
    ended = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    return ended.stdout + ended.stderr
