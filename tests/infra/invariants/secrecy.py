"""Secrets: generated, long, marked wherever they go, and in no ConfigMap."""

from collections.abc import Iterator, Mapping

from tests.infra.answers import computed
from tests.infra.invariants.rule import called, invariant, kubernetes, setting, texts
from tests.infra.recording import Recorded

# The contract with k8s/: names of Secrets, and their keys.
SECRETS: Mapping[str, frozenset[str]] = {
    "lakefs": frozenset(
        {
            "access-key-id",
            "auth-encrypt-secret-key",
            "database-connection-string",
            "secret-access-key",
            "signing-secret-key",
        }
    ),
    "label-studio": frozenset({"database-password", "password", "secret-key", "username"}),
    "ray": frozenset({"token"}),
    "postgres": frozenset({"label-studio-password", "lakefs-password", "password"}),
}
SECRET_OUTPUTS = frozenset(
    {
        "kubeconfig",
        "labelStudioPassword",
        "labelStudioSecretKey",
        "lakefsAccessKeyId",
        "lakefsSecretAccessKey",
        "rayToken",
    }
)
_LEAST_LENGTH = 32


def generated(recorded: Recorded) -> Mapping[str, str]:
    """What the random provider made, by logical name."""
    return {
        each.name: str(computed(each.type, each.name, each.inputs)["result"])
        for each in recorded.resources
        if each.type.startswith("random:")
    }


@invariant
def no_secret_is_in_plain_text(recorded: Recorded) -> Iterator[str]:
    """Wherever a generated value goes, it is marked: in inputs and in outputs."""
    values = generated(recorded)
    for each in recorded.resources:
        for path, text in texts(each.inputs):
            for name, value in values.items():
                if value in text and not each.is_secret(path):
                    yield f"{called(each)}: {path} shows {name}"
    for output, shown in recorded.outputs.items():
        for name, value in values.items():
            if value in str(shown) and output not in recorded.secret_outputs:
                yield f"the output {output} shows {name}"


@invariant
def no_config_map_holds_a_secret(recorded: Recorded) -> Iterator[str]:
    """Everybody who may look at pods may read a ConfigMap."""
    values = generated(recorded)
    for each in kubernetes(recorded, "ConfigMap"):
        for path, text in texts(each.inputs):
            yield from (f"{called(each)}: {path}" for value in values.values() if value in text)


@invariant
def secrets_are_long_and_of_safe_characters(recorded: Recorded) -> Iterator[str]:
    """They stand in URLs, YAML and headers as they are."""
    for each in recorded.of("RandomPassword"):
        if each.inputs["length"] < _LEAST_LENGTH:
            yield f"{called(each)} has {each.inputs['length']} characters"
        if each.inputs.get("special") is not False:
            yield f"{called(each)} may hold any character"


@invariant
def every_secret_is_its_own(recorded: Recorded) -> Iterator[str]:
    """One word for two things is found out once and lost twice."""
    used: dict[str, set[tuple[str, str]]] = {}
    values = generated(recorded)
    for each in kubernetes(recorded, "Secret"):
        for key, text in each.inputs["stringData"].items():
            for value in values.values():
                if value in text:
                    used.setdefault(value, set()).add((each.name, key))
    for places in used.values():
        # A database's password is known to the database and to its one client.
        if len(places) > 2 or (len(places) == 2 and not _is_shared(places)):
            yield f"one value for {sorted(places)}"


def _is_shared(places: set[tuple[str, str]]) -> bool:
    keys = sorted(key for _, key in places)
    return keys in (
        ["database-connection-string", "lakefs-password"],
        ["database-password", "label-studio-password"],
    )


@invariant
def secrets_have_the_agreed_keys(recorded: Recorded) -> Iterator[str]:
    """k8s/ reads these names; a missing one keeps a pod from starting."""
    in_cluster = setting(recorded, "database") == "in-cluster"
    absent = {"postgres"} if not in_cluster else set[str]()
    absent |= {"ray"} if setting(recorded, "rayWorkers") == "0" else set[str]()
    expected = {name: keys for name, keys in SECRETS.items() if name not in absent}
    found = {
        str(each.at("metadata.name")): frozenset(each.inputs.get("stringData", {}))
        for each in kubernetes(recorded, "Secret")
    }
    if found != expected:
        yield f"{found} and not {expected}"


@invariant
def lakefs_s_access_key_fits_a_signature(recorded: Recorded) -> Iterator[str]:
    """LakeFS 1.84 finds no longer one: requests over S3 would be denied."""
    key = recorded.one("core/v1:Secret", "lakefs").inputs["stringData"]["access-key-id"]
    if len(key) > 20 or not key.isalnum():
        yield f"{len(key)} characters"


@invariant
def the_stack_s_secrets_are_secret(recorded: Recorded) -> Iterator[str]:
    """And nothing else is: a secret that is none hides what people must see."""
    if recorded.secret_outputs != SECRET_OUTPUTS:
        yield f"{sorted(recorded.secret_outputs ^ SECRET_OUTPUTS)}"
