"""Errors a person can act on: what was received, what was expected, what to do."""


class SqzError(Exception):
    """A known failure: printed as one line, exit code 1.

    Args:
      what: what happened, with the value received.
      expected: what would have been right; may be empty.
      fix: what to do now; may be empty.
    """

    def __init__(self, what: str, *, expected: str = "", fix: str = "") -> None:
        self.what, self.expected, self.fix = what, expected, fix
        parts = [what]
        if expected:
            parts.append(f"expected {expected}")
        if fix:
            parts.append(fix)
        super().__init__("; ".join(parts))


class DataError(SqzError):
    """The pictures, labels or folders given cannot be used."""


class ConfigError(SqzError):
    """An option has a value that cannot work."""


class TrainingError(SqzError):
    """Training did not learn anything."""


class ConversionError(SqzError):
    """The converter produced something other than what was asked for."""


class OutputError(SqzError):
    """The output folder cannot be written."""
