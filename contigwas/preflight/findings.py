"""What preflight has to say: errors, warnings and facts, each about one key of the config."""

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
# what readers raise of a file that is cut short or overwritten
DAMAGED = (EOFError, LookupError, ValueError, struct.error, zlib.error, ZstdError)


@dataclass(frozen=True)
class Finding:
    """One line of the table. level: error, warning or fact; key: of the config; text: a sentence, or several lines."""

    level: str
    key: str
    text: str


@dataclass
class Findings:
    """All findings, in the order in which they were made."""

    found: list[Finding] = field(default_factory=list)

    def error(self, key: str, text: str) -> None:
        """Add what will end the run."""
        self._add(ERROR, key, text)

    def warn(self, key: str, text: str) -> None:
        """Add what will not end the run, but may not be meant."""
        self._add(WARNING, key, text)

    def fact(self, key: str, text: str) -> None:
        """Add what is as it should be."""
        self._add(FACT, key, text)

    def of(self, level: str) -> list[Finding]:
        """The findings of one level."""
        return [one for one in self.found if one.level == level]

    @contextmanager
    def reported(self, key: str) -> Iterator[None]:
        """Turn what a reader raises inside the block into an error about `key`, and what it warns of into warnings."""
        heard = _Heard()
        library = logging.getLogger("contigwas")
        library.addHandler(heard)
        try:
            yield
        except UserError as error:
            self.error(key, str(error))
        except OSError as error:
            # a path may name a sample; which key it is of is reported anyway
            if error.errno is None:  # of gzip and HDF5, not of the system
                self._damaged(key, error)
            else:
                self.error(
                    key, f"a file cannot be read ({error.strerror or type(error).__name__}): see to its permissions"
                )
        except DAMAGED as error:
            self._damaged(key, error)
        finally:
            library.removeHandler(heard)
            for sentence in heard.sentences:
                self.warn(key, sentence)

    def _damaged(self, key: str, error: Exception) -> None:
        self.error(key, f"a file is damaged or not of the kind expected ({type(error).__name__}): copy it again")
        # without the message, which may quote a row
        log.info("%s: %s, %s", key, type(error).__name__, " < ".join(places(error)))

    def _add(self, level: str, key: str, text: str) -> None:
        finding = Finding(level, key, text)
        if finding not in self.found:
            self.found.append(finding)


class _Heard(logging.Handler):
    """Keeps the warnings that the library logs."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.sentences: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self.sentences.append(record.getMessage())
