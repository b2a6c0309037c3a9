"""The stage that transcribes a corpus: what it writes, and what an interruption costs."""

import hashlib
import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiomnist.asr.params import SphinxParams, TranscribeParams
from audiomnist.asr.recognizer import Hypothesis, Recognition, RecognitionError
from audiomnist.asr.registry import Loader
from audiomnist.asr.transcribe import transcribe
from audiomnist.asr.utterance import Utterance
from audiomnist.audio.augment import AugmentParams
from audiomnist.audio.waveform import Waveform
from audiomnist.corpus import manifest
from audiomnist.corpus.manifest import ManifestError
from audiomnist.transcripts import table as transcripts

CLIP_SAMPLES = 100
PARAMS = TranscribeParams(engine="sphinx", batch_size=2, num_workers=1)
AUGMENT = AugmentParams(
    copies_per_clip=2,
    seed=0,
    tempo=(0.9, 1.1),
    pitch_semitones=(-1, 1),
    tilt_db_per_octave=(-1, 1),
    padding_s=(0.1, 0.2),
    reverb_prob=0.5,
    reverb_rt60_s=(0.1, 0.2),
    noise_snr_db=(10, 20),
)
# What the journal has in place of the first sample of an augmented copy.
COPY = -1


@dataclass(frozen=True)
class Orders:
    """What the fake does: it recognizes `limit` clips, then ends as `end` says; the journal counts them."""

    journal: Path
    limit: int = 1000
    end: str = "error"


class Parrot:
    """A recognizer whose text is the clip's first sample; it cannot use clips that begin with 9.

    A copy, which is longer, it calls by its content.
    """

    engine = "parrot"
    weights_sha256 = "0" * 64

    def __init__(self, orders: Orders, version: str) -> None:
        """Take orders."""
        self.version = version
        self._orders = orders

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Predict each clip and write it into the journal."""
        return [self._recognize(waveform) for waveform in waveforms]

    def _recognize(self, waveform: Waveform) -> Recognition:
        first = round(float(waveform.samples[0]) * 32768)
        if len(recognized(self._orders.journal)) >= self._orders.limit:
            if self._orders.end == "sigkill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RecognitionError("the parrot has flown away")
        if first == 9:
            raise ValueError("a nine is too much for a parrot")
        is_copy = len(waveform.samples) != CLIP_SAMPLES
        with self._orders.journal.open("a", encoding="utf-8") as journal:
            journal.write(f"{COPY if is_copy else first}\n")
        text = called(waveform) if is_copy else str(first or "")
        return Recognition.of([Hypothesis(text, -0.5)])


def called(copy: Waveform) -> str:
    """Return what the parrot calls a copy."""
    return hashlib.sha256(copy.samples.tobytes()).hexdigest()[:8]


def recognized(journal: Path) -> list[int]:
    """Return the clips that were recognized, over all processes and runs."""
    return [int(line) for line in journal.read_text(encoding="utf-8").split()]


def _parrot(_params: TranscribeParams, orders: Orders, version: str) -> Parrot:
    return Parrot(orders, version)


def parrot(orders: Orders, version: str = "1.0") -> Loader:
    """Return a loader that processes can be handed."""
    return partial(_parrot, orders=orders, version=version)


@dataclass(frozen=True)
class Corpus:
    """Seven recordings; each begins with a sample of its digit's value."""

    folder: Path

    def run(self, load: Loader, params: TranscribeParams = PARAMS) -> dict[str, Any]:
        """Transcribe it; return the report."""
        transcribe(
            self.folder / "manifest.csv",
            self.folder / "raw",
            params,
            self.folder / "out",
            self.folder / "report.json",
            corpus=self.folder / "data.json",
            work=self.folder / "work",
            load=load,
        )
        report = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        metrics: dict[str, Any] = report["transcripts"]
        return metrics

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of the table that was written."""
        rows: list[dict[str, Any]] = transcripts.read(self.folder / "out").to_pylist()
        return rows

    def copies(self) -> list[list[dict[str, Any]]]:
        """Return the rows of the tables of augmented copies that were written."""
        return [table.to_pylist() for table in transcripts.read_copies(self.folder / "out")]

    def kept(self) -> int:
        """Return how many finished rows wait for the next run."""
        return len(list((self.folder / "work").glob("*/*.parquet")))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Write seven recordings and their manifest."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for digit in (0, 1, 2, 3, 4, 5, 6):
        samples = np.full(CLIP_SAMPLES, digit, dtype=np.int16)
        soundfile.write(raw / f"{digit}_ada_0.wav", samples, 8000, subtype="PCM_16")
    manifest.write(tmp_path / "manifest.csv", manifest.describe_folder(raw).recordings)
    (tmp_path / "data.json").write_text('{"corpus": {"dataset": "seven clips", "version": "1"}}', encoding="utf-8")
    (tmp_path / "journal").touch()
    return Corpus(tmp_path)


@pytest.fixture
def orders(corpus: Corpus) -> Orders:
    """Let the parrot recognize all clips."""
    return Orders(corpus.folder / "journal")


def test_the_table_has_a_row_per_recording_in_the_order_of_the_manifest(corpus: Corpus, orders: Orders) -> None:
    """Two processes that finish in any order give one table."""
    report = corpus.run(parrot(orders), PARAMS.model_copy(update={"num_workers": 2}))
    rows = corpus.rows()
    assert [row["file"] for row in rows] == [f"{digit}_ada_0.wav" for digit in range(7)]
    assert [row["text"] for row in rows] == ["", "1", "2", "3", "4", "5", "6"]
    assert rows[0]["status"] == "unrecognized"
    assert rows[1]["hypotheses"] == [{"text": "1", "score": -0.5}]
    assert {(row["engine"], row["engine_version"]) for row in rows} == {("parrot", "1.0")}
    assert (report["recognizer"], report["merged"]) == ("parrot", round(6 / 7, 4))


def test_the_table_says_which_recognizer_made_it(corpus: Corpus, orders: Orders) -> None:
    """Its schema is the declared one, its metadata the recognizer's identity."""
    corpus.run(parrot(orders))
    schema = transcripts.read(corpus.folder / "out").schema
    assert schema.equals(transcripts.SCHEMA)
    assert json.loads(schema.metadata[transcripts.METADATA_KEY]) == {
        "engine": "parrot",
        "version": "1.0",
        "weights_sha256": "0" * 64,
        "settings": {"n_best": 5, "padding_s": 0.1},
    }


