"""The predictor: one prediction per waveform, also where the recognizer fails on some."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import small_bundles
from numpy.typing import NDArray

from audiomnist.asr import first_token, registry
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Hypothesis, Recognition, RecognitionError
from audiomnist.asr.tokens import FirstToken
from audiomnist.audio import waveform
from audiomnist.audio.waveform import Waveform, resampled
from audiomnist.cascade.build import build
from audiomnist.cascade.params import CascadeParams
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.serving import cascade, model
from audiomnist.serving.bundle.description import TranscriptInput
from audiomnist.serving.cascade import Cascade
from audiomnist.serving.fusion import combined
from audiomnist.serving.model import Model
from audiomnist.serving.predictor import Prediction, predictor

MUMBLE = Waveform(np.full(800, -0.5, dtype=np.float32), 8000)
NOISE = Waveform(np.full(900, -0.9, dtype=np.float32), 8000)
TOLERANCE = 1e-5


def saying(digit: int) -> Waveform:
    """Return a clip that the listeners recognize as a digit by the last one of its length."""
    return Waveform(np.full(800 + digit, 0.1, dtype=np.float32), 8000)


@dataclass
class Listener:
    """A recognizer that returns words for digits and nothing for MUMBLE, and fails on NOISE.

    Attributes:
        failure: raised if there is noise in a batch.
        batches: sizes of the batches.
        settings: parameters of each load.
    """

    failure: Exception = field(default_factory=lambda: ValueError("too loud"))
    batches: list[int] = field(default_factory=list)
    settings: list[TranscribeParams] = field(default_factory=list)
    engine: str = "sphinx"
    version: str = "0"
    weights_sha256: str | None = None

    def load(self, params: TranscribeParams) -> "Listener":
        """Take the place of an engine."""
        self.settings.append(params)
        return self

    def recognize(self, waveforms: Sequence[Waveform]) -> list[Recognition]:
        """Predict each clip, unless there is noise among them."""
        self.batches.append(len(waveforms))
        if any(clip is NOISE for clip in waveforms):
            raise self.failure
        return [Recognition.of(self._hypotheses(clip)) for clip in waveforms]

    def _hypotheses(self, clip: Waveform) -> list[Hypothesis]:
        if clip is MUMBLE:
            return []
        return [Hypothesis(DIGIT_WORDS[_digit(clip)], -0.1), Hypothesis("uh", -2.0)]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Replace the recognizer of the toy model."""
    listener = Listener()
    monkeypatch.setitem(registry.ENGINES, "sphinx", listener.load)
    return listener


@pytest.fixture
def reader(served: Path) -> Model:
    """Open the model of transcripts."""
    return model.load(served / "lstm", threads=1)


def assert_same(found: Prediction | None, expected: Prediction | None) -> None:
    """Compare two predictions."""
    assert found is not None
    assert expected is not None
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=0, atol=TOLERANCE)
    assert found.ood_score == pytest.approx(expected.ood_score, abs=1e-3)


def test_a_model_of_transcripts_predicts_what_its_recognizer_returns(reader: Model, listener: Listener) -> None:
    """Ten probabilities and a score per clip; the recognizer is loaded once, with the settings of the bundle."""
    predict = predictor(reader)
    for clips in ([saying(digit) for digit in range(10)], [saying(4)]):
        predictions = predict(clips)
        assert len(predictions) == len(clips)
        for clip, prediction in zip(clips, predictions, strict=True):
            assert prediction is not None
            assert prediction.probabilities.dtype == np.float32
            assert prediction.probabilities.shape == (10,)
            assert prediction.probabilities.argmax() == _digit(clip)
            assert prediction.probabilities.sum() == pytest.approx(1, abs=1e-5)
            assert isinstance(prediction.ood_score, float)
    given = reader.description.input
    assert isinstance(given, TranscriptInput)
    assert [params.engine for params in listener.settings] == [given.recognizer["engine"]]
    assert listener.settings[0].n_best == given.recognizer["settings"]["n_best"]


