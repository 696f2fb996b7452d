"""The findings of preflight: errors, warnings and facts, each about one config key."""

import logging
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from zstandard import ZstdError

from contigwas.runtime.errors import UserError
from contigwas.runtime.job import places

log = logging.getLogger(__name__)
ERROR, WARNING, FACT = "error", "warning", "fact"
LEVELS = (ERROR, WARNING, FACT)
# exceptions of readers on truncated or overwritten files
DAMAGED = (EOFError, LookupError, ValueError, struct.error, zlib.error, ZstdError)


@dataclass(frozen=True)
class Finding:
    """One entry of the table.

    Attributes:
        level: error, warning or fact.
        key: config key.
        text: a sentence, or several lines.
    """

    level: str
    key: str
    text: str


@dataclass
class Findings:
    """All findings, in the order in which they were added."""

    found: list[Finding] = field(default_factory=list)

    def error(self, key: str, text: str) -> None:
        """Add a finding that would stop the run."""
        self._add(ERROR, key, text)

    def warn(self, key: str, text: str) -> None:
        """Add a finding that does not stop the run but may be a mistake."""
        self._add(WARNING, key, text)

    def fact(self, key: str, text: str) -> None:
        """Add a finding that needs no action."""
        self._add(FACT, key, text)

    def of(self, level: str) -> list[Finding]:
        """The findings of one level."""
        return [one for one in self.found if one.level == level]

    @contextmanager
    def report_errors(self, key: str) -> Iterator[None]:
        """Add exceptions of readers in the block as an error of `key`, and their logged warnings as warnings."""
        collector = _WarningCollector()
        library = logging.getLogger("contigwas")
        library.addHandler(collector)
        try:
            yield
        except UserError as error:
            self.error(key, str(error))
        except OSError as error:
            # without the path, which may contain an IID
            if error.errno is None:  # raised by gzip or HDF5, not by the system
                self._add_damaged(key, error)
            else:
                self.error(
                    key, f"a file cannot be read ({error.strerror or type(error).__name__}): correct its permissions"
                )
        except DAMAGED as error:
            self._add_damaged(key, error)
        finally:
            library.removeHandler(collector)
            for message in collector.messages:
                self.warn(key, message)

    def _add_damaged(self, key: str, error: Exception) -> None:
        self.error(key, f"a file is damaged or has an unexpected format ({type(error).__name__}): copy it again")
        # without the message, which may contain a row of the file
        log.info("%s: %s, %s", key, type(error).__name__, " < ".join(places(error)))

    def _add(self, level: str, key: str, text: str) -> None:
        finding = Finding(level, key, text)
        if finding not in self.found:
            self.found.append(finding)


class _WarningCollector(logging.Handler):
    """Collects the warnings that contigwas logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Add the message of one record."""
        self.messages.append(record.getMessage())
