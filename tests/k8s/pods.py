"""What holds of every pod: who it is, what it may do, what it is given."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.k8s.reading import (
    SUPPLIED,
    Object,
    Objects,
    containers,
    environment,
    of,
    pod_templates,
    quantity,
)

_KEPT = re.compile(r"SECRET|PASSWORD|CONNECTION_STRING|ACCESS_KEY|USERNAME")
_PUBLIC_KEYS = ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFOLQUICKSTART", "EXAMPLEKEY", "OVERRIDE_THIS")
_TELEMETRY: Mapping[str, Mapping[str, str]] = {
    "label-studio": {
        "COLLECT_ANALYTICS": "false",
        "FRONTEND_SENTRY_DSN": "",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
    },
    "lakefs": {
        "LAKEFS_EMAIL_SUBSCRIPTION_ENABLED": "false",
        "LAKEFS_SECURITY_CHECK_LATEST_VERSION": "false",
        "LAKEFS_STATS_ENABLED": "false",
    },
}
_CLUSTER_DECIDES = [{"configMapRef": {"name": "label-studio"}}]
_CLOSED: Mapping[str, Mapping[str, str]] = {
    "label-studio": {
        "DJANGO_DB": "default",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "false",
        "SKIP_DB_MIGRATIONS": "true",
        # There is no nginx beside it.
        "USE_NGINX_FOR_EXPORT_DOWNLOADS": "false",
        "USE_NGINX_FOR_UPLOADS": "false",
    },
}
_USERS = {
    "heartexlabs/label-studio": (1001, 1001),
    "postgres": (999, 999),
    "treeverse/lakefs": (100, 101),
}
"""Whom each image's own user is, and their group."""
_LAKEFS_SECRETS = {
    "LAKEFS_AUTH_ENCRYPT_SECRET_KEY": ("lakefs", "auth-encrypt-secret-key"),
    "LAKEFS_BLOCKSTORE_SIGNING_SECRET_KEY": ("lakefs", "signing-secret-key"),
    "LAKEFS_DATABASE_POSTGRES_CONNECTION_STRING": ("lakefs", "database-connection-string"),
}
_LABEL_STUDIO_SECRETS = {
    "POSTGRE_PASSWORD": ("label-studio", "database-password"),
    "SECRET_KEY": ("label-studio", "secret-key"),
}
_ROLES = {
    "LABEL_STUDIO_PASSWORD": ("postgres", "label-studio-password"),
    "LAKEFS_PASSWORD": ("postgres", "lakefs-password"),
}
_SECRETS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "CronJob postgres-back-up, container back-up": _ROLES,
    "Deployment label-studio, container label-studio": _LABEL_STUDIO_SECRETS,
    "Deployment label-studio, container set-up": {
        **_LABEL_STUDIO_SECRETS,
        "LABEL_STUDIO_PASSWORD": ("label-studio", "password"),
        "LABEL_STUDIO_USERNAME": ("label-studio", "username"),
    },
    "Deployment lakefs, container lakefs": _LAKEFS_SECRETS,
    "Deployment lakefs, container set-up": {
        **_LAKEFS_SECRETS,
        "SET_UP_ACCESS_KEY_ID": ("lakefs", "access-key-id"),
        "SET_UP_SECRET_ACCESS_KEY": ("lakefs", "secret-access-key"),
    },
    "StatefulSet postgres, container postgres": {
        **_ROLES,
        "POSTGRES_PASSWORD": ("postgres", "password"),
    },
}
"""Which variable of which container is which key of which Secret. The keys of the administrator
and of the first user are the set-up's alone."""
_CONTAINER_SECURITY: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
}


