"""Kinds of tables: what distinguishes the table of labels from that of judgements."""

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, eq=False)
class TableKind:
    """Description of a kind of table.

    Attributes:
        schema: its columns; `path` is one of them.
        identity: columns; no two rows have the same values in all of them.
        selective: the column of the identity by which those rows are found that may be the same as given ones.
        newer: columns that tables of earlier versions lack; they are nullable and come last.
        made_at: the column with the time at which a row was made.
        name: of the table, in its metadata.
        description: of the table, in its metadata.
        log_retention: how long entries of the log are kept, as Delta Lake writes it; each costs a commit some 10 us.
        maker: how to make one, where there is none: a sentence in which `{path}` stands for the folder.
        recovery: how the rows of a damaged commit come back, once it is removed.
    """

    schema: pa.Schema
    identity: tuple[str, ...]
    selective: str
    newer: tuple[str, ...]
    made_at: str
    name: str
    description: str
    log_retention: str
    maker: str
    recovery: str

    def identities(self, rows: pa.Table | pa.RecordBatch) -> list[tuple[str | None, ...]]:
        """Return the values of the identity of each row."""
        return list(zip(*(rows[name].to_pylist() for name in self.identity), strict=True))

    def differences(self, other: pa.Schema) -> list[str]:
        """Return each column that differs from the schema, with both types, except those of `absent`."""
        expected, actual = _types(self.schema), _types(other)
        return [
            f"{name} ({actual.get(name, 'absent')}, expected {expected.get(name, 'none')})"
            for name in {**expected, **actual}
            if actual.get(name) != expected.get(name) and not (name in self.newer and name not in actual)
        ]

    def absent(self, other: pa.Schema) -> list[pa.Field]:
        """Return the columns that a table lacks because an earlier version made it."""
        return [self.schema.field(name) for name in self.newer if name not in other.names]


def _types(schema: pa.Schema) -> dict[str, str]:
    return {field.name: f"{field.type}{'' if field.nullable else ' not null'}" for field in schema}
