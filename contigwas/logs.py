"""What a rule's adapter wraps around its one library call: the rule's log, one-sentence errors, math threads."""

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from threadpoolctl import threadpool_limits

from contigwas.errors import UserError

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@contextmanager
def job(log: str | os.PathLike, math_threads: int | None = None) -> Iterator[None]:
    """Run one stage: log to `log`, limit BLAS and torch to `math_threads`, end user errors in one sentence.

    A `UserError` is logged and printed to stderr, then the process exits with status 1. Any other exception is
    written to the log with its traceback and raised again.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    # of processes that train together the first one tells; all append, or they would write over each other's lines
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    if first:
        Path(log).write_text("")
    handler = logging.FileHandler(log)
    logging.basicConfig(level=logging.WARNING, format=FORMAT, force=True, handlers=[handler])
    logging.getLogger("contigwas").setLevel(logging.INFO if first else logging.WARNING)
    logging.captureWarnings(True)
    try:
        if math_threads is None:
            yield
        else:
            if "torch" in sys.modules:
                sys.modules["torch"].set_num_threads(math_threads)
            with threadpool_limits(math_threads):
                yield
    except UserError as error:
        logging.getLogger("contigwas").error("%s", error)
        print(f"contigwas: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        logging.getLogger("contigwas").exception("the stage failed")
        raise
    finally:
        gc.freeze()  # spares half a second at the end, in which Python would look through every object of torch