def pods_are_restricted(objects: Objects) -> Iterator[str]:
    """No pod runs as root or as another image's user, or makes any system call."""
    for where, template in pod_templates(objects).items():
        pod = template["spec"]
        said = pod.get("securityContext", {})
        if said.get("runAsNonRoot") is not True:
            yield f"{where}: may run as root"
        user, group = _USERS[pod["containers"][0]["image"].split(":")[0]]
        ids = [said.get(name) for name in ("runAsUser", "runAsGroup", "fsGroup")]
        if ids != [user, group, group]:
            yield f"{where}: runs as {ids}"
        if said.get("fsGroupChangePolicy") != "OnRootMismatch":
            yield f"{where}: every start walks its disk"
        if said.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{where}: any system call"


def pods_are_by_themselves(objects: Objects) -> Iterator[str]:
    """No pod shares anything of its node's, sees the API server's token, or others' variables."""
    accounts = of(objects, "ServiceAccount")
    for where, template in pod_templates(objects).items():
        pod = template["spec"]
        if pod.get("automountServiceAccountToken") is not False:
            yield f"{where}: has a token of the API server"
        if pod.get("enableServiceLinks") is not False:
            yield f"{where}: every Service puts its variables among its settings"
        if pod.get("serviceAccountName") not in accounts:
            yield f"{where}: no account of its own"
        if any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{where}: shares its node's"
    for name, account in accounts.items():
        if account.get("automountServiceAccountToken") is not False:
            yield f"ServiceAccount {name}: a token for every pod"


def containers_are_restricted(objects: Objects) -> Iterator[str]:
    """Every container has the one security context, and limits to all it takes."""
    for where, container in containers(objects):
        if container.get("securityContext") != _CONTAINER_SECURITY:
            yield f"{where}: security context {container.get('securityContext')}"
        resources = container.get("resources", {})
        for name in ("cpu", "memory", "ephemeral-storage"):
            least = quantity(resources.get("requests", {}).get(name))
            if not 0 < least <= quantity(resources.get("limits", {}).get(name)):
                yield f"{where}: {name} from {least} to {resources.get('limits')}"


def images_are_pinned(objects: Objects) -> Iterator[str]:
    """Every image has a version, and a program one version."""
    for where, container in containers(objects):
        tagged = re.fullmatch(
            r"[a-z0-9./-]+:([0-9]+\.[0-9][^@:]*)(@sha256:[0-9a-f]{64})?", container["image"]
        )
        if tagged is None:
            yield f"{where}: image {container['image']}"
    by_program = {
        container["image"].split(":")[0]: set[str]() for _, container in containers(objects)
    }
    for _, container in containers(objects):
        by_program[container["image"].split(":")[0]].add(container["image"])
    for program, images in by_program.items():
        if len(images) > 1:
            yield f"{program}: {sorted(images)}"


# What it is given.


def nothing_secret_is_said(objects: Objects) -> Iterator[str]:
    """Secrets are supplied, not written here: no Secret, no literal, no key the world knows."""
    for name in of(objects, "Secret"):
        yield f"Secret {name} is written here"
    text = json.dumps(list(objects))
    for known in _PUBLIC_KEYS:
        if known in text:
            yield f"a public key: {known}"
    for where, container in containers(objects):
        found = {
            name: (reference["name"], reference["key"])
            for name, variable in environment(container).items()
            if (reference := variable.get("valueFrom", {}).get("secretKeyRef"))
        }
        if found != _SECRETS[where]:
            yield f"{where}: {sorted(found.items() ^ _SECRETS[where].items())}"
        others = environment(container).keys() - found.keys()
        if written := [name for name in others if _KEPT.search(name)]:
            yield f"{where}: {written} written here"


def references_are_supplied(objects: Objects) -> Iterator[str]:
    """What a pod reads is made here or is in the contract, and all of the contract is read."""
    made = {(one["kind"], one["metadata"]["name"]) for one in objects}
    read = dict.fromkeys(SUPPLIED, frozenset[str]())
    for where, template in pod_templates(objects).items():
        for kind, name, keys in _references(template["spec"]):
            if (kind, name) in SUPPLIED:
                read[kind, name] |= keys
                if not keys <= SUPPLIED[kind, name]:
                    yield f"{where}: {kind} {name} has no {sorted(keys - SUPPLIED[kind, name])}"
            elif (kind, name) not in made:
                yield f"{where}: nobody makes {kind} {name}"
    with_postgres = ("StatefulSet", "postgres") in made
    for (kind, name), keys in SUPPLIED.items():
        expected = keys - {"lakefs.yaml"} if with_postgres or name != "postgres" else set[str]()
        if read[kind, name] != expected:
            yield f"{kind} {name}: nobody reads {sorted(expected - read[kind, name])}"


