"""The data gates: what passes, what stops the pipeline, and with which message."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from numpy.typing import NDArray

from audiomnist import validation
from audiomnist.core.hashing import sha256_of
from audiomnist.corpus import manifest as manifests
from audiomnist.validation import gate
from audiomnist.validation.bounds import ValidateParams
from audiomnist.validation.gate import GATES, UnmetError
from audiomnist.validation.measurements import MeasurementError

RATE_HZ = 8000
FILES = [f"{digit}_{speaker}_{take}.wav" for digit in (3, 7) for speaker in ("ann", "bob") for take in (0, 1)]
PARAMS = ValidateParams.model_validate(
    {
        "recordings": {
            "min_sample_rate_hz": RATE_HZ,
            "min_duration_s": 0.1,
            "max_duration_s": 3.0,
            "min_peak": 0.005,
            "min_level_dbfs": -60.0,
            "max_clipped_fraction": 0.01,
            "min_digits_per_speaker": 2,
            "max_take_imbalance": 0,
        },
        "features": {
            "min_value_db": -1000.0,
            "max_value_db": 500.0,
            "min_std_over_time_db": 0.1,
            "min_std_over_coefficients_db": 0.1,
        },
        "transcripts": {
            "min_recognized_fraction": 0.5,
            "max_failed_fraction": 0.0,
            "max_hypotheses": 10,
        },
        "logprobs": {"min_listed_probability": 0.5, "min_recognized_fraction": 0.5},
    }
)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Site:
    """A folder with a manifest, data of one kind, and a place for what a gate writes."""

    def __init__(self, folder: Path) -> None:
        self.manifest, self.data = folder / "manifest.csv", folder / "data"
        self.reviewed = folder / "reviewed.csv"
        manifests.write(self.reviewed, [])
        self.report, self.docs = folder / "reports" / "gate.json", folder / "docs"
        self.corpus = folder / "data.json"
        self.corpus.write_text('{"corpus": {"dataset": "tones", "version": "1"}}', encoding="utf-8")
        self.data.mkdir()

    def list_files(self, files: list[str]) -> None:
        """Write a manifest of these files, with the hashes of those that exist."""
        paths = [self.data / file for file in files]
        hashes = [sha256_of(path) if path.exists() else _hash(path.name) for path in paths]
        manifests.write(self.manifest, map(manifests.parse_name, files, hashes))

    def validate(self, kind: str) -> None:
        """Run a gate."""
        gate.validate(kind, self.manifest, self.reviewed, self.data, self.corpus, PARAMS, self.report, self.docs)

    def broken(self, kind: str) -> dict[str, str]:
        """Run a gate that must stop; return what its message says behind each rule."""
        with pytest.raises(UnmetError) as caught:
            self.validate(kind)
        assert not self.report.exists()
        assert (self.docs / "index.html").is_file()
        head, *lines, remedy = str(caught.value).splitlines()
        assert head.startswith(f"{kind}: {len(lines)} of ")
        assert str(self.docs / "index.html") in remedy
        assert remedy.endswith(f"validate.{kind} in params.yaml")
        return {rule: names for rule, _, names in (line.strip().partition("; not so for ") for line in lines)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty site."""
    return Site(tmp_path)


def _tone(hertz: float, duration_s: float = 0.4, peak: float = 0.5) -> NDArray[np.float64]:
    return peak * np.sin(2 * np.pi * hertz * np.arange(round(duration_s * RATE_HZ)) / RATE_HZ)


def _write_recordings(site: Site, files: list[str]) -> None:
    for number, file in enumerate(files):
        soundfile.write(site.data / file, _tone(200 + number), RATE_HZ)
    site.list_files(files)


def _write_features(site: Site, change: Callable[[pd.DataFrame, Any], tuple[Any, Any]] | None = None) -> None:
    rng = np.random.default_rng(5)
    index = pd.DataFrame([(file, copy) for file in FILES for copy in (0, 1)], columns=["file", "copy"])
    index = index.astype({"copy": np.int32}).assign(frames=np.int32(30))
    tensor = rng.normal(0, 20, (len(index), 13, 40)).astype(np.float32)
    tensor[:, :, 30:] = 0
    changed, altered = change(index, tensor) if change else (index, tensor)
    changed.to_parquet(site.data / "index.parquet", index=False)
    np.save(site.data / "mfcc.npy", altered)
    site.list_files(FILES)


