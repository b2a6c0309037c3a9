"""A night to review, and the command that serves it."""

import hashlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import inbox_files
import numpy as np
import pyarrow as pa
from deltalake import DeltaTable

from audiomnist.core.digits import PROBABILITIES
from audiomnist.review.judgements import Judgement
from audiomnist.scoring.table.history import RUN_ID
from audiomnist.scoring.table.schema import SCHEMA
from audiomnist.scoring.table.table import Table

RUN = "night"
SCORED_AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
REVIEWED_AT = datetime(2026, 11, 24, 8, 0, 0, 123456, UTC)


@dataclass(frozen=True)
class Night:
    """Folders of a table and of its inbox."""

    table: Path
    inbox: Path

    @property
    def reviews(self) -> Path:
        """Folder of the judgements."""
        return self.table.with_name(f"{self.table.name}-reviews")

    def keystrokes(self) -> list[dict[str, Any]]:
        """Return the rows of the table of judgements, in the order of time; none if there is no such table."""
        if not DeltaTable.is_deltatable(str(self.reviews)):
            return []
        rows = pa.table(DeltaTable(self.reviews).to_pyarrow_table()).to_pylist()
        return sorted(rows, key=lambda row: row["judged_at"])


def row(path: str, confidence: float, digit: int = 7, **changes: Any) -> dict[str, Any]:
    """Return a scored row of the run `RUN`."""
    others = (1 - confidence) / 9
    return {
        "path": path,
        "content_sha256": hashlib.sha256(path.encode()).hexdigest(),
        "size_bytes": 1,
        "modified_ns": 1,
        "status": "scored",
        "digit": digit,
        "confidence": confidence,
        **{name: confidence if name == f"p{digit}" else others for name in PROBABILITIES},
        "model": "cnn",
        "model_version": "m" * 64,
        "dataset": "tones",
        "dataset_version": "1",
        "code_revision": "0.1.0",
        "run_id": RUN,
        "scored_at": SCORED_AT,
        **changes,
    }


def judgement(number: int, **changes: Any) -> Judgement:
    """Return a judgement made in the minute of its number; each number has its own clip."""
    made = Judgement(
        judgement_id=f"id {number}",
        path=f"{number}.wav",
        content_sha256=f"content {number}",
        model_version="m",
        run_id=RUN,
        label="7",
        judged_by="ada",
        judged_at=REVIEWED_AT + timedelta(minutes=number),
    )
    return replace(made, **changes)


def write_rows(table: Path, rows: Sequence[dict[str, Any]]) -> Table:
    """Append rows to a table, which is made if need be."""
    labels = Table.create(table)
    labels.append(pa.Table.from_pylist(list(rows), SCHEMA), {RUN_ID: RUN})
    return labels


def night(folder: Path, clips: int) -> Night:
    """Return a night of clips with a tone each; the first name has the lowest confidence."""
    made = Night(folder / "labels", folder / "inbox")
    rows = []
    for number, confidence in enumerate(np.linspace(0.3, 0.99, clips)):
        name = f"{number:03}.wav"
        content = inbox_files.encoded(inbox_files.tone(number % 10, seconds=0.1, seed=number))
        inbox_files.put(made.inbox, name, content)
        rows.append(row(name, float(confidence), number % 10, content_sha256=hashlib.sha256(content).hexdigest()))
    write_rows(made.table, rows)
    return made


@dataclass(frozen=True)
class Served:
    """The command at work: its process, the address of its page, and what it printed before that."""

    process: subprocess.Popen[str]
    address: str
    printed: str

    @property
    def host(self) -> str:
        """Address and port."""
        return urlsplit(self.address).netloc

    @property
    def prefix(self) -> str:
        """Path of the page, with a slash at its end."""
        return urlsplit(self.address).path

    def request(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Send a request, exactly as it is given, but for `Host` and `Origin` by default; return what was answered."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        content = None if body is None else json.dumps(body)
        sent = {"Host": self.host, **({"Origin": f"http://{self.host}"} if method != "GET" else {}), **headers}
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in {**sent, **({} if content is None else {"Content-Length": str(len(content))})}.items():
                if value:
                    connection.putheader(name, value)
            connection.endheaders(content.encode() if content else None)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def judge(self, clip: int, label: str | None, identifier: str | None = None) -> dict[str, Any]:
        """Press a key; return the state of the page after it."""
        keystroke = {"id": identifier or str(uuid4()), "clip": clip, "label": label}
        status, _, body = self.request("POST", f"{self.prefix}judgements", keystroke)
        assert status == 200, body
        return json.loads(body)  # type: ignore[no-any-return]


@contextmanager
def served(night: Night, *options: str, by: str = "ada") -> Iterator[Served]:
    """Run the command without a browser; kill it at the end if it still runs."""
    command = [sys.executable, "-m", "audiomnist", "review", str(night.table), "--inbox", str(night.inbox), "--by", by]
    process = subprocess.Popen(
        [*command, "--no-browser", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    with process:
        try:
            assert process.stdout is not None
            printed = ""
            while "http://" not in (line := process.stdout.readline()):
                assert line, process.communicate()
                printed += line
            yield Served(process, line.split()[0], printed)
        finally:
            process.kill()
