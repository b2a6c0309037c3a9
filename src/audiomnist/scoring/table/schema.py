"""Schema of the table: its columns and their codes."""

from functools import partial

import pyarrow as pa

from audiomnist.core.digits import PROBABILITIES
from audiomnist.scoring.table.kind import TableKind

STATUSES = {
    "scored": "the file has its label",
    "abstained": "the label is withheld, because its confidence is below --min-confidence",
    "rejected": "the file's content cannot be scored; `reason` says why",
}

# Reasons for a rejection. The column `message` has a sentence that names the file.
REASONS = {
    "empty": "the file, or the sound in it, has no bytes",
    "not_audio": "the content is in no supported audio format",
    "truncated": "the file ends before its sound does",
    "inconsistent_header": "fields of the header contradict each other, or the file",
    "unsupported_encoding": "the encoding of the audio is not supported",
    "bad_rate": "the sample rate lies outside 4 to 192 kHz",
    "bad_channels": "there is no channel, or there are more than eight",
    "not_finite": "samples are not finite numbers",
    "out_of_range": "samples are far beyond full scale",
    "too_short": "the sound is too short for a digit",
    "too_long": "the sound is longer than the limit",
    "silent": "the sound is silent",
    "clipped": "too many samples are at full scale",
    "too_large": "the file is larger than the limit",
    "undecodable": "the decoder failed on the content",
    "link": "it is a symbolic link, which is not followed",
    "not_regular_file": "it is a device, a pipe or a socket",
}

# Former codes, which older rows have, and the current ones.
FORMER_REASONS = {"not_a_file": "not_regular_file", "lying_sizes": "inconsistent_header"}


def _column(name: str, kind: pa.DataType, description: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable, metadata={"description": description})


_required = partial(_column, nullable=False)

SCHEMA = pa.schema(
    [
        _required("path", pa.string(), "where the file lay, relative to the inbox"),
        _column("content_sha256", pa.string(), "SHA-256 of the file's content, in hexadecimal"),
        _required("size_bytes", pa.int64(), "size of the file"),
        _required("modified_ns", pa.int64(), "when the file was last modified, in ns since 1970 UTC"),
        _required("status", pa.string(), "scored, abstained or rejected"),
        _column("digit", pa.int8(), "the label, 0 to 9"),
        _column("confidence", pa.float32(), "calibrated probability of the most probable digit"),
        *(_column(name, pa.float32(), f"calibrated probability of the digit {name[1:]}") for name in PROBABILITIES),
        _column(
            "ood_score",
            pa.float32(),
            "how unlike a digit the sound is; above 1 lies one digit by a new voice in twenty",
        ),
        _column("reason", pa.string(), "code of the reason for a rejection"),
        _column("message", pa.string(), "that reason in a sentence that names the file"),
        _column("duration_s", pa.float64(), "length of the sound in the file, in seconds"),
        _column("sample_rate_hz", pa.int32(), "sample rate of the file"),
        _column("channels", pa.int16(), "channels of the file"),
        _column("peak", pa.float32(), "largest magnitude of a sample before the channels are mixed; full scale is 1"),
        _required("model", pa.string(), "name of the model"),
        _required("model_version", pa.string(), "SHA-256 of the model bundle's description"),
        _required("dataset", pa.string(), "name of the dataset that the model was trained on"),
        _required("dataset_version", pa.string(), "revision of that dataset"),
        _required("code_revision", pa.string(), "git revision, or version, of the program that made the row"),
        _required("run_id", pa.string(), "the run that wrote the row"),
        _required("scored_at", pa.timestamp("us", "UTC"), "when the row was made"),
        _column("answered_by", pa.string(), "the models that the label is from, joined by +"),
        _column("asr_token", pa.string(), "most likely first token of the speech recognizer, where it was asked"),
        _column("etag", pa.string(), "version of the object, if the inbox is in an object store"),
    ]
)

# No two rows have the same values in all of these columns.
IDENTITY = ("path", "content_sha256", "model_version")

LABELS = TableKind(
    schema=SCHEMA,
    identity=IDENTITY,
    selective="model_version",
    newer=("answered_by", "asr_token", "etag"),
    made_at="scored_at",
    name="audiomnist",
    description="Spoken digits: one row per path, content and model version",
    log_retention="interval 3650 days",
    maker="there is no table in {path}: `audiomnist score INBOX --into {path}` makes one",
    recovery="the next run writes the rows of a removed entry again",
)
