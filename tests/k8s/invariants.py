"""What holds of the manifests, whoever changes them.

Each invariant is a function that gives what is wrong, in words. None knows a number that is a
matter of taste; that every line is either held by one of them or named as such a matter is held by
test_mutations.py.
"""

from collections.abc import Sequence

from tests.k8s import lives, network, pods
from tests.k8s.reading import Invariant, Objects

INVARIANTS: Sequence[Invariant] = (
    pods.pods_are_restricted,
    pods.pods_are_by_themselves,
    pods.containers_are_restricted,
    pods.images_are_pinned,
    pods.nothing_secret_is_said,
    pods.references_are_supplied,
    pods.settings_are_closed,
    pods.memory_is_known_to_go,
    pods.commands_are_whole,
    pods.postgres_is_as_its_image_wants,
    pods.files_are_where_they_are_looked_for,
    lives.probes_mean_something,
    lives.probes_ask_what_answers,
    lives.set_up_comes_first,
    lives.ends_are_gentle,
    lives.a_rollout_takes_nothing_away,
    lives.two_pods_are_on_two_nodes,
    lives.a_drain_takes_one_at_a_time,
    lives.labels_say_whose_it_is,
    lives.services_lead_to_pods,
    lives.namespace_is_restricted,
    lives.data_outlives_its_pods,
    lives.dumps_are_made_every_day,
    network.everything_is_denied,
    network.what_must_talk_may,
)


def problems(objects: Objects) -> Sequence[str]:
    """Whatever any invariant has to say, an object it cannot even read included."""
    found: list[str] = []
    for invariant in INVARIANTS:
        try:
            found += [f"{invariant.__name__}: {one}" for one in invariant(objects)]
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            found.append(f"{invariant.__name__}: cannot read this: {error!r}")
    return found