@pytest.mark.parametrize(("end", "message"), [("error", "flown away"), ("sigkill", "process .* died")])
def test_an_interrupted_run_goes_on_where_it_was(corpus: Corpus, orders: Orders, end: str, message: str) -> None:
    """After four clips of seven, at most the unfinished batch is recognized again."""
    with pytest.raises(RecognitionError, match=message):
        corpus.run(parrot(Orders(orders.journal, limit=4, end=end)))
    assert not (corpus.folder / "out").exists()
    assert corpus.kept() == 2
    corpus.run(parrot(orders))
    assert recognized(orders.journal) == [0, 1, 2, 3, 4, 5, 6]
    assert len(corpus.rows()) == 7


def test_another_setting_or_version_does_not_reuse_results(corpus: Corpus, orders: Orders) -> None:
    """What one recognizer finished never serves for another, and waits for its own."""
    stopped = parrot(Orders(orders.journal, limit=4))
    with pytest.raises(RecognitionError):
        corpus.run(stopped)
    corpus.run(parrot(orders), PARAMS.model_copy(update={"sphinx": SphinxParams(padding_s=0.5)}))
    assert len(recognized(orders.journal)) == 4 + 7
    corpus.run(parrot(orders, version="2.0"))
    assert len(recognized(orders.journal)) == 4 + 7 + 7
    assert corpus.kept() == 2


def test_an_altered_recording_is_recognized_again(corpus: Corpus, orders: Orders) -> None:
    """Finished rows are found by content, not by name."""
    with pytest.raises(RecognitionError):
        corpus.run(parrot(Orders(orders.journal, limit=4)))
    raw = corpus.folder / "raw"
    soundfile.write(raw / "0_ada_0.wav", np.full(CLIP_SAMPLES, 8, dtype=np.int16), 8000, subtype="PCM_16")
    manifest.write(corpus.folder / "manifest.csv", manifest.describe_folder(raw).recordings)
    corpus.run(parrot(orders))
    assert [row["text"] for row in corpus.rows()] == ["8", "1", "2", "3", "4", "5", "6"]


def test_the_work_folder_goes_after_success(corpus: Corpus, orders: Orders) -> None:
    """Nothing is left beside the table and the report."""
    corpus.run(parrot(orders))
    left = {path.name for path in corpus.folder.iterdir()}
    assert left == {"raw", "manifest.csv", "data.json", "journal", "out", "report.json"}


