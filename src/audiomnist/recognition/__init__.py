"""Speech to text: recognisers behind one protocol, and the stage that runs them over a corpus."""

from audiomnist.recognition.protocol import Hypothesis, Recogniser, Recognition, RecognitionError

__all__ = ["Hypothesis", "Recogniser", "Recognition", "RecognitionError"]
