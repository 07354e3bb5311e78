"""The golden exports are what the real server says today, field by field.

`OPS_WRITE_GOLDEN=1` writes them anew, as received.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.core.documents import kind
from ops.core.ontology import parse_ontology
from ops.core.records import Json
from ops.local.state import Connection
from tests.controls import CASES, Case
from tests.desk import Desk, open_desk, prediction

pytestmark = pytest.mark.servers

_VERSION = "1.23.2"
_GOLDEN = Path(__file__).parents[1] / "core" / "golden" / f"label-studio-{_VERSION}"
# What people and their programs wrote: Label Studio is to give it back as it was sent.
_VERBATIM = frozenset({"result", "data", "meta"})


@pytest.fixture(scope="module")
def desk(servers: Connection) -> Iterator[Desk]:
    """Label Studio, and two people at it."""
    with open_desk(servers) as desk:
        yield desk


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_server_exports_what_the_golden_file_says(desk: Desk, case: Case) -> None:
    """Same fields of same types, same results; only ids, times and names may differ."""
    project, tasks = desk.fill(case, predictions=[prediction(case)])
    desk.draft(case, project, tasks[0])
    documents: list[Json] = [dict(one) for one in desk.studio.export(project, tasks)]
    golden = _GOLDEN / f"{case.name}.export.json"
    if os.environ.get("OPS_WRITE_GOLDEN"):
        golden.write_text(json.dumps(documents, ensure_ascii=False) + "\n", encoding="utf-8")
    assert _outline(documents) == _outline(json.loads(golden.read_text(encoding="utf-8")))
    # Whatever the server does to the text of a label config, it means the same.
    stored = parse_ontology(desk.label_config(project))
    assert stored.digest == parse_ontology(case.label_config).digest


def test_the_server_is_of_that_version(desk: Desk) -> None:
    """The folder's name says whose exports these are."""
    assert desk.studio.server_version() == _VERSION


def _outline(value: Json, name: str = "") -> Json:
    if name in _VERBATIM:
        return value
    if isinstance(value, dict):
        return {name: _outline(value[name], name) for name in sorted(value)}
    if isinstance(value, list):
        return [_outline(item) for item in value]
    return kind(value)