def test_clips_that_cannot_be_used_are_rows_too(
    corpus: Corpus, orders: Orders, caplog: pytest.LogCaptureFixture
) -> None:
    """Unreadable and indigestible clips fail alone, with the reason in the log; they are not kept."""
    raw = corpus.folder / "raw"
    (raw / "1_ada_0.wav").write_bytes(b"not a sound")
    soundfile.write(raw / "9_ada_0.wav", np.full(CLIP_SAMPLES, 9, dtype=np.int16), 8000, subtype="PCM_16")
    manifest.write(corpus.folder / "manifest.csv", manifest.describe_folder(raw).recordings)
    report = corpus.run(parrot(orders))
    failed = [row["file"] for row in corpus.rows() if row["status"] == "failed"]
    assert failed == ["1_ada_0.wav", "9_ada_0.wav"]
    assert report["failed"] == 0.25
    assert "9_ada_0.wav is not transcribed: a nine is too much" in caplog.text


def test_recordings_of_equal_content_are_recognized_once(corpus: Corpus, orders: Orders) -> None:
    """Each of them has its row all the same."""
    raw = corpus.folder / "raw"
    (raw / "3_ada_1.wav").write_bytes((raw / "3_ada_0.wav").read_bytes())
    manifest.write(corpus.folder / "manifest.csv", manifest.describe_folder(raw).recordings)
    corpus.run(parrot(orders))
    assert recognized(orders.journal).count(3) == 1
    assert [row["file"] for row in corpus.rows() if row["text"] == "3"] == ["3_ada_0.wav", "3_ada_1.wav"]


def test_recordings_that_differ_from_the_manifest_are_not_transcribed(corpus: Corpus, orders: Orders) -> None:
    """The error names the file, and nothing is recognized."""
    (corpus.folder / "raw" / "2_ada_0.wav").write_bytes(b"altered")
    with pytest.raises(ManifestError, match=r"1 altered: 2_ada_0\.wav"):
        corpus.run(parrot(orders))
    assert recognized(orders.journal) == []


def with_copies(**changes: Any) -> TranscribeParams:
    """Return the parameters with two augmented copies of each recording."""
    return PARAMS.model_copy(update={"augment": AUGMENT.model_copy(update=changes)})


@pytest.mark.long
def test_copies_have_tables_of_their_own_and_that_of_the_recordings_is_what_it_is_without(
    corpus: Corpus, orders: Orders
) -> None:
    """To the byte, and so is the report: neither knows of copies."""
    corpus.run(parrot(orders))
    paths = corpus.folder / "out" / transcripts.TABLE_NAME, corpus.folder / "report.json"
    assert [path.name for path in (corpus.folder / "out").iterdir()] == [transcripts.TABLE_NAME]
    without = [path.read_bytes() for path in paths]
    corpus.run(parrot(orders), with_copies())
    assert [path.read_bytes() for path in paths] == without
    assert {path.name for path in (corpus.folder / "out").iterdir()} == {
        transcripts.TABLE_NAME,
        "copy_1.parquet",
        "copy_2.parquet",
    }


@pytest.mark.long
def test_a_table_of_copies_has_the_text_of_the_copy_of_each_recording(corpus: Corpus, orders: Orders) -> None:
    """In the order of the manifest, under the recording's name, with a hash of the copy's own; by any process."""
    corpus.run(parrot(orders), with_copies().model_copy(update={"num_workers": 2}))
    recordings = manifest.read(corpus.folder / "manifest.csv")
    own_hashes = {row.sha256 for row in recordings}
    for number, rows in enumerate(corpus.copies(), start=1):
        utterances = [Utterance(recording, number, AUGMENT) for recording in recordings]
        assert [row["file"] for row in rows] == [recording.file for recording in recordings]
        assert [row["text"] for row in rows] == [
            called(utterance.waveform(corpus.folder / "raw")) for utterance in utterances
        ]
        assert [row["sha256"] for row in rows] == [utterance.sha256 for utterance in utterances]
        assert not own_hashes & {row["sha256"] for row in rows}
    tables = [transcripts.read(corpus.folder / "out"), *transcripts.read_copies(corpus.folder / "out")]
    assert len(tables) == 3
    assert len({table.schema.metadata[transcripts.METADATA_KEY] for table in tables}) == 1
    assert all(table.schema.equals(transcripts.SCHEMA) for table in tables)


