"""What a speech recognizer hears in every recording."""

from pathlib import Path

from audiomnist.asr.params import TranscribeParams
from audiomnist.asr.transcribe import transcribe as recognize
from audiomnist.core import params, stage


def transcribe(
    parameters: Path, recordings: Path, raw: Path, corpus: Path, out: Path, report: Path, work: Path
) -> None:
    """Transcribe the recordings."""
    how = params.section(parameters, "transcribe", TranscribeParams)
    recognize(recordings, raw, how, out, report, corpus=corpus, work=work)


if __name__ == "__main__":
    stage.run(transcribe)