def _references(pod: Object) -> Iterator[tuple[str, str, frozenset[str]]]:
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        for variable in container.get("env", []):
            reference = variable.get("valueFrom", {}).get("secretKeyRef")
            if reference:
                yield "Secret", reference["name"], frozenset({reference["key"]})
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"], frozenset()
    for volume in pod["volumes"]:
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], frozenset()
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], frozenset()


def settings_are_closed(objects: Objects) -> Iterator[str]:
    """No telemetry, no sign-up, no tokens that never end, no migrations beside set-up's."""
    for where, container in containers(objects):
        name = container["name"]
        program = "label-studio" if "label-studio" in container["image"] else name
        said = {key: one.get("value") for key, one in environment(container).items()}
        expected = {**_TELEMETRY.get(program, {}), **_CLOSED.get(name, {})}
        for variable, value in expected.items():
            if said.get(variable) != value:
                yield f"{where}: {variable} is {said.get(variable)}"
        if program == "label-studio" and container.get("envFrom") != _CLUSTER_DECIDES:
            yield f"{where}: {container.get('envFrom')}"
        if (
            program == "label-studio"
            and said.get("LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN") != "false"
        ):
            yield f"{where}: the organization may be made with tokens that never end"


def memory_is_known_to_go(objects: Objects) -> Iterator[str]:
    """LakeFS tidies up before the kernel would kill it."""
    for where, container in containers(objects):
        if "lakefs" in container["image"]:
            told = quantity(environment(container).get("GOMEMLIMIT", {}).get("value"))
            limit = quantity(container["resources"]["limits"]["memory"])
            if not 0.7 * limit <= told <= 0.85 * limit:
                yield f"{where}: GOMEMLIMIT is {told / limit:.0%} of its memory"


def files_are_where_they_are_looked_for(objects: Objects) -> Iterator[str]:
    """Every volume is mounted and every mount is a volume; what is written to has a bound."""
    for where, template in pod_templates(objects).items():
        pod = template["spec"]
        claimed = {"data"} if where.startswith("StatefulSet") else set[str]()
        made = {one["name"] for one in pod["volumes"]} | claimed
        mounted: set[str] = set()
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            mounts = {one["name"]: one for one in container["volumeMounts"]}
            mounted |= set(mounts)
            for volume in pod["volumes"]:
                mount = mounts.get(volume["name"])
                if mount and "configMap" in volume and mount.get("readOnly") is not True:
                    yield f"{where}: {volume['name']} is not read-only"
            yield from _paths_not_mounted(where, container)
        if mounted != made:
            yield f"{where}: volumes {sorted(made)}, mounted {sorted(mounted)}"
        for volume in pod["volumes"]:
            if "emptyDir" in volume and not quantity(volume["emptyDir"].get("sizeLimit")) > 0:
                yield f"{where}: {volume['name']} may fill its node"
            if len(volume) != 2 or "hostPath" in volume:
                yield f"{where}: {volume}"


_WRITTEN = (
    "HOME",
    "TMPDIR",
    "BACKUPS",
    "PGDATA",
    "LABEL_STUDIO_BASE_DATA_DIR",
    "LAKEFS_COMMITTED_LOCAL_CACHE_DIR",
)
_TEMPORARY = "/tmp"  # noqa: S108 - of the container
_WRITTEN_BY: Mapping[str, tuple[str, ...]] = {
    "label-studio": ("HOME", "TMPDIR", "LABEL_STUDIO_BASE_DATA_DIR"),
    "lakefs": ("HOME", "TMPDIR", "LAKEFS_COMMITTED_LOCAL_CACHE_DIR"),
    "back-up": ("BACKUPS",),
    "postgres": ("PGDATA",),
    "set-up": ("HOME", "TMPDIR"),
}


