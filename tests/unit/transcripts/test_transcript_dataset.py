"""Transcripts as training examples: what is drawn in training, and what is always the same."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from audiomnist.transcripts import table as transcripts
from audiomnist.transcripts.augment import drop_tokens
from audiomnist.transcripts.dataset import TranscriptExamples
from audiomnist.transcripts.tokenizer import EOS, PAD, UNK, VOCAB_SIZE, encode

RECOGNIZER: dict[str, Any] = {"engine": "sphinx", "version": "0", "weights_sha256": None, "settings": {}}
# Of the recordings (0) and of two augmented copies: the hypotheses of each file, best first.
TEXTS: tuple[dict[str, list[str]], ...] = (
    {"a": ["one"], "b": ["two", "too"], "c": []},
    {"a": ["won"], "b": [], "c": ["tree"]},
    {"a": ["wand", "want"], "b": ["to"], "c": ["free"]},
)
FILES = ["a", "b", "c"]


def write(folder: Path, copy: int, texts_by_file: dict[str, list[str]]) -> None:
    """Write a table of transcripts."""
    rows = [
        {
            "file": file,
            "sha256": "0" * 64,
            "engine": "sphinx",
            "engine_version": "0",
            "status": str(transcripts.Status.RECOGNIZED if texts else transcripts.Status.NO_SPEECH),
            "text": texts[0] if texts else "",
            "hypotheses": [{"text": text, "score": 0.0} for text in texts],
        }
        for file, texts in texts_by_file.items()
    ]
    schema = transcripts.SCHEMA.with_metadata({transcripts.METADATA_KEY: json.dumps(RECOGNIZER)})
    transcripts.write(folder, pa.Table.from_pylist(rows, schema), copy)


@pytest.fixture
def with_copies(tmp_path: Path) -> TranscriptExamples:
    """Open transcripts of three recordings and of two copies of each."""
    for copy, texts_by_file in enumerate(TEXTS):
        write(tmp_path, copy, texts_by_file)
    return TranscriptExamples(tmp_path)


@pytest.fixture
def without_copies(tmp_path: Path) -> TranscriptExamples:
    """Open transcripts of three recordings."""
    write(tmp_path, 0, TEXTS[0])
    return TranscriptExamples(tmp_path)


def unpadded(batch: tuple[NDArray[np.int64], NDArray[np.int64]]) -> list[tuple[int, ...]]:
    """Return the token ids of each clip."""
    tokens, lengths = batch
    return [tuple(row[:length].tolist()) for row, length in zip(tokens, lengths, strict=True)]


def beginnings(examples: TranscriptExamples, clean_prob: float, draws: int = 400) -> list[Counter[tuple[int, ...]]]:
    """Return, for each file, how often each beginning was drawn with no letter missing: two tokens of it."""
    rng = np.random.default_rng(0)
    found = [Counter[tuple[int, ...]]() for _ in FILES]
    for _ in range(draws):
        for counts, tokens in zip(found, unpadded(examples.sample(FILES, clean_prob, rng)), strict=True):
            if UNK not in tokens:
                counts[tokens[:2]] += 1
    return found


def begins(text: list[str]) -> tuple[int, ...]:
    """Return the first two tokens of a clip."""
    return tuple(encode(text)[:2])


def test_clean_inputs_are_those_of_the_recordings(with_copies: TranscriptExamples) -> None:
    """Whatever copies there are, and whatever was drawn in between."""
    expected = [tuple(encode(TEXTS[0][file])) for file in FILES]
    assert unpadded(with_copies.get(FILES)) == expected
    with_copies.sample(FILES, 0.0, np.random.default_rng(0))
    assert unpadded(with_copies.get(FILES)) == expected


def test_of_the_copies_each_is_drawn_as_often_and_the_recording_as_often_as_asked(
    with_copies: TranscriptExamples,
) -> None:
    """For each clip on its own."""
    for counts, file in zip(beginnings(with_copies, 0.5), FILES, strict=True):
        own, first, second = (counts[begins(texts_by_file[file])] for texts_by_file in TEXTS)
        assert own > first * 1.3
        assert min(own, first, second) > 40


@pytest.mark.parametrize(("clean_prob", "versions"), [(1.0, (0,)), (0.0, (1, 2))])
def test_only_recordings_or_only_copies_are_drawn_where_the_share_says_so(
    with_copies: TranscriptExamples, clean_prob: float, versions: tuple[int, ...]
) -> None:
    """At its two ends. A later hypothesis may stand first, where the first is lost."""
    for counts, file in zip(beginnings(with_copies, clean_prob), FILES, strict=True):
        texts = [TEXTS[version][file] for version in versions]
        assert {begins(hypotheses) for hypotheses in texts} <= set(counts)
        assert set(counts) <= {
            begins(hypotheses[number:]) for hypotheses in texts for number in range(max(1, len(hypotheses)))
        }


@pytest.mark.parametrize("clean_prob", [0.0, 0.5, 1.0])
def test_without_copies_recordings_are_drawn(without_copies: TranscriptExamples, clean_prob: float) -> None:
    """However rarely they are wanted: there is nothing else."""
    for counts, file in zip(beginnings(without_copies, clean_prob, draws=100), FILES, strict=True):
        hypotheses = TEXTS[0][file]
        assert set(counts) <= {begins(hypotheses[number:]) for number in range(max(1, len(hypotheses)))}


def test_a_draw_is_the_same_from_the_same_generator_and_differs_from_another(with_copies: TranscriptExamples) -> None:
    """Nothing else is random."""
    files = FILES * 20
    one, again, other = (unpadded(with_copies.sample(files, 0.5, np.random.default_rng(seed))) for seed in (1, 1, 2))
    assert one == again != other


def test_drawn_inputs_are_padded_with_no_token(with_copies: TranscriptExamples) -> None:
    """Lengths say what is the clip's own."""
    tokens, lengths = with_copies.sample(FILES * 10, 0.5, np.random.default_rng(0))
    assert tokens.dtype == lengths.dtype == np.int64
    assert tokens.shape == (30, lengths.max())
    assert ((tokens != PAD).sum(axis=1) == lengths).all()


