"""The base of every error that a user can mend.

Each subclass stands beside what raises it:

    AudiomnistError
    +-- params.ParamsError                params.yaml: all mistakes in one message
    +-- faults.FaultError                 a file's content cannot be used; carries a reason code
    |   +-- wav.WavError                  it is no WAV file that is read here
    |   +-- scoring.decoder.DecodingError it cannot be decoded by libsndfile
    |   +-- scoring.acceptance.UnusableSoundError  no model is asked about such a sound
    +-- audio.BadAudioError               one recording cannot be used; carries a reason code
    +-- corpus.manifest.ManifestError     a manifest is malformed, or a folder differs from it
    +-- corpus.archive.ArchiveError       an archive is damaged, or holds what a corpus has no use for
    +-- corpus.sources.SourceError        no source of recordings can be reached or read
    +-- corpus.espeak.SynthesisError      eSpeak NG cannot speak
    +-- splits.SplitError                 a split is impossible, would leak, or cannot be read
    +-- recognition.RecognitionError      a speech recogniser cannot be loaded or used
    +-- gates.tables.MeasurementError     a gate's data cannot be measured at all
    +-- expectations.UnmetError           data broke an expectation; names the recordings
    +-- bundle.BundleError                a model bundle is absent, altered or of another version
    +-- fitting.FittingError              a network cannot be trained as asked
    +-- export.ExportError                the exported graph does not answer as the network does
    +-- compilation.weights.CompilationError  a graph cannot be compiled to the one that is served
    +-- report.comparison.ComparisonError the models were judged on different clips
    +-- report.protocol_predictions.ProtocolError  a protocol's predictions are incomplete, or of different clips
    +-- report.revisions.RevisionError    a revision's test predictions cannot be had or compared
    +-- report.robustness.RobustnessError a model cannot be judged on disturbed clips
    +-- baseline.BaselineError            the linear baseline cannot be fitted
    +-- scoring.inbox.InboxError          the folder to be scored cannot be listed
    +-- scoring.inbox.NotReadError        a file gives no content, now or ever
    +-- scoring.decoder.DecoderStartError the process that decodes FLAC does not start
    +-- scoring.place.TableError          a folder is no table of the scorer, or cannot be read as one
    +-- scoring.place.TableWriteError     the table cannot be written
    +-- scoring.lock.LockedError          another run holds the table
    +-- scoring.formats.OutputError       rows cannot be written to a file
    +-- scoring.summary.CountError        a run's counts contradict each other
    +-- scoring.summary.SummaryError      a run's summary is of another version
    +-- quickstart.QuickstartError        the first run cannot go on
"""


class AudiomnistError(Exception):
    """An error whose text is complete: what is wrong, where, and what would mend it."""


class FaultError(AudiomnistError):
    """A file's content cannot be used. `reason` is a stable code; `sentence` says it without the file's name."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence

    def __reduce__(self) -> tuple[type["FaultError"], tuple[str, str]]:
        return type(self), (self.reason, self.sentence)
