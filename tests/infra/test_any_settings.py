"""Whatever settings can stand, the program declares them, and every invariant holds.

The scenarios of tests/infra/scenarios.py are chosen by people; these are drawn.
"""

from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from infra.config import Problem, SettingsError, load
from tests.infra.invariants.every import INVARIANTS
from tests.infra.recording import record, record_component
from tests.laws import note

STACK = "some"
BOOLEANS = st.booleans()
PUBLIC = st.fixed_dictionaries(
    {"domain": st.just("labeling.example.org")},
    optional={
        "dns_zone": st.just("example-org"),
        "iap_members": st.just(["group:labelers@example.org", "user:ann@example.org"]),
    },
)
WATCHED = PUBLIC.map(
    lambda given: {**given, "uptime_check": True, "alert_email": "oncall@example.org"}
)
PRIVATE = st.just(dict[str, Any]())
NODES = st.one_of(
    st.just({"cluster_mode": "autopilot"}),
    st.fixed_dictionaries(
        {
            "cluster_mode": st.just("standard"),
            "node_machine_type": st.sampled_from(["e2-standard-4", "n2d-highmem-8"]),
            "node_count_max": st.integers(1, 100),
        }
    ),
)
IN_CLUSTER = st.just({"database": "in-cluster", "database_high_availability": False})
CLOUD_SQL = st.fixed_dictionaries(
    {
        "database": st.just("cloudsql"),
        "database_tier": st.sampled_from(["db-custom-1-3840", "db-custom-4-15360"]),
        "database_high_availability": BOOLEANS,
    }
)
BUDGET = st.sampled_from(
    [dict[str, Any](), {"billing_account": "012345-6789AB-CDEF01", "monthly_budget": 100}]
)
PLACE = st.sampled_from(
    [
        {"customer_managed_keys": True},
        {"bucket_location": "EU"},
        {"region": "us-central1", "bucket_location": "NAM4"},
        {"region": "europe-west1", "bucket_location": ""},
    ]
)
NUMBERS = st.fixed_dictionaries(
    {
        "protect": BOOLEANS,
        "training_access": BOOLEANS,
        "release_channel": st.sampled_from(["RAPID", "REGULAR", "STABLE", "EXTENDED"]),
        "backup_days": st.integers(1, 365),
        "soft_delete_days": st.integers(7, 90),
        "lakefs_replicas": st.integers(1, 10),
        "label_studio_replicas": st.integers(1, 10),
        "import_buckets": st.lists(st.sampled_from(["pictures", "old.pictures"]), unique=True),
        "maintenance_start": st.sampled_from(["2026-01-03T02:00:00Z", "2026-05-09T23:00:00Z"]),
    }
)


def _merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {key: value for part in parts for key, value in part.items()}


def _refused(drawn: dict[str, Any]) -> tuple[Problem, ...]:
    try:
        record_component(load, stack_name=STACK, preview=False, **drawn)
    except SettingsError as error:
        return error.problems
    return ()


ANY = st.tuples(
    st.one_of(PRIVATE, PUBLIC, WATCHED),
    NODES,
    st.one_of(IN_CLUSTER, CLOUD_SQL),
    BUDGET,
    PLACE,
    NUMBERS,
).map(_merged)


# Each is a whole run of the program: few a run, others each time; shrinking would take minutes.
@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(ANY)
def test_whatever_stands_is_declared_and_every_invariant_holds(drawn: dict[str, Any]) -> None:
    refused = _refused(drawn)
    # Drawn are possible settings only: what is refused among them is unsafe, and can be accepted.
    assert all(each.is_acceptable for each in refused)
    accepted = {**drawn, "accept": [each.code for each in refused]}
    recorded = record(stack_name=STACK, preview=False, **accepted)
    found = {name: list(rule(recorded)) for name, rule in INVARIANTS.items()}
    assert not {name: each for name, each in found.items() if each}
    note("infra", "every invariant over drawn settings, too")
