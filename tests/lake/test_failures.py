"""What lakeFS 1.84's refusals become; its words are those it was seen to say."""

import json

import pytest

from ops.errors import (
    ConfigurationError,
    ConflictError,
    DeniedError,
    InternalError,
    InvalidDataError,
    NotFoundError,
    OpsError,
    RefusedError,
    UnavailableError,
)
from ops.lake.failures import Site, may_pass, refused, unreachable
from ops.lake.wire import Reply, Request

SITE = Site(url="http://127.0.0.1:8000", repository="labels")
READ = Request(
    method="GET",
    segments=("x",),
    doing="list the objects of main",
    about="ref main",
    subject="main",
)
WRITE = Request(
    method="POST",
    segments=("x",),
    doing="merge round-a into main",
    about="ref round-a",
    subject="main",
    is_repeatable=False,
)
HOOK = (
    "update branch main: pre-merge hook aborted, run id '4opg': 2 errors occurred:\n"
    "\t* hook run id '0000_0000' failed on action 'annotation gate' hook 'check_annotations': "
    "action failed: 7 bad annotations, first: annotations/t000001.json: unknown label dog\n"
    "\t* hook run id '0000_0001' failed on action 'annotation gate' hook 'call_home': "
    "webhook request failed (status code: 400)\n\n"
)
SCHEMA = (
    "request body has an error: doesn't match schema #/components/schemas/RepositoryCreation: "
    'Error at "/storage_namespace": string doesn\'t match the regular expression "^x$"\n'
    'Schema:\n  {\n    "pattern": "^x$"\n  }\n'
)


def reply(status: int, message: str) -> Reply:
    """A refusal in lakeFS's form."""
    return Reply(status=status, data=json.dumps({"message": message}).encode())


