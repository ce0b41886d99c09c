"""The machines of the unit tests, on a catalog in PostgreSQL."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from jupyter_dvmount.store import VersionStore, open_store
from tests.services.postgres import PostgresServer
from tests.unit.store.test_store_machine import StoreMachine
from tests.unit.store.test_store_sets_machine import SetsMachine


def on_postgresql(
    machine: type[RuleBasedStateMachine], server: PostgresServer
) -> type[RuleBasedStateMachine]:
    """The same machine with its catalog in a schema of its own."""

    class OnPostgresql(machine):
        def __init__(self) -> None:
            self.schema = server.new_schema()
            super().__init__()

        def open(self) -> VersionStore:
            data = (self.directory / "store").as_uri()
            return open_store(f"{data}?catalog={server.url(schema=self.schema)}")

        def teardown(self) -> None:
            super().teardown()
            server.remove_schema(self.schema)

    return OnPostgresql


@pytest.mark.parametrize("machine", [StoreMachine, SetsMachine])
def test_the_store_is_what_the_model_says(
    machine: type[RuleBasedStateMachine], postgres: PostgresServer
) -> None:
    few = settings(
        max_examples=8, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(on_postgresql(machine, postgres), settings=few)
