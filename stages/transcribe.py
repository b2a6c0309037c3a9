"""Stage `transcribe`: transcripts of all recordings."""

from pathlib import Path

from audiomnist.asr import transcribe as asr
from audiomnist.asr.params import TranscribeParams
from audiomnist.core import params, stage


def transcribe(
    parameters: Path, recordings: Path, raw: Path, corpus: Path, out: Path, report: Path, work: Path
) -> None:
    """Transcribe the recordings."""
    transcribe_params = params.section(parameters, "transcribe", TranscribeParams)
    asr.transcribe(recordings, raw, transcribe_params, out, report, corpus=corpus, work=work)


if __name__ == "__main__":
    stage.run(transcribe)
