"""The base of every error that a user can mend.

Each subclass stands beside what raises it:

    AudiomnistError
    +-- params.ParamsError                params.yaml: all mistakes in one message
    +-- audio.BadAudioError               one recording cannot be used; carries a reason code
    +-- corpus.manifest.ManifestError     a manifest is malformed, or a folder differs from it
    +-- corpus.archive.ArchiveError       an archive is damaged, or holds what a corpus has no use for
    +-- corpus.sources.SourceError        no source of recordings can be reached or read
    +-- corpus.espeak.SynthesisError      eSpeak NG cannot speak
    +-- splits.SplitError                 a split is impossible or would leak
    +-- recognition.RecognitionError      a speech recogniser cannot be loaded or used
    +-- gates.tables.MeasurementError     a gate's data cannot be measured at all
    +-- expectations.UnmetError           data broke an expectation; names the recordings
    +-- bundle.BundleError                a model bundle is absent, altered or of another version
    +-- fitting.FittingError              a network cannot be trained as asked
    +-- export.ExportError                the exported graph does not answer as the network does
    +-- report.comparison.ComparisonError the models were judged on different clips
    +-- scoring.folder.InboxError         the folder to be scored cannot be read
    +-- quickstart.QuickstartError        the first run cannot go on
"""


class AudiomnistError(Exception):
    """An error whose text is complete: what is wrong, where, and what would mend it."""