def test_a_copy_without_a_text_is_drawn_as_such(with_copies: TranscriptExamples) -> None:
    """Training meets clips without a text."""
    counts = beginnings(with_copies, 0.0)[FILES.index("b")]
    assert counts[tuple(encode([]))] > 100


def test_the_section_input_has_the_recognizer(with_copies: TranscriptExamples) -> None:
    """That of the recordings."""
    assert with_copies.input_spec() == {"kind": "transcript", "recognizer": RECOGNIZER}


def dropouts(texts: list[str], count: int = 2000) -> list[list[int]]:
    """Thin texts many times."""
    rng = np.random.default_rng(0)
    return [drop_tokens(texts, rng) for _ in range(count)]


def test_thinning_loses_a_fifth_of_the_hypotheses_and_a_twentieth_of_the_letters() -> None:
    """A letter that is lost leaves a special token; those that close a hypothesis stay."""
    hypotheses = ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc", "dddddddddd"]
    found = dropouts(hypotheses)
    kept = sum(row.count(EOS) for row in found) / len(found)
    assert kept == pytest.approx(4 * 0.8, abs=0.1)
    letters = sum(len(row) - row.count(EOS) for row in found)
    assert sum(row.count(UNK) for row in found) / letters == pytest.approx(0.05, abs=0.01)
    assert all(0 < token < VOCAB_SIZE for row in found for token in row)


@pytest.mark.parametrize("texts", [["one"], ["one", "won"]])
def test_dropout_never_drops_all_hypotheses(texts: list[str]) -> None:
    """Where all hypotheses would be lost the best stays."""
    assert all(EOS in row for row in dropouts(texts))


def test_dropout_keeps_the_order_and_does_not_change_an_empty_transcript() -> None:
    """The best hypothesis is first; a clip without a text keeps its only token."""
    both = [row for row in dropouts(["one", "two"]) if UNK not in row and row.count(EOS) == 2]
    assert both
    assert all(row == encode(["one", "two"]) for row in both)
    assert all(row == encode([]) for row in dropouts([], 50))


def test_tables_of_copies_are_found_beside_that_of_the_recordings(tmp_path: Path) -> None:
    """As many as there are; the table of the recordings is none of them, and alone it has none."""
    write(tmp_path, 0, TEXTS[0])
    assert transcripts.read_copies(tmp_path) == []
    for copy in (2, 1):
        write(tmp_path, copy, TEXTS[copy])
    found: list[list[dict[str, Any]]] = [table.to_pylist() for table in transcripts.read_copies(tmp_path)]
    assert [[row["text"] for row in rows] for rows in found] == [["won", "", "tree"], ["wand", "to", "free"]]
    assert transcripts.read(tmp_path)["text"].to_pylist() == ["one", "two", ""]
    assert {path.name for path in tmp_path.iterdir()} == {"transcripts.parquet", "copy_1.parquet", "copy_2.parquet"}
