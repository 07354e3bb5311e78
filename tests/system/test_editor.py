"""What Label Studio's own editor does to annotations we imported: seen in a browser."""

import base64
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import httpx
import pytest

from ops.core.canonical import encode_record
from ops.core.predictions import ModelVersion, Prediction, canonical_result
from ops.core.records import Annotation, Origin
from ops.core.region_origins import Shown, told_origins
from ops.core.regions import labels
from ops.local.state import Connection
from tests.chromium import Page, open_page
from tests.controls import CASES, Case
from tests.desk import KEY, Desk, item, open_desk, prediction

pytestmark = [pytest.mark.servers, pytest.mark.browser]

# The editor's store; it is there when the page has loaded the task.
_STORE = "(window.Htx && Htx.annotationStore && Htx.annotationStore.selected)"
# The size that the cases' regions state: the editor writes the picture's own.
_WIDTH, _HEIGHT = 640, 480


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _picture() -> str:
    """A grey PNG as an address that needs no other server."""
    head = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\x80" * _WIDTH) * _HEIGHT)
    chunks = _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + chunks).decode()


_PICTURES = [case for case in CASES if "image" in case.data]


@pytest.fixture(scope="module")
def desk(servers: Connection) -> Iterator[Desk]:
    """Label Studio, and two people at it."""
    with open_desk(servers) as desk:
        yield desk


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """One browser page; each test opens another address in it."""
    with open_page() as page:
        yield page


