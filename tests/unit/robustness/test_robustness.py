"""Evaluation of robustness: metrics by hand and with a model, the files it writes, and its errors."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audiomnist.asr import registry
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Recognition, RecognitionError
from audiomnist.audio import waveform as audio
from audiomnist.audio.waveform import BadAudioError, Waveform
from audiomnist.corpus import splits
from audiomnist.corpus.splits import Clip
from audiomnist.evaluation import metrics as evaluation
from audiomnist.robustness import corruptions, evaluate, plots
from audiomnist.robustness.conditions import Condition, RobustnessParams, conditions
from audiomnist.robustness.evaluate import ConditionResult, RobustnessError, RobustnessSet
from audiomnist.serving import model as inference
from audiomnist.serving.bundle.description import BundleError
from audiomnist.serving.predictor import predictor

STAGE = Path(__file__).parents[3] / "stages" / "robustness.py"
SOURCES = Path(__file__).parents[3] / "src"
PNG = b"\x89PNG\r\n\x1a\n"
TEST_CLIPS = 30
COLUMNS = ["accuracy", "accuracy_low", "accuracy_high", "ece", "confidence", "mcnemar_p", "clips"]
PARAMS = RobustnessParams(
    clips=10,
    seed=0,
    snr_db=(20, -20),
    babble_voices=2,
    gain_db=(-10,),
    speed_factor=(1.25,),
    telephone_band_hz=(300, 3400),
    source_rate_hz=(48000,),
    leading_silence_s=(0.25,),
    leading_silence_dbfs=-70,
    clipped_percent=(20,),
    surrounding_s=0.3,
    offset=(0.05,),
    hum_snr_db=(),
    room_snr_db=(),
    click_before_s=(),
    header_bytes=(),
)
PLACES = [
    ("clean", "clean"),
    *((f"noise_{noise}", snr) for noise in ("white", "pink", "babble") for snr in ("snr_20_db", "snr_minus_20_db")),
    ("level", "minus_10_db"),
    ("speed", "1_25"),
    ("telephone", "300_to_3400_hz"),
    ("source", "48000_hz"),
    ("silence", "0_25_s"),
    ("clipping", "20_percent"),
    ("offset", "0_05"),
]


class Deaf:
    """A recognizer that can use no clip."""

    engine, version, weights_sha256 = "sphinx", "0", None

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Fail."""
        raise ValueError(f"{len(waveforms)} clips that cannot be used")


def die(*_: object) -> None:
    """End this process as one that the system kills."""
    os._exit(1)


