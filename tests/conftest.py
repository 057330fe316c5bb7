"""What all tests share."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import postgres
import pytest

pytest_plugins = ["pytester"]

if "PYTEST_XDIST_WORKER" in os.environ:  # coverage measures the workers, not what their tests start: that takes minutes
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is in a job that a script started in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def faults_of_a_test_stay_in_it() -> Iterator[None]:
    """A fault that a test defines is unknown to the next one."""
    module = sys.modules.get("dissonance.faults.fault")
    known = {} if module is None else dict(module._REGISTER)
    yield
    if known:
        register = sys.modules["dissonance.faults.fault"]._REGISTER
        register.clear()
        register.update(known)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server: that of ``DISSONANCE_TEST_POSTGRES``, else one that each worker starts."""
    given = os.environ.get("DISSONANCE_TEST_POSTGRES")
    if given:
        yield given
        return
    programs = postgres.programs()
    if programs is None:
        pytest.skip("needs PostgreSQL: no initdb is installed, and DISSONANCE_TEST_POSTGRES names no server")
    with postgres.server(programs) as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database, which no other test sees."""
    with postgres.database(postgres_server) as url:
        yield url
