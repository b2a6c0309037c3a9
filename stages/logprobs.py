"""Stage `logprobs`: log-probabilities of the recognizer's first token for all recordings."""

from pathlib import Path

from audiomnist.asr import logprobs as asr
from audiomnist.asr.params import TranscribeParams
from audiomnist.core import params, stage
from audiomnist.logprobs.params import LogprobsParams


def logprobs(parameters: Path, recordings: Path, raw: Path, out: Path) -> None:
    """Read the recordings with the recognizer."""
    section = params.section(parameters, "logprobs", LogprobsParams)
    transcribe = params.section(parameters, "transcribe", TranscribeParams)
    asr.write_logprobs(recordings, raw, section, transcribe, out)


if __name__ == "__main__":
    stage.run(logprobs)
