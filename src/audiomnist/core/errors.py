"""Base classes of the errors that a user can resolve. Each subclass is in the module that raises it."""


class AudiomnistError(Exception):
    """An error whose message is complete: what is wrong, where, and how to resolve it."""


class FaultError(AudiomnistError):
    """The content of a file cannot be used. `reason` is a stable code; `detail` explains it without the file's name."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["FaultError"], tuple[str, str]]:
        return type(self), (self.reason, self.detail)