def run_stage(model: Path, toy: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the stage script on the toy corpus; the parameters and the outputs lie in `folder`."""
    (folder / "params.yaml").write_text(json.dumps({"robustness": PARAMS.model_dump()}), encoding="utf-8")
    paths = {
        "model": model,
        "raw": toy / "raw",
        "split": toy / "split.csv",
        "parameters": folder / "params.yaml",
        "report": folder / "cnn.json",
        "table": folder / "cnn.csv",
        "plot": folder / "cnn.png",
    }
    options = [text for name, path in paths.items() for text in (f"--{name}", str(path))]
    command = [sys.executable, "-P", str(STAGE), *options]
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    return subprocess.run(command, capture_output=True, check=False, text=True, env=environment)


def report(model: Path, raw: Path, split: Path, folder: Path) -> None:
    """Write the report in this process."""
    evaluate.evaluate_robustness(model, raw, split, PARAMS, folder / "cnn.json", folder / "cnn.csv", folder / "cnn.png")


@pytest.fixture(scope="module")
def written(toy: Path, served: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report once."""
    folder = tmp_path_factory.mktemp("robustness")
    report(served / "cnn", toy / "raw", toy / "split.csv", folder)
    return folder


@pytest.fixture
def test_set(toy: Path) -> RobustnessSet:
    """Return the test set of the toy corpus: each of three speakers says each digit once."""
    clips = [clip for clip in splits.read(toy / "split.csv") if clip.subset == "test"]
    assert len(clips) == TEST_CLIPS
    return RobustnessSet(clips, {clip.file: audio.read(toy / "raw" / clip.file) for clip in clips}, PARAMS)


def number_of(*path: str) -> int:
    """Return the place of a condition in their order."""
    return [condition.path for condition in conditions(PARAMS, [])].index(path)


def outcome(right: Sequence[bool], confidence: float) -> ConditionResult:
    """Return answers to zeros that are all equally sure."""
    predicted = [0 if hit else 1 for hit in right]
    probabilities = np.full((len(right), 10), (1 - confidence) / 9)
    probabilities[np.arange(len(right)), predicted] = confidence
    return ConditionResult(np.array(right), probabilities)


def test_the_table_has_a_row_per_condition_in_a_fixed_order(written: Path) -> None:
    """Each with its scores, over as many clips as the parameters say."""
    table = pd.read_csv(written / "cnn.csv")
    assert list(table) == ["kind", "condition", *COLUMNS]
    assert list(zip(table["kind"], table["condition"], strict=True)) == PLACES
    assert (table["clips"] == 10).all()
    assert (table["accuracy_low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["accuracy_high"]).all()
    assert table["confidence"].between(0.1, 1).all()
    assert table["mcnemar_p"][0] == 1


def test_the_report_is_the_table_nested_under_the_models_name(written: Path) -> None:
    """By kind and strength; the clean clips stand beside the kinds."""
    found = json.loads((written / "cnn.json").read_text(encoding="utf-8"))
    assert list(found) == ["cnn"]
    assert list(found["cnn"]) == [
        *("clean", "noise", "level", "speed", "telephone", "source", "silence", "clipping", "offset", "ood")
    ]
    for kind, condition, *scored in pd.read_csv(written / "cnn.csv").itertuples(index=False):
        place = found["cnn"]
        for key in [*kind.split("_"), condition] if kind != "clean" else [condition]:
            assert "." not in key
            place = place[key]
        assert place == dict(zip(COLUMNS, scored, strict=True))


def test_a_model_that_knows_its_tones_loses_them_in_noise(written: Path) -> None:
    """The report tells the strong disturbance from the weak."""
    accuracy = pd.read_csv(written / "cnn.csv").set_index(["kind", "condition"])["accuracy"]
    assert accuracy["clean", "clean"] >= 0.9
    assert accuracy["source", "48000_hz"] == accuracy["clean", "clean"]
    assert accuracy["noise_white", "snr_minus_20_db"] < accuracy["clean", "clean"] - 0.3


def test_of_a_cascade_it_says_how_often_it_asks() -> None:
    """The share of the clips under each condition; of other models nothing."""
    of_cascade = outcome([True] * 4, 0.9)._replace(asked=np.array([True, False, False, False]))
    assert evaluate.scores([of_cascade])[0]["asked"] == 0.25
    assert "asked" not in evaluate.scores([outcome([True] * 4, 0.9)])[0]


@pytest.mark.long
def test_the_stage_writes_the_same_bytes(toy: Path, served: Path, written: Path, tmp_path: Path) -> None:
    """Whichever process evaluates which condition."""
    done = run_stage(served / "cnn", toy, tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("cnn.json", "cnn.csv", "cnn.png"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()
    assert (written / "cnn.png").read_bytes().startswith(PNG)


def test_the_clips_are_evenly_spaced(test_set: RobustnessSet) -> None:
    """In the order of the split; all of them where there are no more."""
    assert [clip.digit for clip in test_set.selected] == list(range(10))
    every = RobustnessSet(test_set.clips, test_set.recordings, PARAMS.model_copy(update={"clips": 1000}))
    assert every.selected == test_set.clips


@pytest.mark.parametrize("path", [condition.path for condition in conditions(PARAMS, [])], ids="_".join)
def test_the_number_of_clips_changes_none_of_them(test_set: RobustnessSet, path: tuple[str, ...]) -> None:
    """Nor does the order in which they are disturbed."""
    every = RobustnessSet(test_set.clips, test_set.recordings, PARAMS.model_copy(update={"clips": 30}))
    alone, among = test_set.selected[4], {clip.file: every.corrupted(clip, number_of(*path)) for clip in every.selected}
    result = test_set.corrupted(alone, number_of(*path))
    np.testing.assert_array_equal(result.samples, among[alone.file].samples)


def test_clips_of_the_same_length_meet_different_noise(test_set: RobustnessSet) -> None:
    """Each its own, by its file's name."""
    tone = Waveform(test_set.recordings[test_set.clips[0].file].samples[:1000], 8000)
    same = RobustnessSet(test_set.clips, {clip.file: tone for clip in test_set.clips}, PARAMS)
    first, second = (same.corrupted(clip, number_of("noise", "white", "snr_20_db")) for clip in test_set.clips[:2])
    assert not np.allclose(first.samples, second.samples, atol=1e-4)


def voices_behind(clip: Clip, clips: Sequence[Clip]) -> set[str]:
    """Return whose tones babble behind a clip: each recording has another pitch."""
    time_s = np.arange(8000) / 8000
    pitches_hz = {other.file: 200.0 + 100 * place for place, other in enumerate(clips)}
    tones = {
        file: Waveform((0.1 * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32), 8000)
        for file, hertz in pitches_hz.items()
    }
    params = PARAMS.model_copy(update={"babble_voices": 100})
    mixture = RobustnessSet(clips, tones, params).corrupted(clip, number_of("noise", "babble", "snr_minus_20_db"))
    power = np.abs(np.fft.rfft(mixture.samples)) ** 2
    loud = {file: power[round(hertz)] > power.max() / 10 for file, hertz in pitches_hz.items()}
    return {file for file, is_loud in loud.items() if is_loud}


def test_other_speakers_babble_behind_a_clip() -> None:
    """All of theirs are there to choose from, and none of the clip's own speaker."""
    clips = [Clip(f"0_{name}_{take}.wav", 0, name, "test") for name in ("ada", "bob", "eve") for take in range(2)]
    assert voices_behind(clips[0], clips) == {clip.file for clip in clips[2:]}


def test_a_speaker_who_is_alone_babbles_behind_the_own_clip() -> None:
    """With other clips."""
    clips = [Clip(f"0_ada_{take}.wav", 0, "ada", "test") for take in range(3)]
    assert voices_behind(clips[1], clips) == {clips[0].file, clips[2].file}


def test_clean_clips_are_answered_as_in_service(test_set: RobustnessSet, served: Path) -> None:
    """The same probabilities, the same hits."""
    evaluate.start(served / "cnn", test_set)
    result = evaluate.evaluate_condition(0)
    predict = predictor(inference.load(served / "cnn", threads=1))
    answers = [predict([test_set.recordings[clip.file]])[0] for clip in test_set.selected]
    expected = np.array([answer.probabilities for answer in answers if answer is not None])
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)
    assert result.correct.tolist() == (expected.argmax(axis=1) == np.arange(10)).tolist()


def test_the_corrupted_clip_is_evaluated(test_set: RobustnessSet, served: Path) -> None:
    """A clip of 48 kHz is resampled by the preparation of the model."""
    evaluate.start(served / "cnn", test_set)
    result = evaluate.evaluate_condition(number_of("source", "48000_hz"))
    predict = predictor(inference.load(served / "cnn", threads=1))
    raised = [
        corruptions.change_rate(48000, test_set.recordings[clip.file], np.random.default_rng())
        for clip in test_set.selected
    ]
    answers = [predict([waveform])[0] for waveform in raised]
    expected = np.array([answer.probabilities for answer in answers if answer is not None])
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)


def test_a_clip_without_an_answer_is_wrong_and_unsure(
    test_set: RobustnessSet, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the digit is the first, which equal probabilities would name."""
    monkeypatch.setitem(registry.ENGINES, "sphinx", lambda _: Deaf())
    evaluate.start(served / "lstm", test_set)
    result = evaluate.evaluate_condition(0)
    assert test_set.selected[0].digit == 0
    assert not result.correct.any()
    np.testing.assert_allclose(result.probabilities, 0.1)


def test_the_scores_by_hand() -> None:
    """Ten clean clips all right; of the same ten in noise, six are not."""
    clean, noisy = evaluate.scores([outcome([True] * 10, 0.9), outcome([True] * 4 + [False] * 6, 0.7)])
    assert list(clean) == list(noisy) == COLUMNS
    assert (clean["accuracy"], clean["confidence"], clean["clips"]) == (1.0, 0.9, 10)
    assert clean["ece"] == pytest.approx(0.1)
    assert clean["mcnemar_p"] == 1
    low, high = evaluation.wilson_interval(4, 10)
    assert (noisy["accuracy_low"], noisy["accuracy_high"]) == (round(low, 6), round(high, 6))
    assert noisy["accuracy"] == 0.4
    assert noisy["ece"] == pytest.approx(0.3)
    assert noisy["mcnemar_p"] == pytest.approx(2 * 0.5**6)


def test_each_condition_is_compared_with_the_clean_clips_not_the_one_before() -> None:
    """Two conditions that miss the same clips both differ from the clean ones."""
    missed = outcome([True] * 4 + [False] * 6, 0.7)
    _, first, second = evaluate.scores([outcome([True] * 10, 0.9), missed, missed])
    assert first == second
    assert second["mcnemar_p"] < 0.05


def test_a_plot_has_the_same_bytes_for_the_same_numbers_alone(tmp_path: Path) -> None:
    """Drawn again it is the same, and with another accuracy another."""
    every = conditions(PARAMS, [])
    rows = pd.DataFrame(evaluate.scores([outcome([True] * 4 + [False] * 6, 0.7)] * len(every)))
    for name, accuracy in {"first": 0.4, "again": 0.4, "other": 0.5}.items():
        plots.draw(every, rows.assign(accuracy=accuracy), "tones", tmp_path / f"{name}.png")
    first, again, other = ((tmp_path / f"{name}.png").read_bytes() for name in ("first", "again", "other"))
    assert first.startswith(PNG)
    assert first == again
    assert first != other


def test_the_clean_clips_alone_can_be_drawn(tmp_path: Path) -> None:
    """And one clip, all of it wrong."""
    rows = pd.DataFrame(evaluate.scores([outcome([False], 1.0)]))
    plots.draw([Condition((), "clean", corruptions.identity)], rows, "tones", tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize("count", [0, 1])
def test_a_test_set_without_two_clips_cannot_babble(toy: Path, served: Path, tmp_path: Path, count: int) -> None:
    """The file, the reason and the remedy are in the message, and nothing is written."""
    clips = splits.read(toy / "split.csv")
    test = [clip for clip in clips if clip.subset == "test"][:count]
    splits.write(tmp_path / "split.csv", [*(clip for clip in clips if clip.subset != "test"), *test])
    with pytest.raises(RobustnessError, match=rf"split\.csv: the test set has {count} clip.*split\.test_fraction"):
        report(served / "cnn", toy / "raw", tmp_path / "split.csv", tmp_path)
    assert not list(tmp_path.glob("cnn.*"))


def test_a_recording_that_is_not_there_is_named(toy: Path, served: Path, tmp_path: Path) -> None:
    """Before any process starts."""
    shutil.copytree(toy / "raw", tmp_path / "raw")
    (tmp_path / "raw" / "4_ben_0.wav").unlink()
    with pytest.raises(BadAudioError, match=r"4_ben_0\.wav"):
        report(served / "cnn", tmp_path / "raw", toy / "split.csv", tmp_path)


def test_a_bundle_that_is_not_there_is_named(toy: Path, tmp_path: Path) -> None:
    """As everywhere where a bundle is opened."""
    with pytest.raises(BundleError, match="nowhere"):
        report(tmp_path / "nowhere", toy / "raw", toy / "split.csv", tmp_path)


def test_a_recognizer_that_cannot_be_loaded_is_reported(
    toy: Path, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its own sentence, not as a pool that broke."""

    def absent(params: TranscribeParams) -> Deaf:
        raise RecognitionError(f"no weights for {params.engine}")

    monkeypatch.setitem(registry.ENGINES, "sphinx", absent)
    with pytest.raises(RecognitionError, match="no weights for sphinx"):
        report(served / "lstm", toy / "raw", toy / "split.csv", tmp_path)


@pytest.mark.long
def test_a_process_that_dies_is_reported(
    toy: Path, served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that is killed for want of memory; nothing is written."""
    monkeypatch.setattr(evaluate, "start", die)
    with pytest.raises(RobustnessError, match=r"cnn died.*run the stage again"):
        report(served / "cnn", toy / "raw", toy / "split.csv", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_the_stage_reports_an_error_without_a_traceback(toy: Path, served: Path, tmp_path: Path) -> None:
    """Without a traceback, and with status 1."""
    done = run_stage(served / "nowhere", toy, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("robustness: ")
    assert "Traceback" not in done.stderr
