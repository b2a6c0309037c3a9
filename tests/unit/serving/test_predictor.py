"""Hearing: waveforms in, an answer for each, and what a recognizer that fails on one of them costs the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from audiomnist.asr import registry
from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.recognizer import Hypothesis, Recognition, RecognitionError
from audiomnist.audio import waveform as audio
from audiomnist.audio.waveform import Waveform
from audiomnist.core.digits import DIGIT_WORDS
from audiomnist.serving import model
from audiomnist.serving.bundle.description import TranscriptInput
from audiomnist.serving.model import Model
from audiomnist.serving.predictor import Prediction, hearing

MUMBLE = Waveform(np.full(800, -0.5, dtype=np.float32), 8000)
NOISE = Waveform(np.full(800, -0.9, dtype=np.float32), 8000)
TOLERANCE = 1e-5


def saying(digit: int) -> Waveform:
    """Return a clip in which the listener hears a digit: its samples are hundredths."""
    return Waveform(np.full(800, digit / 100, dtype=np.float32), 8000)


@dataclass
class Listener:
    """A recognizer that hears digits as plain words, nothing in a mumble, and cannot use noise.

    Attributes:
        failure: what it raises where there is noise in a batch.
        batches: the sizes of the batches it was given.
        settings: with which it was loaded.
    """

    failure: Exception = field(default_factory=lambda: ValueError("no speech can be so loud"))
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
        if any(waveform is NOISE for waveform in waveforms):
            raise self.failure
        return [Recognition.of(self._heard(waveform)) for waveform in waveforms]

    def _heard(self, waveform: Waveform) -> list[Hypothesis]:
        if waveform is MUMBLE:
            return []
        return [Hypothesis(DIGIT_WORDS[round(100 * float(waveform.samples[0]))], -0.1), Hypothesis("uh", -2.0)]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    """Stand in for the recognizer that the toy model's transcripts name."""
    listener = Listener()
    monkeypatch.setitem(registry.ENGINES, "sphinx", listener.load)
    return listener


@pytest.fixture
def reader(served: Path) -> Model:
    """Open the model of transcripts."""
    return model.load(served / "lstm", threads=1)


def assert_same(found: Prediction | None, expected: Prediction | None) -> None:
    """Compare two answers."""
    assert found is not None
    assert expected is not None
    np.testing.assert_allclose(found.probabilities, expected.probabilities, rtol=0, atol=TOLERANCE)
    assert found.ood_score == pytest.approx(expected.ood_score, abs=1e-3)


def test_a_model_of_transcripts_answers_what_its_recognizer_hears(reader: Model, listener: Listener) -> None:
    """Each clip its digit, with ten probabilities and a score; the recognizer is loaded once, as the bundle says."""
    hear = hearing(reader)
    for clips in ([saying(digit) for digit in range(10)], [saying(4)]):
        answers = hear(clips)
        assert len(answers) == len(clips)
        for clip, answer in zip(clips, answers, strict=True):
            assert answer is not None
            assert answer.probabilities.dtype == np.float32
            assert answer.probabilities.shape == (10,)
            assert answer.probabilities.argmax() == round(100 * float(clip.samples[0]))
            assert answer.probabilities.sum() == pytest.approx(1, abs=1e-5)
            assert isinstance(answer.ood_score, float)
    given = reader.description.input
    assert isinstance(given, TranscriptInput)
    assert [params.engine for params in listener.settings] == [given.recognizer["engine"]]
    assert listener.settings[0].n_best == given.recognizer["settings"]["n_best"]


def test_all_hypotheses_are_read_best_first(reader: Model, listener: Listener) -> None:
    """As training reads them."""
    del listener
    [found] = hearing(reader)([saying(7)])
    expected = reader.predict_texts([["seven", "uh"]])
    assert_same(found, Prediction(expected.probabilities[0], float(expected.ood_scores[0])))


@pytest.mark.parametrize("failure", [ValueError("?"), ZeroDivisionError("?"), RuntimeError("?")])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_clip_that_the_recognizer_cannot_use_costs_the_others_nothing(
    failure: Exception, place: int, reader: Model, listener: Listener
) -> None:
    """It has no answer, and theirs are those that they have without it."""
    listener.failure = failure
    hear = hearing(reader)
    good = [saying(digit) for digit in (3, 1, 4, 5)]
    expected = hear(good)
    found = hear([*good[:place], NOISE, *good[place:]])
    assert found.pop(place) is None
    for answer, other in zip(found, expected, strict=True):
        assert_same(answer, other)


