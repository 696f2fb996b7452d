"""What wraps a stage: its log, one-sentence errors, tracebacks for what is ours."""

import logging
from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_info

from contigwas.errors import UserError
from contigwas.logs import job


@pytest.fixture(autouse=True)
def _loggers_as_before() -> Iterator[None]:
    """A job sets up its process's logging for good; the tests after this file want theirs."""
    root, ours = logging.getLogger(), logging.getLogger("contigwas")
    before = root.level, ours.level, [*root.handlers]
    yield
    root.setLevel(before[0])
    ours.setLevel(before[1])
    for handler in [one for one in root.handlers if one not in before[2]]:
        handler.close()
    root.handlers[:] = before[2]
    logging.captureWarnings(False)


def test_a_users_mistake_ends_in_one_sentence(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, job(tmp_path / "a" / "b.log"):
        raise UserError("the file x lacks y: add it")
    assert end.value.code == 1
    assert capsys.readouterr().err == "contigwas: the file x lacks y: add it\n"
    text = (tmp_path / "a" / "b.log").read_text()
    assert "the file x lacks y" in text
    assert "Traceback" not in text


def test_our_own_mistake_leaves_its_traceback_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError), job(tmp_path / "b.log"):
        _ = 1 / 0
    assert "Traceback" in (tmp_path / "b.log").read_text()


def test_the_stage_speaks_into_its_log_and_threads_are_limited(tmp_path):
    with job(tmp_path / "b.log", 1):
        logging.getLogger("contigwas.stage").info("a column was dropped")
        logging.getLogger("chatty").info("not ours")
        assert {pool["num_threads"] for pool in threadpool_info()} <= {1}
    text = (tmp_path / "b.log").read_text()
    assert "a column was dropped" in text
    assert "not ours" not in text


def test_the_second_of_processes_that_train_together_adds_its_warnings_to_the_firsts_log(tmp_path, monkeypatch):
    log = logging.getLogger("contigwas.stage")
    (tmp_path / "b.log").write_text("of an earlier run\n")
    with job(tmp_path / "b.log"):
        log.info("from the first, before")
        monkeypatch.setenv("LOCAL_RANK", "1")
        first = [*logging.getLogger().handlers]
        logging.getLogger().handlers.clear()  # what another process has not
        with job(tmp_path / "b.log"):
            log.info("said twice")
            log.warning("from the second")
        logging.getLogger().handlers[:] = first
        log.warning("from the first, after")
    lines = (tmp_path / "b.log").read_text().splitlines()
    assert [line.partition("stage: ")[2] for line in lines] == [
        "from the first, before",
        "from the second",
        "from the first, after",
    ]
