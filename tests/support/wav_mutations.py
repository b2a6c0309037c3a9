"""WAVE files with altered headers: cut, overwritten, their chunks repeated, shuffled or left out."""

import io
import random
import struct
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import soundfile

ENCODINGS = [
    *(("WAV", subtype, channels) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "ULAW") for channels in (1, 2)),
    *(("WAVEX", subtype, 1) for subtype in ("PCM_16", "PCM_32", "DOUBLE", "ALAW")),
    ("RF64", "PCM_16", 1),
]

RIFF_HEADER_BYTES, CHUNK_HEADER_BYTES = 12, 8
# The headers of the encodings above, and where there is room left a little sound.
HEADER_BYTES = 110
FIELD_VALUES = (0, 1, 2, 3, 7, 255, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Mutation = Callable[[random.Random, bytes], bytes]
Rearrangement = Callable[[random.Random, list[bytes]], list[bytes]]


def mutated(originals: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` WAVE files, each one of the originals after one to three mutations of its header."""
    draw = random.Random(seed)
    for _ in range(count):
        content = draw.choice(originals)
        for _ in range(draw.choice((1, 1, 2, 3))):
            content = draw.choice(MUTATIONS)(draw, content)
        yield content


def flip_bytes(draw: random.Random, content: bytes) -> bytes:
    """Change up to four bytes of the header."""
    flipped = bytearray(content)
    for _ in range(draw.randint(1, 4) if content else 0):
        flipped[draw.randrange(min(len(flipped), HEADER_BYTES))] ^= draw.randint(1, 255)
    return bytes(flipped)


def overwrite_field(draw: random.Random, content: bytes) -> bytes:
    """Put a value that is often wrong, or any other, where a field of two or four bytes may be."""
    width = draw.choice((2, 4))
    value = draw.choice((*FIELD_VALUES, draw.getrandbits(32))) % (1 << 8 * width)
    start = draw.randrange(0, HEADER_BYTES, 2)
    return content[:start] + value.to_bytes(width, "little") + content[start + width :]


def cut(draw: random.Random, content: bytes) -> bytes:
    """End the file anywhere, as often within the header as in all."""
    last = draw.choice((HEADER_BYTES, len(content)))
    return content[: draw.randint(0, last)]


def double_header(draw: random.Random, content: bytes) -> bytes:
    """Put the beginning of the file, of any length, before the whole of it."""
    return content[: draw.randint(0, HEADER_BYTES)] + content


def rearranged(rearrange: Rearrangement) -> Mutation:
    """Return the mutation that rearranges chunks, in half the cases with the RIFF size that they have then."""

    def mutation(draw: random.Random, content: bytes) -> bytes:
        chunks = b"".join(rearrange(draw, split(content)))
        size = struct.pack("<I", len(chunks) + 4) if draw.random() < 0.5 else content[4:8]
        return content[:4] + size + content[8:RIFF_HEADER_BYTES] + chunks

    return mutation


def repeat_chunk(draw: random.Random, chunks: list[bytes]) -> list[bytes]:
    """Let one chunk stand somewhere else as well."""
    where = draw.randint(0, len(chunks))
    return chunks[:where] + draw.sample(chunks, min(1, len(chunks))) + chunks[where:]


def remove_chunk(draw: random.Random, chunks: list[bytes]) -> list[bytes]:
    """Leave one chunk out."""
    where = draw.randint(0, len(chunks))
    return chunks[:where] + chunks[where + 1 :]


def shuffle_chunks(draw: random.Random, chunks: list[bytes]) -> list[bytes]:
    """Put the chunks in any order."""
    return draw.sample(chunks, len(chunks))


def insert_junk(draw: random.Random, chunks: list[bytes]) -> list[bytes]:
    """Put a chunk that is of no use somewhere, padded or not, its size mostly right."""
    content = draw.randbytes(draw.randint(0, 9))
    size = draw.choice((len(content), len(content), draw.choice(FIELD_VALUES)))
    name = draw.choice((b"LIST", b"JUNK", b"data", b"fmt ", draw.randbytes(4)))
    pad = bytes(draw.choice((len(content) % 2, 0, 1)))
    where = draw.randint(0, len(chunks))
    return [*chunks[:where], name + struct.pack("<I", size) + content + pad, *chunks[where:]]


def split(content: bytes) -> list[bytes]:
    """Return the chunks within a WAVE file, each with its header and its pad byte, so far as sizes are right."""
    chunks = []
    start = RIFF_HEADER_BYTES
    while start < len(content):
        size = stated_size(content[start:])
        chunks.append(content[start : start + CHUNK_HEADER_BYTES + size + size % 2])
        start += len(chunks[-1])
    return chunks


def stated_size(chunk: bytes) -> int:
    """Return how many bytes a chunk says it has."""
    return int.from_bytes(chunk[4:CHUNK_HEADER_BYTES], "little")


MUTATIONS: tuple[Mutation, ...] = (
    flip_bytes,
    overwrite_field,
    cut,
    double_header,
    *map(rearranged, (repeat_chunk, remove_chunk, shuffle_chunks, insert_junk)),
)


def originals(frames: int) -> list[bytes]:
    """Return one file of each encoding, with that many frames of noise."""
    return [_whole_file(*encoding, frames) for encoding in ENCODINGS]


def _whole_file(container: str, subtype: str, channels: int, frames: int) -> bytes:
    samples = np.random.default_rng(0).uniform(-1, 1, (frames, channels))
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, subtype=subtype, format=container)
    return file.getvalue()
