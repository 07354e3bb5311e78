"""Whatever people and verbs do, in whatever order, killed or interleaved: every law holds."""

from tests.laws import note
from tests.machine.machine import Play, in_words, play

EXAMPLES, STEPS = 150, 20


def test_plays_on_servers_in_memory() -> None:
    done = play(Play, EXAMPLES, STEPS)
    assert done["versions"] > EXAMPLES, "plays come to their end"
    assert done["acts of annotators"] > 5 * EXAMPLES
    assert min(done["kills"], done["acts of somebody else in between"]) > 0
    note("nothing lost, invented or doubled", f"{EXAMPLES} plays in memory: {in_words(done)}")
