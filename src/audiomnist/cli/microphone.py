"""The commands `audiomnist devices`, `record` and `listen`."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from audiomnist.cli.score import served_model
from audiomnist.core import extras
from audiomnist.core.extras import MissingExtraError

_SERVED = Path("models/served")
_REMEDY = "apt-get install portaudio19-dev gcc, then pip install 'audiomnist[microphone]'"

DeviceOption = Annotated[
    str | None, typer.Option(metavar="INDEX|NAME", help="The microphone, as `audiomnist devices` lists it.")
]


@contextmanager
def _explained() -> Iterator[None]:
    """Raise MissingExtraError if PyAudio or SpeechRecognition cannot be imported."""
    try:
        yield
    except ImportError as error:
        if str(error.name).startswith("audiomnist"):
            raise
        raise MissingExtraError(f"the microphone cannot be used ({error}): {_REMEDY}") from error


def devices() -> None:
    """List the microphones: index, name, channels, default rate, and which is the default.

    Status 1: there is none, or the extra is not installed.
    """
    with _explained():
        from audiomnist.microphone import portaudio  # noqa: PLC0415 - keeps --help quick
    from audiomnist.report.tables import ResultTable  # noqa: PLC0415

    with portaudio.portaudio() as audio:
        found = portaudio.inputs(audio)
    rows = [
        (str(each.index), each.name, str(each.channels), f"{each.sample_rate_hz:,} Hz", "default" * each.is_default)
        for each in found
    ]
    ResultTable(("index", "name", "channels", "rate", ""), rows).echo()


def record(
    speaker: Annotated[str, typer.Option(help="Name of the speaker, for the names of the files.")],
    into: Annotated[Path, typer.Option(file_okay=False, metavar="FOLDER", help="Where the files go.")],
    digit: Annotated[
        int | None, typer.Option(min=0, max=9, help="The digit to say; by default all ten, in random order.")
    ] = None,
    takes: Annotated[int, typer.Option(min=1, help="Takes of each digit.")] = 10,
    device: DeviceOption = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing and keep every good take; so it is without a terminal, too.")
    ] = False,
) -> None:
    """Record digits with the microphone, as {digit}_{speaker}_{take}.wav, like the recordings of the corpus.

    Takes that are clipped, silent, too short or too long are refused with the reason and recorded again. No file is
    overwritten: takes go on after the highest number that is there. Status 1: there is no microphone or it is gone, the
    folder cannot be written, or, where nothing is asked, five takes in a row were refused. 130: interrupted; the takes
    that were kept are there.
    """
    with _explained():
        from audiomnist.microphone import portaudio, record  # noqa: PLC0415 - keeps --help quick
    from rich.console import Console  # noqa: PLC0415

    from audiomnist.microphone.take import check_speaker  # noqa: PLC0415

    check_speaker(speaker)
    console = Console(highlight=False)
    asks = not yes and sys.stdin is not None and sys.stdin.isatty() and console.is_terminal

    def ask(question: str) -> str:
        console.print(question, end="")
        line = sys.stdin.readline()
        return line.strip().lower() if line else "q"

    with portaudio.portaudio() as audio:
        chosen = portaudio.chosen(portaudio.inputs(audio), device)
        with portaudio.Microphone(audio, chosen) as microphone:
            session = record.Session(microphone, into, speaker, console, ask if asks else None)
            record.record(session, record.order(digit, takes))


def listen(
    model: Annotated[
        list[Path] | None,
        typer.Option(readable=False, help="Folder of a model bundle, by default the served model; repeatable."),
    ] = None,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Withhold labels with a lower confidence.")] = 0.5,
    count: Annotated[int | None, typer.Option(min=1, help="End after so many words; by default with Ctrl-C.")] = None,
    device: DeviceOption = None,
    *,
    every: Annotated[bool, typer.Option("--all", help=f"All models in {_SERVED}, side by side.")] = False,
    text: Annotated[bool, typer.Option("--text", help="Show Whisper's text, too.")] = False,
) -> None:
    """Label the digits that the microphone hears: the three most likely, and how long after the word.

    Models are loaded before the microphone opens. "?" stands for a label that is withheld: its confidence is too low,
    or the sound is unlike a digit to the model. Status 0: Ctrl-C, or so many words were heard. 1: there is no
    microphone or it is gone, or a model cannot be used.
    """
    with _explained():
        from audiomnist.microphone import listen, portaudio  # noqa: PLC0415 - keeps --help quick
    from rich.console import Console  # noqa: PLC0415

    from audiomnist.microphone.display import Display  # noqa: PLC0415
    from audiomnist.scoring.shutdown import stoppable  # noqa: PLC0415

    console = Console()
    with extras.explained("asr"):
        labellers = [listen.labeller(bundle) for bundle in _bundles(model or [], every=every)]
        transcribe = listen.whisper() if text else None
    with stoppable() as stop, portaudio.portaudio() as audio:
        chosen = portaudio.chosen(portaudio.inputs(audio), device)
        with portaudio.Microphone(audio, chosen) as microphone:
            console.print(f"Listening to {chosen.name}. Ctrl-C ends.", highlight=False)
            with Display(console, min_confidence) as display, closing(microphone.frames()) as frames:
                listen.listen(frames, microphone.SAMPLE_RATE, labellers, transcribe, display, count, stop)


def _bundles(named: list[Path], *, every: bool) -> list[Path]:
    """Return the folders of the bundles."""
    if not every:
        return named or [served_model()]
    found = sorted(path.parent for path in _SERVED.glob("*/bundle.json"))
    if not found:
        raise typer.BadParameter(f"there is no bundle in {_SERVED}: dvc pull, or dvc repro", param_hint="--all")
    return [*named, *found]