@pytest.mark.long
@pytest.mark.parametrize(("end", "message"), [("sigkill", "process .* died")])
def test_an_interrupted_run_goes_on_among_the_copies(corpus: Corpus, orders: Orders, end: str, message: str) -> None:
    """After 12 of 21 sounds none of them is recognized again, and the tables are those of a run in one go."""
    with pytest.raises(RecognitionError, match=message):
        corpus.run(parrot(Orders(orders.journal, limit=12, end=end)), with_copies())
    assert not (corpus.folder / "out").exists()
    assert corpus.kept() == 6
    corpus.run(parrot(orders), with_copies())
    assert recognized(orders.journal) == [0, 1, 2, 3, 4, 5, 6] + [COPY] * 14
    tables = corpus.rows(), corpus.copies()
    assert not (corpus.folder / "work").exists()
    corpus.run(parrot(orders), with_copies())
    assert len(recognized(orders.journal)) == 2 * 21
    assert (corpus.rows(), corpus.copies()) == tables


@pytest.mark.parametrize("change", [pytest.param({"seed": 1}, marks=pytest.mark.long), {"noise_snr_db": (10, 20.5)}])
def test_texts_of_copies_of_another_augmentation_are_not_reused(
    corpus: Corpus, orders: Orders, change: dict[str, Any]
) -> None:
    """The recordings that are finished do; the tables are those of the augmentation that is asked for."""
    with pytest.raises(RecognitionError):
        corpus.run(parrot(Orders(orders.journal, limit=12)), with_copies())
    corpus.run(parrot(orders), with_copies(**change))
    assert recognized(orders.journal) == [0, 1, 2, 3, 4, 5, 6] + [COPY] * (5 + 14)
    augment_params = AUGMENT.model_copy(update=change)
    for number, rows in enumerate(corpus.copies(), start=1):
        utterances = [
            Utterance(recording, number, augment_params) for recording in manifest.read(corpus.folder / "manifest.csv")
        ]
        assert [row["text"] for row in rows] == [
            called(utterance.waveform(corpus.folder / "raw")) for utterance in utterances
        ]
    assert not (corpus.folder / "work").exists()


def test_finished_texts_are_reused_for_fewer_copies(corpus: Corpus, orders: Orders) -> None:
    """How many there are makes no copy another."""
    with pytest.raises(RecognitionError):
        corpus.run(parrot(Orders(orders.journal, limit=16)), with_copies())
    corpus.run(parrot(orders), with_copies(copies_per_clip=1))
    assert len(recognized(orders.journal)) == 16
    assert [len(rows) for rows in corpus.copies()] == [7]


def test_copies_of_recordings_of_equal_content_are_recognized_once(corpus: Corpus, orders: Orders) -> None:
    """They are equal too, and each recording has its row."""
    raw = corpus.folder / "raw"
    (raw / "3_ada_1.wav").write_bytes((raw / "3_ada_0.wav").read_bytes())
    manifest.write(corpus.folder / "manifest.csv", manifest.describe_folder(raw).recordings)
    corpus.run(parrot(orders), with_copies())
    assert len(recognized(orders.journal)) == 3 * 7
    for rows in corpus.copies():
        texts = {row["file"]: row["text"] for row in rows}
        assert len(texts) == 8
        assert texts["3_ada_0.wav"] == texts["3_ada_1.wav"]
        assert len(set(texts.values())) == 7


def test_copies_of_a_clip_that_cannot_be_used_are_rows_too(
    corpus: Corpus, orders: Orders, caplog: pytest.LogCaptureFixture
) -> None:
    """They fail as it does, and the report counts the clip once."""
    raw = corpus.folder / "raw"
    (raw / "1_ada_0.wav").write_bytes(b"not a sound")
    manifest.write(corpus.folder / "manifest.csv", manifest.describe_folder(raw).recordings)
    report = corpus.run(parrot(orders), with_copies())
    for rows in (corpus.rows(), *corpus.copies()):
        assert [row["file"] for row in rows if row["status"] == "failed"] == ["1_ada_0.wav"]
        assert len(rows) == 7
    assert (report["clips"], report["failed"]) == (7, round(1 / 7, 4))
    assert caplog.text.count("1_ada_0.wav is not transcribed") == 3
