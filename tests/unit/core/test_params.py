"""params.yaml: the committed file is valid, and all errors are reported at once."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import Field, ValidationError
from ruamel.yaml import YAML

from audiomnist.core import params
from audiomnist.core.params import ParamsError, Section
from audiomnist.corpus.manifest import ManifestError
from audiomnist.corpus.splits import SplitParams
from audiomnist.validation import parameters

ROOT = Path(__file__).parents[3]
COMMITTED, MANIFEST, REVIEWED = ROOT / "params.yaml", ROOT / "data/manifest.csv", ROOT / "data/reviewed.csv"
Altered = Callable[[dict[str, Any]], Path]


class Tempo(Section):
    """A section with a bound."""

    factor: float = Field(gt=0)


@pytest.fixture
def altered(tmp_path: Path) -> Altered:
    """Return what writes a copy of the committed file with some values set, by dotted path."""

    def write(values: dict[str, Any]) -> Path:
        content = params.read(COMMITTED)
        for path, value in values.items():
            *sections, key = path.split(".")
            section = content
            for name in sections:
                section = section[name]
            section[key] = value
        with (tmp_path / "params.yaml").open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(content, file)
        return tmp_path / "params.yaml"

    return write


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Return what writes a file of this text."""

    def write(text: str) -> Path:
        path = tmp_path / "params.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_committed_file_is_valid(tmp_path: Path) -> None:
    """The file in git passes, and the marker is written."""
    parameters.check(COMMITTED, MANIFEST, REVIEWED, tmp_path / "out")
    assert (tmp_path / "out").exists()


def test_all_errors_are_in_one_message(altered: Altered, tmp_path: Path) -> None:
    """A typo in a value, an unknown key and a number out of bounds are named by their paths, at once."""
    path = altered({"model": "cnnn", "models.rnn.hiden": 64, "split.test_fraction": 1.5})
    with pytest.raises(ParamsError) as caught:
        parameters.check(path, MANIFEST, REVIEWED, tmp_path / "out")
    message = str(caught.value)
    assert f"{path}: 3 error(s)" in message
    assert re.search(r"^  model: .*'cnnn'", message, re.MULTILINE)
    assert re.search(r"^  models\.rnn\.hiden: is not a parameter$", message, re.MULTILINE)
    assert re.search(r"^  split\.test_fraction: .*1\.5", message, re.MULTILINE)


