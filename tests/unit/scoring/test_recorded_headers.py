"""Headers as recorders, pipes and interrupted copies leave them, each around the same sound."""

import struct
from pathlib import Path

import numpy as np
import pytest
import small_bundles
from inbox_files import encoded, put, tone
from runs import Row, answer, audiomnist, by_path

PCM = encoded(tone(3))[44:]
UNKNOWN = 0xFFFFFFFF
SAME = ("digit", "duration_s", "sample_rate_hz", "channels", "peak")


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Return a chunk, padded to an even number of bytes, that says it has `size`."""
    return name + struct.pack("<I", len(content) if size is None else size) + content + bytes(len(content) % 2)


FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8000, 16_000, 2, 16))
DATA = chunk(b"data", PCM)
SOUND = FMT + DATA
ID3 = b"ID3\x03\0\0" + bytes([0, 0, 0, 20]) + b"TIT2" + bytes(16)


def riff(chunks: bytes, size: int | None = None) -> bytes:
    """Return a WAVE file that says it has `size`."""
    return chunk(b"RIFF", b"WAVE" + chunks, size)


REFERENCE = riff(SOUND)
WHOLE = {
    "RIFF size 8 too large": riff(SOUND, len(REFERENCE)),
    "RIFF size 8 too small": riff(SOUND, len(REFERENCE) - 16),
    "RIFF size 16 too small": riff(SOUND, len(REFERENCE) - 24),
    "RIFF size 0": riff(SOUND, 0),
    "RIFF size unknown": riff(SOUND, UNKNOWN),
    "cut behind the sound": riff(SOUND + chunk(b"LIST", b"INFO" + bytes(200)))[:-150],
    "half a sample at the end": riff(FMT + chunk(b"data", PCM + b"\1")),
    "streamed": riff(FMT + chunk(b"data", PCM, UNKNOWN), UNKNOWN),
    "streamed, int32": riff(FMT + chunk(b"data", PCM, 0x7FFFFFFF), 0x7FFFFFFF),
    "ID3 tag in front": ID3 + REFERENCE,
    "RF64": b"RF64"
    + riff(
        chunk(b"ds64", struct.pack("<QQQI", 72 + len(PCM), len(PCM), len(PCM) // 2, 0))
        + FMT
        + chunk(b"data", PCM, UNKNOWN),
        UNKNOWN,
    )[4:],
}
REJECTED = {
    "recorder died": (
        riff(chunk(b"JUNK", bytes(28)) + FMT + chunk(b"FLLR", bytes(4004)) + chunk(b"data", PCM, 0), 4088),
        "inconsistent_header",
        f"a data chunk of size 0 and {len(PCM)} bytes after it",
    ),
    "cut in half": (
        REFERENCE[: 44 + len(PCM) // 2],
        "truncated",
        f"{len(PCM) // 2} of its {len(PCM)} bytes of sound are missing (50.0%)",
    ),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """The row of each file."""
    folder = tmp_path_factory.mktemp("headers")
    contents = {"reference": REFERENCE, **WHOLE, **{name: content for name, (content, _, _) in REJECTED.items()}}
    for name, content in contents.items():
        put(folder / "inbox", f"{name}.wav", content)
    model = small_bundles.write("cnn", folder / "model")
    ended = audiomnist("score", folder / "inbox", "--into", folder / "table", "--model", model, "--workers", 1)
    assert ended.status == 0
    return {Path(path).stem: row for path, row in by_path(folder / "table").items()}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_sound_has_the_answer_of_the_reference(rows: dict[str, Row], name: str) -> None:
    """Whatever the sizes in its header are, and whatever is around it."""
    row, reference = rows[name], rows["reference"]
    assert row["status"] == "scored"
    assert [row[column] for column in SAME] == [reference[column] for column in SAME]
    np.testing.assert_allclose(answer(row), answer(reference), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "reason", "part"), [(name, *rest[1:]) for name, rest in REJECTED.items()])
def test_a_sound_that_is_not_whole_has_a_sentence_that_says_what_is_there(
    rows: dict[str, Row], name: str, reason: str, part: str
) -> None:
    """And how to help it."""
    assert rows[name]["reason"] == reason
    assert part in rows[name]["message"]
