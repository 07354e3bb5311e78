"""`pulumi stack output`, run as a person would, and what its refusals mean.

Owns the one call of the program `pulumi`. Does not know what the outputs are (outputs.py), and
never shows what Pulumi prints on stdout: secrets are in it.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from ops.errors import (
    ConfigurationError,
    DeniedError,
    NotFoundError,
    OpsError,
    UnavailableError,
    UsageError,
)
from ops.stack.outputs import UNCHANGED

_PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """Words of Pulumi's and what they mean. The first rule that fits counts."""

    says: str
    error: type[OpsError]
    code: str
    message: str
    hint: str


_RULES = (
    _Rule(
        says="PULUMI_ACCESS_TOKEN|not logged in|invalid access token",
        error=DeniedError,
        code="pulumi-login",
        message="pulumi is not logged in to where the stack's state is kept",
        hint="pulumi login gs://<state bucket>\nor set PULUMI_BACKEND_URL to it; then run the same "
        "command again",
    ),
    _Rule(
        says="unable to open bucket|could not (list|read) bucket|blob \\(code",
        error=DeniedError,
        code="pulumi-state",
        message="pulumi cannot read where the stack's state is kept",
        hint="check the address (pulumi whoami --verbose) and that you may read it: "
        "gcloud auth application-default login",
    ),
    _Rule(
        says="no stack named",
        error=NotFoundError,
        code="no-stack",
        message="there is no stack {stack}",
        hint="see which there are: pulumi stack ls --all\nor make it: pulumi stack init {stack}, "
        "then pulumi up",
    ),
    _Rule(
        says="stack name|fully qualified name",
        error=UsageError,
        code="stack-name",
        message="{stack} is no name of a stack",
        hint="see which there are: pulumi stack ls --all",
    ),
    _Rule(
        says="passphrase",
        error=DeniedError,
        code="stack-passphrase",
        message="the secrets of stack {stack} are encrypted with another passphrase, or none is "
        "given",
        hint="set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE, then run the same "
        "command again",
    ),
    _Rule(
        says="decrypt|secrets manager|cloudkms",
        error=DeniedError,
        code="stack-secrets",
        message="the secrets of stack {stack} cannot be decrypted",
        hint="log in as somebody who may use the stack's key: gcloud auth application-default "
        "login\n(it needs Cloud KMS CryptoKey Decrypter on the key)",
    ),
)
_ERROR = re.compile(r"^error: *", re.MULTILINE)


def stack_output(directory: Path, stack: str) -> Mapping[str, object]:
    """Everything a stack puts out, secrets in plain text. One run of `pulumi`, seconds.

    Args:
        directory: in or below the project, where Pulumi.yaml is.
        stack: its name.

    Raises:
        NotFoundError: there is no project, or no such stack.
        ConfigurationError: there is no program `pulumi`.
        DeniedError: pulumi is not logged in, or cannot decrypt.
        UsageError: that is no stack's name.
        UnavailableError: pulumi fails otherwise.
    """
    _check_project(directory, stack)
    done = _run(directory, stack)
    if done.returncode != 0:
        _refuse(stack, done.stderr)
    try:
        document = json.loads(done.stdout)
    except ValueError as error:
        _fail(stack, "its output is not JSON", error)
    if not isinstance(document, dict):
        _fail(stack, "its output is no JSON object")
    return cast("Mapping[str, object]", document)


def _check_project(directory: Path, stack: str) -> None:
    place = directory.absolute()
    if any((above / name).exists() for above in (place, *place.parents) for name in _PROJECT_FILES):
        return
    raise NotFoundError(
        "no-infra",
        f"there is no Pulumi.yaml in {place} or above it",
        subject=str(place),
        unchanged=UNCHANGED,
        hint="run it in the checkout of labeling-ops you brought the stack up from,\n"
        f"or name that: ops config use --stack {stack} --infra PATH",
    )


def _run(directory: Path, stack: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("pulumi")
    if program is None:
        raise ConfigurationError(
            "no-pulumi",
            "there is no program pulumi on PATH",
            unchanged=UNCHANGED,
            hint="install it (https://www.pulumi.com/docs/install), or add its folder to PATH; "
            "then run the same command again",
        )
    # By `=`: a name that begins with a dash stays a name.
    asked = ["stack", "output", "--json", "--show-secrets", "--non-interactive", f"--stack={stack}"]
    try:
        return subprocess.run(
            [program, *asked],
            cwd=directory,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        _fail(stack, f"it did not answer within {_TIMEOUT_S} s", error)
    except OSError as error:
        _fail(stack, f"it cannot be run: {error.strerror}", error)


def _refuse(stack: str, said: str) -> NoReturn:
    for rule in _RULES:
        if re.search(rule.says, said, re.IGNORECASE):
            raise rule.error(
                rule.code,
                rule.message.format(stack=stack),
                subject=stack,
                unchanged=UNCHANGED,
                hint=rule.hint.format(stack=stack),
            )
    _fail(stack, _brief(said))


def _brief(said: str) -> str:
    """Pulumi's own word for it, in one line."""
    found = _ERROR.search(said)
    lines = (said[found.end() :] if found else said).strip().splitlines()
    return lines[0] if lines else "it does not say why"


def _fail(stack: str, what: str, cause: Exception | None = None) -> NoReturn:
    raise UnavailableError(
        "pulumi-failed",
        f"pulumi did not give the outputs of stack {stack}",
        subject=stack,
        where=(("pulumi says", what),),
        unchanged=UNCHANGED,
        hint=f"see for yourself: pulumi stack output --stack {stack}\n"
        "then run the same command again",
    ) from cause