def _transcript(file: str, **changes: Any) -> dict[str, Any]:
    return {
        "file": file,
        "sha256": _hash(file),
        "engine": "sphinx",
        "engine_version": "5.0",
        "status": "recognized",
        "text": "three",
        "hypotheses": [{"text": "three", "score": -1.0}, {"text": "tree", "score": -2.0}],
        **changes,
    }


def _write_transcripts(site: Site, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), site.data / "transcripts.parquet")
    site.list_files(FILES)


def test_good_recordings_pass_twice_with_the_same_report_and_quietly(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    """The report is the same to the byte on each run, Data Docs replace older ones, nothing is printed."""
    _write_recordings(site, FILES)
    site.docs.mkdir()
    (site.docs / "old.html").touch()
    site.validate("recordings")
    first = site.report.read_bytes()
    site.validate("recordings")
    assert site.report.read_bytes() == first
    assert json.loads(first) == {
        "validation": {"recordings": {"dataset": "tones", "rows": 8, "expectations": 13, "unmet": 0}}
    }
    assert (site.docs / "index.html").is_file()
    assert not (site.docs / "old.html").exists()
    assert capfd.readouterr() == ("", "")
    assert os.environ["GX_ANALYTICS_ENABLED"] == "False"


def test_any_balance_and_any_higher_rate_can_be_allowed(site: Site) -> None:
    """With no bound on the imbalance of takes."""
    _write_recordings(site, [*FILES, "3_ann_2.wav"])
    soundfile.write(site.data / FILES[0], np.repeat(_tone(300), 6), 6 * RATE_HZ)
    site.list_files([*FILES, "3_ann_2.wav"])
    bounds = PARAMS.recordings.model_copy(update={"max_take_imbalance": None})
    params = PARAMS.model_copy(update={"recordings": bounds})
    gate.validate("recordings", site.manifest, site.reviewed, site.data, site.corpus, params, site.report, site.docs)
    assert json.loads(site.report.read_bytes())["validation"]["recordings"]["expectations"] == 12


def test_each_broken_rule_names_its_recordings(site: Site) -> None:
    """A corpus that is wrong in many ways is described in one message; an older report goes."""
    files = sorted([*FILES, *(f"{digit}_cy_{take}.wav" for digit in (3, 7) for take in (0, 1)), "3_dee_0.wav"])
    _write_recordings(site, files)
    soundfile.write(site.data / "3_ann_0.wav", _tone(300, duration_s=0.05), RATE_HZ)
    soundfile.write(site.data / "3_ann_1.wav", np.zeros(RATE_HZ), RATE_HZ)
    soundfile.write(site.data / "3_bob_0.wav", np.clip(_tone(310, peak=3.0), -1, 1), RATE_HZ)
    soundfile.write(site.data / "3_bob_1.wav", np.stack([_tone(320)] * 2, axis=1), RATE_HZ // 2)
    (site.data / "3_cy_0.wav").write_text("no sound")
    (site.data / "3_cy_1.wav").write_bytes((site.data / "7_cy_1.wav").read_bytes())
    site.list_files(files)
    soundfile.write(site.data / "7_ann_0.wav", _tone(330), RATE_HZ)
    (site.data / "7_ann_1.wav").unlink()
    site.report.parent.mkdir()
    site.report.write_text("{}")
    found = site.broken("recordings")
    assert found == {
        "every file can be decoded": "2: 3_cy_0.wav, 7_ann_1.wav",
        "the sample rate is at least 8000 Hz": "1: 3_bob_1.wav",
        "there is one channel": "1: 3_bob_1.wav",
        "the duration is 0.1 to 3 s": "1: 3_ann_0.wav",
        "the peak is at least 0.005: not silent": "1: 3_ann_1.wav",
        "the level is at least -60 dBFS": "1: 3_ann_1.wav",
        "at most 1.000% of the samples are clipped": "1: 3_bob_0.wav",
        "the content has the hash of the manifest": "1: 7_ann_0.wav",
        "no two recordings have the same content": "2: 3_cy_1.wav, 7_cy_1.wav",
        "the speaker says at least 2 different digits": "1: 3_dee_0.wav",
        "the number of takes of this digit by this speaker is the most common one, give or take 0": "1: 3_dee_0.wav",
    }
    rows = GATES["recordings"].measure(site.manifest, site.data).to_dict("records")
    of_a_column = [
        rule for rule in GATES["recordings"].rules(PARAMS.recordings) if {"min_value", "value_set"} & {*rule.arguments}
    ]
    assert len(of_a_column) == 10
    for rule in of_a_column:
        names = [row["recording"] for row in rows if rule.is_broken_by(row)]
        assert found.get(rule.description) == (f"{len(names)}: {', '.join(names)}" if names else None)


def test_reviewed_recordings_need_no_balance(site: Site) -> None:
    """Of their speaker, or of one of the corpus, whose other recordings are as balanced as without them."""
    added = ["3_ann_9.wav", "5_new_0.wav"]
    _write_recordings(site, [*FILES, *added])
    site.list_files([*FILES, *added])
    assert len(site.broken("recordings")) == 2
    manifests.write(site.reviewed, [row for row in manifests.read(site.manifest) if row.file in added])
    site.validate("recordings")
    assert json.loads(site.report.read_bytes())["validation"]["recordings"]["unmet"] == 0


def test_what_cannot_be_decoded_is_measured_by_its_reason(site: Site) -> None:
    """The reason replaces the numbers; of two channels, the mean is measured."""
    _write_recordings(site, FILES)
    (site.data / FILES[0]).write_text("no sound")
    (site.data / FILES[1]).unlink()
    soundfile.write(site.data / FILES[2], np.stack([_tone(300), _tone(300, peak=0.1)], axis=1), RATE_HZ)
    soundfile.write(site.data / FILES[3], np.append(_tone(300), np.nan), RATE_HZ, subtype="FLOAT")
    measured = GATES["recordings"].measure(site.manifest, site.data).set_index("recording")
    assert measured.loc[FILES[:5], "decoding"].tolist() == ["not_audio", "absent", "decoded", "not_finite", "decoded"]
    assert measured.loc[FILES[0], ["sample_rate_hz", "peak"]].isna().all()
    assert measured.loc[FILES[2], "channels"] == 2
    assert measured.loc[FILES[2], "peak"] == pytest.approx(0.3, abs=1e-3)


def test_good_features_pass(site: Site) -> None:
    """A tensor whose rows agree with index and manifest is let through."""
    _write_features(site)
    site.validate("features")
    counts = json.loads(site.report.read_text())["validation"]["features"]
    assert counts == {"dataset": "tones", "rows": 16, "expectations": 13, "unmet": 0}


def test_each_broken_rule_names_its_feature_rows(site: Site) -> None:
    """Rows that are missing, too many, or hold wrong values are named by recording and copy."""

    def spoil(index: pd.DataFrame, tensor: Any) -> tuple[Any, Any]:
        tensor[0, 2, 3] = np.nan
        tensor[1, 0, 0] = -2000
        tensor[2, 0, 0] = 2000
        tensor[3, 4, 39] = 1
        tensor[4, :, :30] = np.arange(13)[:, None]
        tensor[5, :, :30] = np.arange(30)[None, :]
        index.loc[6, "frames"], tensor[6] = 0, 0
        index.loc[7, "frames"] = 41
        index.loc[9, "copy"] = 0
        index.loc[10, "copy"] = 2
        index.loc[13, "file"] = "9_zoe_0.wav"
        return index.iloc[:14], tensor[:15].astype(np.float64)

    _write_features(site, spoil)
    broken = site.broken("features")
    assert broken.pop("values are float32").startswith("15: 3_ann_0.wav, 3_ann_0.wav (copy 1), ")
    assert broken == {
        "manifest, index and tensor all contain it": ("3: 9_zoe_0.wav (copy 1), (row 14 of the tensor), 7_bob_1.wav"),
        "no copy of a recording is twice in the index": "1: 7_ann_0.wav",
        "the first copy is number 0, the unaltered recording": (
            "3: 7_ann_1.wav (copy 2), 7_ann_1.wav (copy 1), 9_zoe_0.wav (copy 1)"
        ),
        "there are as many copies as of most recordings": "2: 7_bob_0.wav, 9_zoe_0.wav (copy 1)",
        "all values are finite numbers": "1: 3_ann_0.wav",
        "there is at least one valid frame": "1: 3_bob_1.wav",
        "there are at most as many valid frames as the tensor has": "1: 3_bob_1.wav (copy 1)",
        "no value is below -1000 dB": "1: 3_ann_0.wav (copy 1)",
        "no value is above 500 dB": "1: 3_ann_1.wav",
        "the padding after the valid frames is zero": "1: 3_ann_1.wav (copy 1)",
        "the standard deviation over time is at least 0.1 dB": "2: 3_bob_0.wav, 3_bob_1.wav",
        "the standard deviation over coefficients is at least 0.1 dB": "2: 3_bob_0.wav (copy 1), 3_bob_1.wav",
    }


def test_good_transcripts_pass(site: Site) -> None:
    """Half of the recordings may be unrecognized, with an empty text and no hypothesis."""
    nothing = {"status": "unrecognized", "text": "", "hypotheses": []}
    rows = [_transcript(file, **(nothing if number % 2 else {})) for number, file in enumerate(FILES)]
    _write_transcripts(site, rows)
    site.validate("transcripts")
    counts = json.loads(site.report.read_text())["validation"]["transcripts"]
    assert counts == {"dataset": "tones", "rows": 8, "expectations": 10, "unmet": 0}


def test_each_broken_rule_names_its_transcripts(site: Site) -> None:
    """Missing and repeated rows, contradictions and too many failures are reported in one message."""
    nothing = {"text": "", "hypotheses": []}
    rows = [
        _transcript(FILES[0], sha256="another"),
        _transcript(FILES[0]),
        _transcript(FILES[1], status="failed", **nothing),
        _transcript(FILES[2], engine_version="6.0"),
        _transcript(FILES[3], status="guessed"),
        _transcript(FILES[4], status="unrecognized", **nothing),
        _transcript(FILES[5], text="tree"),
        _transcript(FILES[6], status="unrecognized", hypotheses=[{"text": "three", "score": 0.0}] * 11),
        _transcript("9_zoe_0.wav", status="failed", text=None, hypotheses=None),
    ]
    _write_transcripts(site, rows)
    assert site.broken("transcripts") == {
        "manifest and transcripts both contain it": "2: 7_bob_1.wav, 9_zoe_0.wav",
        "no recording is transcribed twice": "1: 3_ann_0.wav",
        "the transcribed content has the hash of the manifest": "1: 3_ann_0.wav",
        "the status is one of recognized, unrecognized, failed": "1: 3_bob_1.wav",
        "all are from one engine in one version": "1: 3_bob_0.wav",
        "there is a text exactly where the status is recognized": "2: 3_bob_1.wav, 7_bob_0.wav",
        "the text is the first hypothesis": "1: 7_ann_1.wav",
        "there are at most 10 hypotheses": "1: 7_bob_0.wav",
        "at least 50.0% are recognized": "5: 3_ann_1.wav, 3_bob_1.wav, 7_ann_0.wav, 7_bob_0.wav, 9_zoe_0.wav",
        "at most 0.0% failed": "3: 3_ann_1.wav, 3_bob_1.wav, 9_zoe_0.wav",
    }


def _write_logprobs(site: Site, rows: dict[str, list[float]], **hashes: str) -> None:
    found = [
        {"file": file, "sha256": hashes.get(file[:1], _hash(file)), "logprobs": values} for file, values in rows.items()
    ]
    pq.write_table(pa.Table.from_pylist(found), site.data / "logprobs.parquet")
    site.list_files(FILES)


def test_good_log_probabilities_pass(site: Site) -> None:
    """In half of the recordings no listed token may be probable."""
    _write_logprobs(site, {file: [-9.0, -9.0] if number % 2 else [-0.1, -4.0] for number, file in enumerate(FILES)})
    site.validate("logprobs")
    counts = json.loads(site.report.read_text())["validation"]["logprobs"]
    assert counts == {"dataset": "tones", "rows": 8, "expectations": 6, "unmet": 0}


def test_each_broken_rule_names_its_log_probabilities(site: Site) -> None:
    """Missing rows, other content, numbers that are no log-probabilities, and too few digits."""
    values = [[-0.1, float("nan")], [], [-9.0, -9.0], [0.5, -3.0], [-9.0, -7.0], [-9.0, -8.0]]
    rows = dict(zip(FILES, values, strict=False)) | {"9_zoe_0.wav": [-0.1, -4.0]}
    _write_logprobs(site, rows, **{"7": "another"})
    assert site.broken("logprobs") == {
        "manifest and log-probabilities both contain it": "3: 7_bob_0.wav, 7_bob_1.wav, 9_zoe_0.wav",
        "the content that was read has the hash of the manifest": "2: 7_ann_0.wav, 7_ann_1.wav",
        "all values are finite numbers": "2: 3_ann_0.wav, 3_ann_1.wav",
        "no value is above 0": "1: 3_bob_1.wav",
        "in at least 50.0% the listed tokens have a probability of 0.5 or more together": (
            "4: 3_ann_1.wav, 3_bob_0.wav, 7_ann_0.wav, 7_ann_1.wav"
        ),
    }


def test_many_names_are_cut_to_ten(site: Site) -> None:
    """A rule that is broken everywhere lists ten recordings and counts the others."""
    files = [f"{digit}_ann_0.wav" for digit in range(10)] + [f"{digit}_bob_0.wav" for digit in range(10)]
    _write_recordings(site, files)
    for file in files[:12]:
        (site.data / file).unlink()
    (names,) = site.broken("recordings").values()
    assert names.startswith("12: 0_ann_0.wav, ")
    assert names.endswith(", 9_ann_0.wav and 2 more")


@pytest.mark.parametrize(
    ("tensor", "message"),
    [(np.zeros((2, 3), np.float32), "float32 (2, 3)"), (np.zeros((2, 3, 4), np.int16), "int16 (2, 3, 4)")],
)
def test_a_tensor_of_another_shape_cannot_be_measured(site: Site, tensor: Any, message: str) -> None:
    """Wrong rank and wrong sort of numbers are reported with what was found."""
    _write_features(site)
    np.save(site.data / "mfcc.npy", tensor)
    with pytest.raises(MeasurementError) as caught:
        site.validate("features")
    assert message in str(caught.value)
    assert not site.docs.exists()


def test_pickled_objects_are_not_loaded(site: Site) -> None:
    """A tensor file that holds pickles is refused."""
    _write_features(site)
    np.save(site.data / "mfcc.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(MeasurementError, match="cannot be read"):
        site.validate("features")


def test_an_empty_index_leaves_every_recording_unfound(site: Site) -> None:
    """An index without rows is measured like any other."""
    _write_features(site, lambda index, tensor: (index.iloc[:0], tensor))
    measured = GATES["features"].measure(site.manifest, site.data)
    assert set(measured["found_in"]) == {"tensor", "manifest"}
    assert len(measured) == 16 + len(FILES)


@pytest.mark.parametrize(
    ("kind", "file"), [("features", "index"), ("transcripts", "transcripts"), ("logprobs", "logprobs")]
)
def test_a_table_without_the_columns_cannot_be_measured(site: Site, kind: str, file: str) -> None:
    """Absent columns are reported with the required ones."""
    _write_features(site)
    pd.DataFrame({"name": ["x"]}).to_parquet(site.data / f"{file}.parquet")
    with pytest.raises(MeasurementError, match="cannot be read as a table of file, "):
        site.validate(kind)


@pytest.mark.parametrize("kind", sorted(GATES))
def test_an_empty_manifest_passes_no_gate(site: Site, kind: str) -> None:
    """Nothing to look at is an error, not a success."""
    _write_transcripts(site, [_transcript(FILES[0])])
    _write_features(site)
    site.list_files([])
    with pytest.raises(MeasurementError, match="names no recording"):
        site.validate(kind)


def test_great_expectations_is_not_imported_with_the_module() -> None:
    """Importing the gates costs no import of Great Expectations, on which only `validate` waits."""
    code = "import sys, audiomnist.validation.gate; sys.exit('great_expectations' in sys.modules)"
    source = str(Path(validation.__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": source}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