def test_where_no_clip_can_be_used_there_is_no_answer(reader: Model, listener: Listener) -> None:
    """Neither for one nor for several."""
    del listener
    hear = hearing(reader)
    assert hear([NOISE]) == [None]
    assert hear([NOISE, NOISE, NOISE]) == [None, None, None]


def test_a_batch_without_fault_is_heard_once_and_a_faulty_one_clip_by_clip(reader: Model, listener: Listener) -> None:
    """No clip is heard a third time."""
    hear = hearing(reader)
    hear([saying(1), saying(2), saying(3)])
    hear([saying(1), NOISE, saying(3)])
    assert listener.batches == [3, 3, 1, 1, 1]


def test_a_clip_in_which_nothing_is_heard_is_answered(reader: Model, listener: Listener) -> None:
    """That is no failure of the recognizer."""
    del listener
    [found] = hearing(reader)([MUMBLE])
    expected = reader.predict_texts([[]])
    assert_same(found, Prediction(expected.probabilities[0], float(expected.ood_scores[0])))


def test_a_recognizer_that_is_out_of_order_says_so(reader: Model, listener: Listener) -> None:
    """That is no fault of the clip, and no answer is made up."""
    listener.failure = RecognitionError("the listener has gone home")
    with pytest.raises(RecognitionError, match="gone home"):
        hearing(reader)([saying(1), NOISE])


def test_a_recognizer_that_cannot_be_loaded_is_told_before_anything_is_heard(
    reader: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the engine's own sentence."""

    def absent(params: TranscribeParams) -> Listener:
        raise RecognitionError(f"{params.engine} is not installed")

    monkeypatch.setitem(registry.ENGINES, "sphinx", absent)
    with pytest.raises(RecognitionError, match="sphinx is not installed"):
        hearing(reader)


def test_an_answer_of_a_model_of_transcripts_does_not_depend_on_its_neighbours(
    reader: Model, listener: Listener
) -> None:
    """Of any other digits, or of nothing."""
    del listener
    hear = hearing(reader)
    clips = [saying(8), MUMBLE, saying(0), saying(6)]
    together = hear(clips)
    backwards = hear(clips[::-1])[::-1]
    for clip, answer, other in zip(clips, together, backwards, strict=True):
        assert_same(answer, hear([clip])[0])
        assert_same(answer, other)


@pytest.fixture(params=["cnn", "rnn"])
def ears(request: pytest.FixtureRequest, served: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Open a model that takes waveforms, where there is no recognizer."""
    for name in tuple(registry.ENGINES):
        monkeypatch.delitem(registry.ENGINES, name)
    return model.load(served / request.param, threads=1)


@pytest.fixture
def sounds(toy: Path) -> list[Waveform]:
    """Open ten digits of unequal length; then one at another rate, and one that is shorter than a window."""
    clips = [audio.read(toy / "raw" / f"{digit}_ben_0.wav") for digit in range(10)]
    twice = Waveform(np.repeat(clips[3].samples, 2), 16_000)
    return [*clips, twice, Waveform(clips[5].samples[:80], 8000)]


def test_a_model_of_waveforms_hears_for_itself(ears: Model, sounds: list[Waveform]) -> None:
    """Its answers are the graph's, of clips that are prepared as in training."""
    expected = ears.predict_waveforms([ears.prepare(clip) for clip in sounds])
    found = hearing(ears)(sounds)
    assert len(found) == len(sounds)
    for answer, probabilities, ood_score in zip(found, expected.probabilities, expected.ood_scores, strict=True):
        assert_same(answer, Prediction(probabilities, float(ood_score)))
    labels = [answer.probabilities.argmax() for answer in found[:10] if answer is not None]
    assert sum(label == digit for digit, label in enumerate(labels)) >= 8


def test_an_answer_of_a_model_of_waveforms_does_not_depend_on_its_neighbours(
    ears: Model, sounds: list[Waveform]
) -> None:
    """Longer, shorter or louder ones."""
    hear = hearing(ears)
    loud = Waveform(np.ones(20_000, dtype=np.float32), 8000)
    for clip, answer in zip(sounds, hear(sounds), strict=True):
        assert_same(answer, hear([clip])[0])
        assert_same(answer, hear([loud, clip, NOISE])[1])
