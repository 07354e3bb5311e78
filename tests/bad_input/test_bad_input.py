"""Bad input: a clear error of the right class that names the place, and nothing written."""

import pytest

from ops.errors import OpsError
from tests.bad_input import records
from tests.bad_input.scene import Case, Scene, check_error

CASES: tuple[Case, ...] = (*records.cases(),)


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_bad_input_is_refused_and_changes_nothing(case: Case) -> None:
    """Whatever lies in lakeFS, or comes from Label Studio or a person."""
    scene = Scene()
    case.spoil(scene)
    before = scene.state()
    with pytest.raises(OpsError) as caught:
        case.act(scene)
    check_error(caught.value, case)
    assert scene.state() == before
