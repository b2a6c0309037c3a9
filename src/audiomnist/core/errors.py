"""The base of every error that a user can resolve. Each subclass is in the module that raises it."""


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