def _paths_not_mounted(where: str, container: Object) -> Iterator[str]:
    """The root is read-only: what is written to and what is run must be on a volume."""
    mounts = [one["mountPath"] for one in container["volumeMounts"]]
    said = {name: one.get("value", "") for name, one in environment(container).items()}
    paths = [said.get(name, "") for name in _WRITTEN_BY.get(container["name"], ())]
    paths += [said[name] for name in _WRITTEN if name in said]
    paths += [one for one in container.get("command", [])[1:] if re.match(r"/(opt|etc)/", one)]
    for path in paths:
        if not any(path == mount or path.startswith(f"{mount}/") for mount in mounts):
            yield f"{where}: {path or 'a directory it writes to'} is on no volume"
    if "TMPDIR" not in said and _TEMPORARY not in mounts:
        yield f"{where}: nowhere to put what is temporary"


_COMMANDS: Mapping[str, list[str]] = {
    "CronJob postgres-back-up, container back-up": ["sh", "/opt/scripts/back-up.sh"],
    "Deployment label-studio, container label-studio": [
        "uwsgi",
        "--ini",
        "/opt/label-studio/uwsgi.ini",
    ],
    "Deployment label-studio, container set-up": ["python3", "/opt/label-studio/set_up.py"],
    "Deployment lakefs, container lakefs": [
        "/app/lakefs",
        "--config",
        "/etc/lakefs/lakefs.yaml",
        "run",
    ],
    "Deployment lakefs, container set-up": ["sh", "/opt/set-up/set-up.sh"],
}


def commands_are_whole(objects: Objects) -> Iterator[str]:
    """Each container runs what it is for; PostgreSQL alone by its image's own entrypoint."""
    for where, container in containers(objects):
        if container.get("command") != _COMMANDS.get(where):
            yield f"{where}: runs {container.get('command')}"


_POSTGRES_MOUNTS = {
    "data": "/var/lib/postgresql/data",
    # Whatever is in it is run once.
    "make-databases": "/docker-entrypoint-initdb.d",
    "scratch": _TEMPORARY,
    "socket": "/var/run/postgresql",
}
_INITDB = "--auth-host=scram-sha-256 --auth-local=trust --data-checksums"
_MADE_ONCE = [{"key": "make-databases.sh", "path": "make-databases.sh"}]


def postgres_is_as_its_image_wants(objects: Objects) -> Iterator[str]:
    """Its entrypoint finds its directories, runs one script once, and asks for passwords."""
    for name, one in of(objects, "StatefulSet").items():
        pod = one["spec"]["template"]["spec"]
        [container] = pod["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        if mounts != _POSTGRES_MOUNTS:
            yield f"{name}: {mounts}"
        run = [volume["configMap"] for volume in pod["volumes"] if "configMap" in volume]
        if [volume.get("items") for volume in run] != [_MADE_ONCE]:
            yield f"{name}: runs {run}"
        if environment(container).get("POSTGRES_INITDB_ARGS", {}).get("value") != _INITDB:
            yield f"{name}: lets in whoever comes, or does not see a rotten page"
        if container.get("args") != ["postgres", "-c", "password_encryption=scram-sha-256"]:
            yield f"{name}: {container.get('args')}"
    for name in of(objects, "CronJob"):
        said = {
            key: variable.get("value")
            for where, container in containers(objects)
            if where.startswith(f"CronJob {name},")
            for key, variable in environment(container).items()
        }
        if said.get("PGHOST") not in of(objects, "Service") or said.get("PGPORT") != "5432":
            yield f"{name}: of which server"
        if not 7 <= int(said.get("KEEP_DAYS") or 0) <= 90:
            yield f"{name}: keeps {said.get('KEEP_DAYS')} days"