@pytest.mark.parametrize(
    ("status", "message", "error", "code"),
    [
        (401, "error authenticating request", DeniedError, "lakefs-credentials"),
        (401, "insufficient permissions", DeniedError, "lakefs-forbidden"),
        (401, "Unauthorized", DeniedError, "lakefs-forbidden"),
        (403, "cannot write to protected branch", RefusedError, "protected-branch"),
        (403, "cannot commit to protected branch", RefusedError, "protected-branch"),
        (403, "cannot delete repository default branch", RefusedError, "default-branch"),
        (403, "read-only repository", RefusedError, "read-only-repository"),
        (403, "session expired", DeniedError, "lakefs-forbidden"),
        (404, "repository not found", NotFoundError, "no-repository"),
        (404, "branch not found", NotFoundError, "not-in-lakefs"),
        (404, "not found", NotFoundError, "not-in-lakefs"),
        (404, "invalid API endpoint", ConfigurationError, "lakefs-version"),
        (500, "could not parse modifier ~x: ref: invalid value", NotFoundError, "not-in-lakefs"),
        (400, "ref: ref: invalid value: validation error", NotFoundError, "not-in-lakefs"),
        (400, "uncommitted changes (dirty branch)", RefusedError, "dirty-branch"),
        (400, "storage namespace already in use", ConflictError, "namespace-in-use"),
        (
            400,
            "failed to match required regex ^local://: invalid namespace",
            ConfigurationError,
            "storage-namespace",
        ),
        (400, SCHEMA, ConfigurationError, "storage-namespace"),
        (
            400,
            "argument path: invalid value: validation error: 1025 is above maximum length (1024)",
            InvalidDataError,
            "object-path",
        ),
        (400, "argument branch: branch id: invalid value", InvalidDataError, "lakefs-name"),
        (500, "argument branch: required value: validation error", InvalidDataError, "lakefs-name"),
        (400, "argument tagID: tag id: invalid value", InvalidDataError, "lakefs-name"),
        (409, "branch name b1: conflict found", ConflictError, "name-taken"),
        (409, "tag ID v1: conflict found", ConflictError, "name-taken"),
        (409, "", ConflictError, "merge-conflict"),
        (410, "No data", NotFoundError, "object-data-gone"),
        (
            500,
            "googleapi: got HTTP response code 416 with body: ",
            InvalidDataError,
            "object-data-cut",
        ),
        (
            500,
            "googleapi: Error 403: lakefs@x does not have storage.objects.get access, forbidden",
            DeniedError,
            "lakefs-bucket-forbidden",
        ),
        (
            500,
            "googleapi: got HTTP response code 403 with body: ",
            DeniedError,
            "lakefs-bucket-forbidden",
        ),
        (
            400,
            "expected storage type local: invalid address",
            ConfigurationError,
            "other-storage",
        ),
        (412, HOOK, RefusedError, "gate"),
        (
            500,
            "prepare-commit hook aborted, run id '4op': 1 error occurred:\n\t* parsing file "
            "_lakefs_actions/g.yaml: 'name' is invalid: invalid action\n\n",
            ConfigurationError,
            "broken-gate",
        ),
        (500, "write /x/y: no space left on device", UnavailableError, "lakefs-disk-full"),
        (
            400,
            "commit: close writer ns=local://x: write /x/y: no space left on device",
            UnavailableError,
            "lakefs-disk-full",
        ),
        (500, "predicate failed", UnavailableError, "lakefs-busy"),
        (500, "branch is currently locked, try again later", UnavailableError, "lakefs-busy"),
        (423, "locked", UnavailableError, "lakefs-busy"),
        (429, "Too many attempts, try again later", UnavailableError, "lakefs-busy"),
        (400, "something new", InternalError, "lakefs-request"),
        (501, "Not Implemented", InternalError, "lakefs-request"),
        (500, "something new", UnavailableError, "lakefs-failed"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_refusal_has_one_meaning(
    status: int, message: str, error: type[OpsError], code: str
) -> None:
    """Class and code, with every part a person needs."""
    failure = refused(reply(status, message), WRITE, SITE)
    assert (type(failure), failure.code) == (error, code)
    assert failure.subject == "main"
    assert dict(failure.where).items() >= {"lakeFS": SITE.url, "repository": "labels"}.items()
    assert failure.unchanged
    assert failure.hint
    assert "{" not in failure.message + failure.hint
    assert "\n" not in failure.message + "".join(value for _, value in failure.where)


def test_wrong_keys_may_be_a_database_that_is_down() -> None:
    """The server answers the same to both."""
    failure = refused(reply(401, "error authenticating request"), READ, SITE)
    assert "database" in failure.hint


def test_a_gate_speaks_for_itself() -> None:
    """Its words, and whose they are, and nothing around them."""
    failure = refused(reply(412, HOOK), WRITE, SITE)
    first = "7 bad annotations, first: annotations/t000001.json: unknown label dog"
    assert failure.message == f"cannot merge round-a into main: a gate refuses: {first}"
    assert failure.where[2:] == (
        ("gate annotation gate/check_annotations", first),
        ("gate annotation gate/call_home", "webhook request failed (status code: 400)"),
    )


def test_a_gate_of_an_older_ops_is_told_how_to_grow() -> None:
    """It refuses what it has never heard of; which is right, and no reason to look for a fault."""
    older = HOOK.replace("unknown label dog", "ops.kind is 'run', which this gate does not know")
    assert "ops doctor --fix" in refused(reply(412, older), WRITE, SITE).hint
    assert "ops doctor --fix" not in refused(reply(412, HOOK), WRITE, SITE).hint


def test_only_the_first_line_of_what_lakefs_says_is_shown() -> None:
    """The rest is its schema."""
    failure = refused(reply(400, SCHEMA), WRITE, SITE)
    assert dict(failure.where)["it says"] == SCHEMA.splitlines()[0]


@pytest.mark.parametrize(
    ("status", "data", "code"),
    [
        (200, b"<html>", "not-lakefs"),
        (404, b"<html>", "not-lakefs"),
        (404, b'{"detail": "Not found."}', "not-lakefs"),
        (404, b"[1]", "not-lakefs"),
        (302, b"", "not-lakefs"),
        (400, b"plain", "not-lakefs"),
        (502, b"<html>", "lakefs-unreachable"),
        (503, b"", "lakefs-unreachable"),
        (401, b"", "lakefs-credentials"),
        (403, b"<html>", "lakefs-forbidden"),
    ],
)
def test_what_is_not_lakefs_is_told_apart(status: int, data: bytes, code: str) -> None:
    """A wrong port and a proxy's page are not refusals of lakeFS's."""
    assert refused(Reply(status=status, data=data), READ, SITE).code == code


def test_a_redirect_says_where_to() -> None:
    """It is the address to set."""
    failure = refused(Reply(status=308, data=b"", location="https://lake.example"), READ, SITE)
    assert dict(failure.where)["it redirects to"] == "https://lake.example"


@pytest.mark.parametrize(
    ("status", "message", "repeatable", "other"),
    [
        (500, "predicate failed", True, True),
        (423, "locked", True, True),
        (429, "Too many attempts, try again later", True, True),
        (503, "Throughput exceeded. Slow down and retry", True, True),
        (500, "something new", True, False),
        (502, None, True, False),
        (503, None, True, False),
        (504, None, True, False),
        (500, "write /x: no space left on device", False, False),
        (500, "parsing file: invalid action", False, False),
        (500, "ref: invalid value: validation error", False, False),
        (400, "no changes", False, False),
        (404, "not found", False, False),
        (409, "", False, False),
        (412, "hook aborted", False, False),
    ],
)
def test_what_may_pass_is_tried_again(
    status: int, message: str | None, *, repeatable: bool, other: bool
) -> None:
    """What is not repeatable only where lakeFS itself says it was not carried out."""
    answer = Reply(status=status, data=b"<html>") if message is None else reply(status, message)
    assert may_pass(answer, READ) is repeatable
    assert may_pass(answer, WRITE) is other


def test_what_got_no_answer_says_what_is_known() -> None:
    """A read changed nothing; what was written is known to be there only where it is repeatable."""
    read = unreachable("nothing listens", READ, SITE, tries=" after 4 tries in 7 s")
    assert read.message == (
        "lakeFS did not list the objects of main: nothing listens after 4 tries in 7 s"
    )
    assert read.unchanged.startswith("nothing was changed")
    assert "not known" in unreachable("the connection broke", WRITE, SITE, tries="").unchanged