def _log_in(servers: Connection) -> dict[str, str]:
    """The cookies of a person who has logged in on Label Studio's page."""
    with httpx.Client(base_url=servers.label_studio_url) as client:
        client.get("/user/login/")
        form = {
            "email": servers.label_studio_email,
            "password": servers.label_studio_password,
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        assert client.post("/user/login/", data=form).is_redirect
        return dict(client.cookies)


def _open(page: Page, servers: Connection, project: int, task: int) -> None:
    url = f"{servers.label_studio_url}/projects/{project}/data?task={task}"
    # What is loaded now must not be taken for what is asked for.
    page.open("about:blank", {})
    page.open(url, _log_in(servers))
    page.wait_for(f"!!{_STORE} && {_STORE}.objects.some(one => one.stageWidth > 0)")


def _shown(case: Case) -> Case:
    """The case, its pictures there to be seen."""
    return replace(case, data=dict.fromkeys(case.data, _picture()))


@pytest.mark.parametrize(
    "case", [_shown(case) for case in _PICTURES if case.name != "brush"], ids=lambda case: case.name
)
def test_saving_what_nobody_changed_changes_nothing(
    desk: Desk, servers: Connection, page: Page, case: Case
) -> None:
    """An annotator who opens a carried annotation and presses Update has said nothing new."""
    project, tasks = desk.fill(case)
    before = desk.read(case, project, tasks)
    fresh = desk.open(case)
    reference = [one for one in before.annotations if one.ground_truth]
    record = replace(before, annotations=tuple(reference))
    [task] = desk.put(fresh, case, record)
    carried = {one.unique_id: one for one in reference}

    _open(page, servers, fresh, task)
    page.evaluate("Htx.updateAnnotation()")
    _wait_for_save(page, desk, fresh, task)
    after = desk.read(case, fresh, [task], carried)
    assert encode_record(after).decode() == encode_record(record).decode()


def test_a_mask_saved_again_is_the_same_regions(
    desk: Desk, servers: Connection, page: Page
) -> None:
    """The editor encodes a mask anew from what it has drawn: other bytes, and whose stays known.

    Pressed before it has drawn, Update gives the bytes back as they were.
    """
    case = _shown(next(case for case in _PICTURES if case.name == "brush"))
    project, tasks = desk.fill(case)
    before = desk.read(case, project, tasks)
    fresh = desk.open(case)
    [reference] = [one for one in before.annotations if one.ground_truth]
    [task] = desk.put(fresh, case, replace(before, annotations=(reference,)))

    _open(page, servers, fresh, task)
    page.wait_for(f"{_STORE}.regions.length > 0 && {_STORE}.regions.every(one => one.imageData)")
    page.evaluate("Htx.updateAnnotation()")
    _wait_for_save(page, desk, fresh, task)
    [after] = desk.read(case, fresh, [task], {reference.unique_id: reference}).annotations
    assert (after.unique_id, after.annotator) == (reference.unique_id, reference.annotator)
    assert after.created_at == reference.created_at
    assert [one["id"] for one in after.result] == [one["id"] for one in reference.result]
    assert [*map(labels, after.result)] == [*map(labels, reference.result)]


def _wait_for_save(page: Page, desk: Desk, project: int, task: int) -> None:
    """Until the server has an annotation of the task that somebody saved."""
    for _ in range(100):
        [document] = desk.studio.export(project, [task])
        found = document["annotations"]
        assert isinstance(found, list)
        if any(isinstance(one, dict) and one["updated_by"] is not None for one in found):
            return
        page.evaluate("new Promise(done => setTimeout(done, 200))")
    pytest.fail("the editor saved nothing")


def test_a_prediction_taken_over_says_so(desk: Desk, servers: Connection, page: Page) -> None:
    """Of two predicted boxes one is moved: the editor tells them apart, and so do we."""
    case = _shown(next(case for case in CASES if case.name == "per-region"))
    project = desk.open(case)
    [task] = desk.studio.import_tasks(project, [item(case, predictions=[prediction(case)])])
    _open(page, servers, project, task)
    page.evaluate(
        "(() => { const store = Htx.annotationStore;"
        " if (store.selected.type === 'prediction')"
        " store.addAnnotationFromPrediction(store.selected);"
        " const box = store.selected.regions.find(one => one.cleanId === 'b1');"
        " box.setPositionInternal(12, 13, 8, 9, 0); box.notifyDrawingFinished();"
        " Htx.submitAnnotation(); })()"
    )
    _wait_for_save(page, desk, project, task)
    [annotation] = desk.read(case, project, [task]).annotations
    assert annotation.origins == {"b0": Origin.ACCEPTED, "b1": Origin.CHANGED}
    assert annotation.prediction == {"model_version": "m1", "score": 0.5}


def test_a_prediction_accepted_and_changed_later_says_both(
    desk: Desk, servers: Connection, page: Page
) -> None:
    """Submitted as proposed, each region is accepted; moved in a later update, it is changed.

    Beside them one is drawn: a person's. Told by the editor's own notes, the same by comparison.
    """
    case = _shown(next(case for case in CASES if case.name == "per-region"))
    project = desk.open(case)
    [task] = desk.studio.import_tasks(project, [item(case, predictions=[prediction(case)])])
    _open(page, servers, project, task)
    page.evaluate(
        "(() => { const store = Htx.annotationStore;"
        " if (store.selected.type === 'prediction')"
        " store.addAnnotationFromPrediction(store.selected);"
        " Htx.submitAnnotation(); })()"
    )
    _wait_for_save(page, desk, project, task)
    [accepted] = desk.read(case, project, [task]).annotations
    assert accepted.origins == {"b0": Origin.ACCEPTED, "b1": Origin.ACCEPTED}
    assert _compared(accepted, case) == accepted.origins

    _open(page, servers, project, task)
    page.wait_for(f"!!{_STORE} && Htx.annotationStore.annotations.some(one => one.pk)")
    page.evaluate(
        "(() => { const store = Htx.annotationStore;"
        " store.selectAnnotation(store.annotations.find(one => one.pk).id); })()"
    )
    page.wait_for(f"{_STORE}.regions.some(one => one.cleanId === 'b1')")
    page.evaluate(
        "(() => { const box = Htx.annotationStore.selected.regions"
        ".find(one => one.cleanId === 'b1');"
        " box.setPositionInternal(12, 13, 8, 9, 0); box.notifyDrawingFinished();"
        " Htx.updateAnnotation(); })()"
    )
    for _ in range(100):
        [changed] = desk.read(case, project, [task]).annotations
        if changed.updated_at != accepted.updated_at:
            break
        page.evaluate("new Promise(done => setTimeout(done, 200))")
    else:
        pytest.fail("the editor saved nothing")
    assert changed.origins == {"b0": Origin.ACCEPTED, "b1": Origin.CHANGED}
    assert _compared(changed, case) == changed.origins


def _compared(annotation: Annotation, case: Case) -> Mapping[str, Origin]:
    """What the regions say by themselves, without the editor's notes."""
    of = ModelVersion(model="m", version="1")
    result = canonical_result(KEY, of, case.first, size=None)
    said = Prediction(key=KEY, score=0.5, result=result)
    shown = Shown(model_version=str(of), since="2000-01-01T00:00:00.000000Z", prediction=said)
    return told_origins(annotation.result, [shown], saved_at=annotation.updated_at).origins
