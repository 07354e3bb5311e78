"""Label Studio takes the label configs we write, and means by them what we do."""

import uuid
from collections.abc import Iterator

import pytest

from ops.core.label_config import LabelKind, write_label_config
from ops.core.ontology import parse_ontology
from ops.errors import InvalidDataError
from ops.local.state import Connection
from tests.controls import Case
from tests.desk import Desk, open_desk

pytestmark = pytest.mark.servers

_LABELS = ("cat", "a & b", '<c> "d"', "it's", "Käse 🧀", "ends\\", "$dollar", "{{idx}}")


@pytest.fixture(scope="module")
def desk(servers: Connection) -> Iterator[Desk]:
    """Label Studio, and two people at it."""
    with open_desk(servers) as desk:
        yield desk


@pytest.mark.parametrize("kind", LabelKind)
def test_a_written_label_config_is_taken_as_it_is(desk: Desk, kind: LabelKind) -> None:
    """Any name a class may bear."""
    label_config = write_label_config(_LABELS, kind)
    case = Case(name=kind, label_config=label_config, data={}, first=[], second=[])
    # 1.23 strips the ends.
    assert desk.label_config(desk.open(case)) == label_config.strip()


@pytest.mark.parametrize(
    "label_config",
    [
        "<View>",
        '<!DOCTYPE View><View><Image name="i" value="$i"/><Rating name="r" toName="i"/></View>',
        '<View><Image name="i" value="$i"/><Rating name="r" toName="j"/></View>',
        '<View><Image name="i" value="$i"/><Rating name="i" toName="i"/></View>',
    ],
)
def test_what_label_studio_refuses_we_refuse_before(desk: Desk, label_config: str) -> None:
    """No round is started that cannot have a project."""
    with pytest.raises(InvalidDataError):
        desk.studio.create_project(
            title="refused", description=uuid.uuid4().hex, label_config=label_config
        )
    with pytest.raises(InvalidDataError):
        parse_ontology(label_config)
