"""What the table of figures shows, and in which order."""

from collections.abc import Mapping
from typing import NamedTuple


class Line(NamedTuple):
    """A line of the table: names are those of the report, dots between them.

    Attributes:
        title: what was measured, with its unit.
        section: of the report.
        ours: the figure.
        beside: the peer's figure, "" for none.
        ratio: of the two, "" for none.
    """

    title: str
    section: str
    ours: str
    beside: str = ""
    ratio: str = ""


def _peers(title: str, section: str, rate: str, peers: Mapping[str, str], ours: str = "") -> list[Line]:
    return [
        Line(f"{title}, beside {told}", section, f"{ours}{rate}", f"{name}_{rate}", f"{ours}ratio_to_{name}")
        for name, told in peers.items()
    ]


def _growth(section: str, files: int) -> list[Line]:
    place, told = f"files_{files}", f"{files:,} files"
    return [
        Line(f"{told}, files/s", section, f"{place}.files_per_s"),
        Line(f"{told}, largest process, MB", section, f"{place}.largest_process_mb"),
        Line(f"{told}, all processes, MB", section, f"{place}.all_processes_mb"),
        Line(f"{told}, table, MB", section, f"{place}.table_mb"),
        Line(f"{told} known, a run that finds nothing new, s", section, f"{place}.nothing_new.seconds"),
        Line(f"{told} known, largest process, MB", section, f"{place}.nothing_new.largest_process_mb"),
    ]


def _compared(section: str, files: int, less: int) -> list[Line]:
    place, told = f"files_{files}.beside_{less}", f"{files:,} files beside {less:,}"
    return [
        Line(f"{told}, time per file, times", section, f"{place}.time_per_file"),
        Line(f"{told}, largest process, MB more", section, f"{place}.more_memory_mb"),
    ]


_SPECTRA = {"librosa": "librosa", "torchaudio": "torchaudio"}
_STYLES = {"notebook": "the notebook style", "dataloader": "the DataLoader style", "batched_torch": "batched torch"}
LINES = [
    *_peers("scoring a folder, files/s", "score", "files_per_s", _STYLES),
    Line(
        "scoring a folder, files/s, beside one core",
        "score",
        "files_per_s",
        "one_core_files_per_s",
        "ratio_to_one_core",
    ),
    Line("start-up to the first label, s", "score", "first_label_s"),
    Line("empty inbox, s", "score", "empty_inbox_s"),
    *_peers("scoring with the rnn, files/s", "score_rnn", "files_per_s", _STYLES),
    *_peers("MFCCs, clips/s", "mfcc", "clips_per_s", _SPECTRA),
    Line(
        "training, clips per CPU second, beside the paper's CNN", "training", "clips_per_cpu_s", "paper_clips_per_cpu_s"
    ),
    Line("a whole training, CPU seconds, extrapolated", "training", "cpu_s", "paper_cpu_s", "ratio_to_paper"),
    *_peers(
        "transcription, clips per CPU second",
        "transcription",
        "clips_per_cpu_s",
        {"sphinx": "`recognize_sphinx`", "faster_whisper": "`recognize_faster_whisper`"},
    ),
    Line(
        "transcription, digits found, beside `recognize_sphinx`",
        "transcription",
        "found_of_peers_clips",
        "sphinx_found",
    ),
    Line(
        "the same, beside `recognize_faster_whisper`", "transcription", "found_of_peers_clips", "faster_whisper_found"
    ),
    *_growth("growth", 1_000),
    *_growth("growth", 10_000),
    *_growth("growth", 100_000),
    *_compared("growth", 100_000, 10_000),
    *_growth("million", 1_000_000),
    *_compared("million", 1_000_000, 10_000),
    Line("`dvc repro` with nothing to do, s", "overhead", "dvc_repro_s"),
    Line("`dvc status`, s", "overhead", "dvc_status_s"),
    Line("`audiomnist --help`, s", "overhead", "help_s"),
    Line("`import audiomnist.cli.main`, s", "overhead", "import_cli_s"),
    Line("`import torch`, s", "overhead", "import_torch_s"),
    Line("`import librosa`, s", "overhead", "import_librosa_s"),
]