def test_all_hypotheses_are_read_best_first(reader: Model, listener: Listener) -> None:
    """As training reads them."""
    del listener
    [found] = predictor(reader)([saying(7)])
    expected = reader.predict_texts([["seven", "uh"]])
    assert_same(found, Prediction(expected.probabilities[0], float(expected.ood_scores[0]), "lstm"))


@pytest.mark.parametrize("failure", [ValueError("?"), ZeroDivisionError("?"), RuntimeError("?")])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_clip_that_the_recognizer_cannot_use_does_not_affect_the_others(
    failure: Exception, place: int, reader: Model, listener: Listener
) -> None:
    """It has no prediction, and theirs are the same as without it."""
    listener.failure = failure
    predict = predictor(reader)
    good = [saying(digit) for digit in (3, 1, 4, 5)]
    expected = predict(good)
    found = predict([*good[:place], NOISE, *good[place:]])
    assert found.pop(place) is None
    for prediction, other in zip(found, expected, strict=True):
        assert_same(prediction, other)


def test_there_is_no_prediction_if_no_clip_can_be_used(reader: Model, listener: Listener) -> None:
    """Neither for one nor for several."""
    del listener
    predict = predictor(reader)
    assert predict([NOISE]) == [None]
    assert predict([NOISE, NOISE, NOISE]) == [None, None, None]


def test_a_good_batch_is_recognized_once_and_a_faulty_one_clip_by_clip(reader: Model, listener: Listener) -> None:
    """No clip is recognized a third time."""
    predict = predictor(reader)
    predict([saying(1), saying(2), saying(3)])
    predict([saying(1), NOISE, saying(3)])
    assert listener.batches == [3, 3, 1, 1, 1]


def test_a_clip_without_speech_has_a_prediction(reader: Model, listener: Listener) -> None:
    """It is not a failure of the recognizer."""
    del listener
    [found] = predictor(reader)([MUMBLE])
    expected = reader.predict_texts([[]])
    assert_same(found, Prediction(expected.probabilities[0], float(expected.ood_scores[0]), "lstm"))


def test_an_error_of_the_recognizer_itself_is_raised(reader: Model, listener: Listener) -> None:
    """It is not a fault of the clip."""
    listener.failure = RecognitionError("the engine does not start")
    with pytest.raises(RecognitionError, match="does not start"):
        predictor(reader)([saying(1), NOISE])


