"""`ops data profile` on the real servers: for programs, for people, and refused."""

from pathlib import Path

import pytest

from ops.local import Connection
from ops.ports import Upload
from ops.runner.deposit import deposit
from tests.cli.conftest import Call
from tests.cli.test_round import Line, variables_for
from tests.context import real_context
from tests.photos import file_of, photographs
from tests.pictures import draw_pictures


@pytest.mark.servers
def test_profile_keeps_the_contract_at_work(
    call: Call, servers: Connection, tmp_path: Path
) -> None:
    """Planned, done, already there; broken pictures are told and no failure."""
    line = Line(call=call, variables=variables_for(servers), worked=set())
    assert line.fail("data", "profile")["exit_code"] == 3
    line.do("init", "--labels", "brie,gouda")
    draw_pictures(tmp_path / "pictures", 3)
    line.do("data", "add", "pictures")
    planned = line.do("data", "profile", "--dry-run")
    assert (planned["status"], planned["data"]["measured"]) == ("planned", 3)
    assert planned["data"]["commit"] is None
    done = line.do("data", "profile")
    assert (done["status"], done["data"]["measured"], done["data"]["kept"]) == ("ok", 3, 0)
    assert "nothing new: 3 pictures" in line.read("data", "profile")
    assert line.do("data", "profile", "--dry-run")["status"] == "ok"

    context = real_context(servers, line.variables["OPS_REPOSITORY"])
    cut = file_of(next(photographs(1)))[:3000]
    odd = [Upload(path="images/cut.jpg", data=cut), Upload(path="images/none.jpg", data=b"")]
    deposit(context, "data-add", odd, message="Add odd ones")
    said = line.read("data", "profile", "--jobs", "2")
    assert "measured 2 pictures, 3 were measured already" in said
    assert "  cut.jpg is cut off or damaged\n  none.jpg has no bytes" in said
    assert line.do("data", "profile")["data"]["problems"] == [
        {"key": "cut.jpg", "problem": "damaged"},
        {"key": "none.jpg", "problem": "empty"},
    ]
    assert line.do("dataset", "verify")["status"] == "ok"


@pytest.mark.servers
def test_options_that_do_not_go_together_are_refused(call: Call, servers: Connection) -> None:
    line = Line(call=call, variables=variables_for(servers), worked=set())
    line.do("init", "--labels", "brie,gouda")
    unused = line.fail("data", "profile", "--ray-address", "ray://127.0.0.1:1")
    assert (unused["code"], unused["exit_code"]) == ("ray-address-unused", 2)
    ray = ("data", "profile", "--engine", "ray", "--ray-address")
    assert line.fail(*ray, "127.0.0.1:10001")["code"] == "setting-wrong"
    assert line.fail(*ray, "ray://127.0.0.1:1")["code"] == "setting-missing"