def test_an_error_writes_no_out(altered: Altered, tmp_path: Path) -> None:
    """The stage has no output where there was none."""
    with pytest.raises(ParamsError):
        parameters.check(altered({"model": "cnnn"}), MANIFEST, REVIEWED, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


def test_an_error_leaves_an_older_out(altered: Altered, tmp_path: Path) -> None:
    """What an earlier run wrote stays as it was."""
    (tmp_path / "out").write_text("older", encoding="utf-8")
    with pytest.raises(ParamsError):
        parameters.check(altered({"model": "cnnn"}), MANIFEST, REVIEWED, tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "older"


def test_a_damaged_list_of_reviewed_recordings_is_an_error(tmp_path: Path) -> None:
    """As a merge of two branches leaves it; the stages that read it do not run."""
    reviewed = tmp_path / "reviewed.csv"
    reviewed.write_text(f"<<<<<<< HEAD\n{REVIEWED.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(ManifestError, match=r"reviewed\.csv"):
        parameters.check(COMMITTED, MANIFEST, reviewed, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_out_does_not_depend_on_the_parameters(altered: Altered, tmp_path: Path) -> None:
    """Two valid files give the same bytes, so that nothing that hangs on them runs again."""
    parameters.check(COMMITTED, MANIFEST, REVIEWED, tmp_path / "one")
    parameters.check(
        altered({"train.seed": 17, "model": "rnn", "split.test_fraction": 0.3}), MANIFEST, REVIEWED, tmp_path / "other"
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("source", "among"),
    [
        ("recordings", r"data\.speakers \(george, .*\)"),
        ("synthetic", r"the voices of the synthetic corpus \(angus, .*\)"),
    ],
)
def test_the_held_out_speaker_must_be_among_those_who_speak(
    altered: Altered, tmp_path: Path, source: str, among: str
) -> None:
    """The message says who they are."""
    path = altered({"data.source": source, "split.scheme": "speaker", "split.test_speaker": "zoe"})
    with pytest.raises(ParamsError, match=rf"1 error\(s\)\n  split\.test_speaker: 'zoe' is not among {among}"):
        parameters.check(path, MANIFEST, REVIEWED, tmp_path / "out")


def test_all_speakers_of_the_manifest_may_be_held_out_where_all_are_used(altered: Altered, tmp_path: Path) -> None:
    """The message lists them."""
    every = {"data.speakers": None, "split.scheme": "speaker"}
    parameters.check(altered({**every, "split.test_speaker": "theo"}), MANIFEST, REVIEWED, tmp_path / "out")
    with pytest.raises(ParamsError, match=rf"'zoe' is not among {MANIFEST} \(george, .*, yweweler\)"):
        parameters.check(altered({**every, "split.test_speaker": "zoe"}), MANIFEST, REVIEWED, tmp_path / "out")


def test_an_unknown_accent_is_an_error_if_there_are_voices(altered: Altered, tmp_path: Path) -> None:
    """It is reported before the recordings are augmented."""
    path = altered({"synthetic_speakers.espeak_languages": ["en", "en-moon"]})
    with pytest.raises(
        ParamsError, match=r"1 error\(s\)\n  synthetic_speakers\.espeak_languages: eSpeak NG has no voice 'en-moon'$"
    ):
        parameters.check(path, MANIFEST, REVIEWED, tmp_path / "out")
    parameters.check(
        altered({"synthetic_speakers.espeak_languages": ["en-moon"], "synthetic_speakers.count": 0}),
        MANIFEST,
        REVIEWED,
        tmp_path / "out",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train.calibration_folds": 1}, r"train\.calibration_folds: one fold .* at least 2, or 0 for none"),
        (
            {"split.scheme": "speaker", "split.max_train_speakers": 6},
            r"split\.max_train_speakers: beside george there are only 5 in data\.speakers",
        ),
    ],
)
def test_a_number_that_would_mean_another_is_an_error(
    altered: Altered, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """One fold would be none, six of five others would be all."""
    with pytest.raises(ParamsError, match=rf"1 error\(s\)\n  {message}"):
        parameters.check(altered(changes), MANIFEST, REVIEWED, tmp_path / "out")


@pytest.mark.parametrize(
    "others", [{"split.scheme": "random"}, {"data.source": "synthetic", "split.scheme": "speaker"}]
)
def test_the_held_out_speaker_is_free_where_it_is_not_used_and_may_be_a_voice_of_the_synthetic_corpus(
    altered: Altered, tmp_path: Path, others: dict[str, Any]
) -> None:
    """Other schemes do not look at it."""
    parameters.check(altered({"split.test_speaker": "angus", **others}), MANIFEST, REVIEWED, tmp_path / "out")


def test_inconsistent_sections_are_reported_with_errors_within_sections(altered: Altered, tmp_path: Path) -> None:
    """Valid sections are compared even if others are not valid."""
    path = altered(
        {
            "model": "typo",
            "data.speakers": ["george", "nikolas"],
            "split.scheme": "speaker",
            "split.test_speaker": "zoe",
            "features.n_fft": 128,
            "features.n_mfcc": 41,
            "validate.recordings.min_duration_s": 5,
            "validate.features.min_value_db": 301,
            "transcribe.n_best": 8,
            "train.seed": 2**63,
        }
    )
    with pytest.raises(ParamsError) as caught:
        parameters.check(path, MANIFEST, REVIEWED, tmp_path / "out")
    for message in (
        "8 error(s)",
        "model: Input should be 'cnn', 'rnn', 'lstm', 'whisper' or 'cascade' (given: 'typo')",
        f"data.speakers: nikolas speaks in no recording of {MANIFEST}",
        "split.test_speaker: 'zoe' is not among data.speakers (george, nikolas)",
        "n_fft must be at least win_length; n_mfcc must be at most n_mels",
        "min_duration_s must be at most max_duration_s",
        "min_value_db must be at most max_value_db",
        "whisper.beam_size is 5, which cannot give 8 hypotheses",
        "train.seed: Input should be less than 9223372036854775808",
    ):
        assert message in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_an_absent_device_is_an_error(altered: Altered, tmp_path: Path) -> None:
    """It is reported before training begins."""
    with pytest.raises(ParamsError, match=r"1 error\(s\)\n  train\.device: it is cuda, and there is none"):
        parameters.check(altered({"train.device": "cuda"}), MANIFEST, REVIEWED, tmp_path / "out")


def test_a_repeated_speaker_is_an_error(altered: Altered, tmp_path: Path) -> None:
    """The message names `data.speakers`."""
    with pytest.raises(ParamsError, match=r"data\.speakers: .*a speaker is named twice"):
        parameters.check(altered({"data.speakers": ["theo", "theo"]}), MANIFEST, REVIEWED, tmp_path / "out")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("validate.recordings.min_peak", "loud"),
        ("features.f_min", -1.0),
        ("features.augment.tempo", [1.2, 0.8]),
        ("transcribe.engine", "parrot"),
        ("train.epochs", 0),
        ("train.calibration_folds", -1),
        ("models.lstm.hidden_sizes", []),
        ("models.cascade.cost_of_asking", -0.1),
        ("data.speakers", []),
    ],
)
def test_each_section_has_its_bounds(altered: Altered, tmp_path: Path, key: str, value: object) -> None:
    """One invalid value is one error under its path."""
    with pytest.raises(ParamsError, match=rf"1 error\(s\)\n  {re.escape(key)}: "):
        parameters.check(altered({key: value}), MANIFEST, REVIEWED, tmp_path / "out")


def test_an_absent_section_is_named(written: Callable[[str], Path], tmp_path: Path) -> None:
    """A file with a single section lacks all others, each on a line."""
    with pytest.raises(ParamsError) as caught:
        parameters.check(written("model: cnn\n"), MANIFEST, REVIEWED, tmp_path / "out")
    missing = re.findall(r"^  (\w+): Field required$", str(caught.value), re.MULTILINE)
    assert missing == [
        "data",
        "validate",
        "split",
        "features",
        "synthetic_speakers",
        "transcribe",
        "logprobs",
        "train",
        "models",
        "protocols",
        "robustness",
    ]


@pytest.mark.parametrize("text", ["a: [1,", "a: 1\na: 2\n", "a: !!python/object:os.system {}\n"])
def test_what_is_not_yaml_is_an_error_that_names_the_file(written: Callable[[str], Path], text: str) -> None:
    """Broken syntax, a repeated key, and tags that would run code are refused."""
    with pytest.raises(ParamsError, match=r"params\.yaml cannot be read"):
        params.read(written(text))


@pytest.mark.parametrize("text", ["", "- model\n- data\n", "model\n"])
def test_what_has_no_sections_is_an_error(written: Callable[[str], Path], text: str) -> None:
    """An empty file, a list and a word are no parameters."""
    with pytest.raises(ParamsError, match="must be a mapping of sections"):
        params.read(written(text))


def test_an_absent_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    """The message has the path."""
    with pytest.raises(ParamsError, match=r"nowhere\.yaml cannot be read"):
        params.read(tmp_path / "nowhere.yaml")


def test_numbers_are_read_as_yaml_1_2_reads_them(written: Callable[[str], Path]) -> None:
    """DVC's dialect: `1e-3` is a number, `no` is a word, and 010 is ten."""
    assert params.read(written("a: 1e-3\nb: no\nc: 010\n")) == {"a": 0.001, "b": "no", "c": 10}


def test_a_section_is_read_by_its_dotted_name(written: Callable[[str], Path]) -> None:
    """Sections may stand within sections."""
    assert params.section(written("a: {b: {factor: 1.5}}\n"), "a.b", Tempo) == Tempo(factor=1.5)


@pytest.mark.parametrize("name", ["c", "a.c", "a.b.c", "a.b.factor.c"])
def test_a_section_that_is_not_there_is_named(written: Callable[[str], Path], name: str) -> None:
    """The message has its dotted name."""
    with pytest.raises(ParamsError, match=rf"has no section {re.escape(name)}$"):
        params.section(written("a: {b: {factor: 1.5}}\n"), name, Tempo)


def test_an_error_in_a_section_has_its_whole_path(written: Callable[[str], Path]) -> None:
    """Also where one section is read alone."""
    with pytest.raises(ParamsError, match=r"\n  a\.b\.factor: .*given: -1"):
        params.section(written("a: {b: {factor: -1}}\n"), "a.b", Tempo)


def test_a_section_cannot_be_changed() -> None:
    """Parameters are what the file says, for good."""
    split = params.section(COMMITTED, "split", SplitParams)
    with pytest.raises(ValidationError, match="frozen"):
        split.seed = 1
