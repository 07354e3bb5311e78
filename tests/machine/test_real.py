"""The same play, with few examples, on the real servers."""

from pathlib import Path

import pytest

from ops.local import Connection
from tests.laws import note
from tests.machine.machine import Play, in_words, play
from tests.machine.stage import Stage, real_stage

EXAMPLES, STEPS = 4, 12


@pytest.mark.servers
def test_plays_on_the_real_servers(servers: Connection) -> None:
    """Always the same ones; the first is the shortest there is."""

    class RealPlay(Play):
        def stage(self, folder: Path) -> Stage:
            return real_stage(servers, folder)

    done = play(RealPlay, EXAMPLES, STEPS, fixed=True)
    assert done["versions"] > EXAMPLES, "plays come to their end"
    note("nothing lost, invented or doubled", f"{EXAMPLES} plays on real servers: {in_words(done)}")