def test_a_recognizer_that_cannot_be_loaded_raises_before_any_prediction(
    reader: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the message of the engine."""

    def absent(params: TranscribeParams) -> Listener:
        raise RecognitionError(f"{params.engine} is not installed")

    monkeypatch.setitem(registry.ENGINES, "sphinx", absent)
    with pytest.raises(RecognitionError, match="sphinx is not installed"):
        predictor(reader)


def test_a_prediction_from_transcripts_does_not_depend_on_the_other_clips(reader: Model, listener: Listener) -> None:
    """Other digits, or no speech."""
    del listener
    predict = predictor(reader)
    clips = [saying(8), MUMBLE, saying(0), saying(6)]
    together = predict(clips)
    backwards = predict(clips[::-1])[::-1]
    for clip, prediction, other in zip(clips, together, backwards, strict=True):
        assert_same(prediction, predict([clip])[0])
        assert_same(prediction, other)


@dataclass
class FirstListener:
    """A recognizer whose first token is the digit of `saying`, and which fails on NOISE."""

    batches: list[int] = field(default_factory=list)

    def read(self, waveforms: Sequence[Waveform]) -> list[FirstToken]:
        """Read each clip, unless there is noise among them."""
        self.batches.append(len(waveforms))
        if any(len(clip.samples) == len(NOISE.samples) for clip in waveforms):
            raise ValueError("not finite")
        return [FirstToken(self.logprobs(clip), 150, DIGIT_WORDS[_digit(clip)]) for clip in waveforms]

    def logprobs(self, clip: Waveform) -> NDArray[np.float32]:
        """Return the log-probabilities of a clip: those of its digit are high."""
        values = np.full(len(small_bundles.FIRST_TOKEN["tokens"]), -7, dtype=np.float32)
        values[_digit(clip)] = -0.3
        return values


def _digit(clip: Waveform) -> int:
    return len(clip.samples) % 10


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> FirstListener:
    """Replace the recognizer of the model of log-probabilities."""
    listener = FirstListener()
    monkeypatch.setattr(first_token, "from_record", lambda record: listener if record else None)
    return listener


@pytest.fixture
def head(served: Path) -> Model:
    """Open the model of log-probabilities."""
    return model.load(served / "whisper", threads=1)


def test_a_model_of_log_probabilities_predicts_what_its_recognizer_reads(head: Model, first: FirstListener) -> None:
    """Probabilities, score and the most probable token of each clip, from one batch."""
    predictions = predictor(head)([saying(digit) for digit in range(10)])
    for digit, prediction in enumerate(predictions):
        assert prediction is not None
        assert prediction.probabilities.argmax() == digit
        assert prediction.asr_token == DIGIT_WORDS[digit]
        expected = head.predict_logprobs(first.logprobs(saying(digit))[None])
        assert prediction.answered_by == "whisper"
        assert_same(prediction, Prediction(expected.probabilities[0], float(expected.ood_scores[0]), "whisper"))
    assert first.batches == [10]


def test_a_clip_that_cannot_be_read_does_not_affect_the_others(head: Model, first: FirstListener) -> None:
    """The batch is read again clip by clip."""
    predict = predictor(head)
    found = predict([saying(1), NOISE, saying(3)])
    assert [None if prediction is None else prediction.asr_token for prediction in found] == ["one", None, "three"]
    assert first.batches == [3, 1, 1, 1]
    assert_same(found[2], predict([saying(3)])[0])
    assert predict([NOISE]) == [None]


def test_other_models_have_no_token(reader: Model, listener: Listener) -> None:
    """The lstm reads texts."""
    del listener
    [found] = predictor(reader)([saying(7)])
    assert found is not None
    assert found.asr_token is None


def cascade_of(trained: Path, served: Path, folder: Path, threshold: float) -> Cascade:
    """Build a cascade with a threshold, and open it."""
    build(trained, served, CascadeParams(threshold=threshold, cost_of_asking=0), folder / "cascade")
    opened = cascade.load(folder / "cascade", threads=1)
    assert isinstance(opened, Cascade)
    return opened


def test_a_cascade_that_always_asks_fuses_both_models(
    trained: Path, served: Path, first: FirstListener, tmp_path: Path
) -> None:
    """Its predictions name both, and have the recognizer's token; the recognizer reads all clips together."""
    both = cascade_of(trained, served, tmp_path, threshold=2)
    clips = [saying(digit) for digit in range(10)]
    found = predictor(both)(clips)
    expected, _ = combined(
        both.first.predict_waveforms([*map(both.first.prepare, clips)]),
        both.second.predict_logprobs(np.stack([*map(first.logprobs, clips)])),
        both.description.rule,
    )
    for digit, prediction in enumerate(found):
        assert_same(prediction, Prediction(expected.probabilities[digit], float(expected.ood_scores[digit]), ""))
        assert prediction is not None
        assert (prediction.answered_by, prediction.asr_token) == ("cnn+whisper", DIGIT_WORDS[digit])
    assert first.batches == [10]


def test_a_cascade_asks_where_its_first_model_is_in_doubt(
    trained: Path, served: Path, first: FirstListener, tmp_path: Path, toy: Path
) -> None:
    """The other predictions are those of the first model; no prediction depends on the other clips."""
    del first
    clips = [waveform.read(toy / "raw" / f"{digit}_ben_0.wav") for digit in range(10)]
    by_first = [one for one in predictor(model.load(served / "cnn", threads=1))(clips) if one is not None]
    threshold = float(np.median([one.probabilities.max() for one in by_first]))
    doubtful = [one.ood_score > 1 or one.probabilities.max() < threshold for one in by_first]
    predict = predictor(cascade_of(trained, served, tmp_path, threshold))
    found = predict(clips)
    assert [one is not None and one.is_fused for one in found] == doubtful
    assert 0 < sum(doubtful) < len(clips)
    for clip, prediction, own in zip(clips, found, by_first, strict=True):
        assert_same(prediction, predict([clip])[0])
        if prediction is not None and not prediction.is_fused:
            assert (prediction.answered_by, prediction.asr_token) == ("cnn", None)
            assert_same(prediction, own)


def test_a_clip_on_which_the_recognizer_of_a_cascade_fails_does_not_affect_the_others(
    trained: Path, served: Path, first: FirstListener, tmp_path: Path
) -> None:
    """It has no prediction, though the first model has one."""
    predict = predictor(cascade_of(trained, served, tmp_path, threshold=2))
    found = predict([saying(1), NOISE, saying(3)])
    assert [None if prediction is None else prediction.asr_token for prediction in found] == ["one", None, "three"]
    assert_same(found[2], predict([saying(3)])[0])
    assert first.batches[0] == 3


@pytest.fixture(params=["cnn", "rnn"])
def waveform_model(request: pytest.FixtureRequest, served: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Open a model that takes waveforms, where there is no recognizer."""
    for name in tuple(registry.ENGINES):
        monkeypatch.delitem(registry.ENGINES, name)
    return model.load(served / request.param, threads=1)


@pytest.fixture
def sounds(toy: Path) -> list[Waveform]:
    """Open ten digits of unequal length; then one at another rate, and one that is shorter than a window."""
    clips = [waveform.read(toy / "raw" / f"{digit}_ben_0.wav") for digit in range(10)]
    twice = Waveform(np.repeat(clips[3].samples, 2), 16_000)
    return [*clips, twice, Waveform(clips[5].samples[:80], 8000)]


def test_a_model_of_waveforms_needs_no_recognizer(waveform_model: Model, sounds: list[Waveform]) -> None:
    """Its predictions are those of the graph for prepared clips."""
    expected = waveform_model.predict_waveforms([waveform_model.prepare(clip) for clip in sounds])
    found = predictor(waveform_model)(sounds)
    assert len(found) == len(sounds)
    for prediction, probabilities, ood_score in zip(found, expected.probabilities, expected.ood_scores, strict=True):
        assert_same(prediction, Prediction(probabilities, float(ood_score), waveform_model.description.model))
    labels = [prediction.probabilities.argmax() for prediction in found[:10] if prediction is not None]
    assert sum(label == digit for digit, label in enumerate(labels)) >= 8


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100])
def test_an_offset_changes_no_prediction(waveform_model: Model, sounds: list[Waveform], rate_hz: int) -> None:
    """Not at another sample rate either, at which resampling would make clicks of its ends."""
    clips = [Waveform(resampled(clip, rate_hz), rate_hz) for clip in sounds[:10]]
    predict = predictor(waveform_model)
    with_offset = predict([Waveform(0.2 * clip.samples + np.float32(0.3), rate_hz) for clip in clips])
    for found, expected in zip(with_offset, predict(clips), strict=True):
        assert found is not None
        assert expected is not None
        np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=0, atol=0.02)


def test_a_prediction_from_waveforms_does_not_depend_on_the_other_clips(
    waveform_model: Model, sounds: list[Waveform]
) -> None:
    """Longer, shorter or louder ones."""
    predict = predictor(waveform_model)
    loud = Waveform(np.ones(20_000, dtype=np.float32), 8000)
    for clip, prediction in zip(sounds, predict(sounds), strict=True):
        assert_same(prediction, predict([clip])[0])
        assert_same(prediction, predict([loud, clip, NOISE])[1])
