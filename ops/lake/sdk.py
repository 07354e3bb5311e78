"""The requests lakeFS's own SDK words: all that changes refs, and what is asked about them.

The one file that imports lakefs_sdk, and itself imported only when the first of these is asked for:
that takes 0.5 s. The SDK owns addresses, parameters and bodies. It opens no connection, tries
nothing again and judges no answer: it sends over our connections (transport.py) and hands back
plain bytes, since a model of each entry would cost more than the answer.
"""
# ruff: noqa: TID251, TID253 - this is the file that may, and nobody imports it before it is needed
# The SDK's functions end in an untyped **kwargs; what there is of names and types is checked still.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from lakefs_sdk.api_response import ApiResponse
from lakefs_sdk.client import LakeFSClient
from lakefs_sdk.configuration import Configuration
from lakefs_sdk.exceptions import ApiException
from lakefs_sdk.models.branch_creation import BranchCreation
from lakefs_sdk.models.branch_protection_rule import BranchProtectionRule
from lakefs_sdk.models.commit_creation import CommitCreation
from lakefs_sdk.models.merge import Merge
from lakefs_sdk.models.repository_creation import RepositoryCreation
from lakefs_sdk.models.reset_creation import ResetCreation
from lakefs_sdk.models.tag_creation import TagCreation
from lakefs_sdk.rest import RESTResponse

from ops.lake.requests import check_names
from ops.lake.wire import PAGE_LENGTH, Call, Reply

if TYPE_CHECKING:
    from ops.lake.transport import Timeout, Transport

Operation = Callable[..., ApiResponse]


class Calls:
    """The calls about one repository. Each method gives one; none sends it."""

    def __init__(self, repository: str, transport: "Transport") -> None:
        """Let the SDK send over the transport's connections; opens none."""
        self._repository = repository
        self._lakefs = LakeFSClient(Configuration())
        api = self._lakefs.repositories_api.api_client
        # A path, not an address: in an address urllib3 resolves dots, and what is asked of branch
        # ".." would be asked of the repository.
        api.configuration.host = transport.root
        api.rest_client.pool_manager = cast("Any", _Connections(transport))

    def config(self) -> Call:
        """What the server is."""
        ask = self._lakefs.config_api.get_config_with_http_info
        return self._call("GET", lambda _, **options: ask(**options), doing="say its version")

    def find_repository(self) -> Call:
        """The repository's own facts."""
        ask = self._lakefs.repositories_api.get_repository_with_http_info
        return self._call("GET", ask, doing=f"look up repository {self._repository}")

    def create_repository(self, namespace: str) -> Call:
        """A new repository with branch main."""
        # Constructed, not checked: lakeFS judges names, in words that failures.py knows.
        creation = RepositoryCreation.construct(
            name=self._repository, storage_namespace=namespace, default_branch="main"
        )
        ask = self._lakefs.repositories_api.create_repository_with_http_info
        doing = f"create repository {self._repository} at {namespace}"
        call = self._call("POST", lambda _, **options: ask(creation, **options), doing=doing)
        return replace(call, is_repeatable=False)

    def protection_rules(self) -> Call:
        """The branch protection rules."""
        ask = self._lakefs.repositories_api.get_branch_protection_rules_with_http_info
        return self._call("GET", ask, doing="read the branch protection")

    def set_protection_rules(self, patterns: Sequence[str], etag: str) -> Call:
        """Other branch protection rules, unless those of the etag have been changed."""
        return self._call(
            "PUT",
            self._lakefs.repositories_api.set_branch_protection_rules_with_http_info,
            branch_protection_rule=[BranchProtectionRule(pattern=pattern) for pattern in patterns],
            # lakeFS 1.84 gives an empty etag where no rule was ever set, and does not take it back.
            if_match=etag or None,
            doing="set the branch protection",
        )

    def probe(self, branch: str) -> Call:
        """A write that leaves nothing: the removal of an object that is not there."""
        path = f"_ops/protection-probe-{uuid.uuid4().hex}"
        ask = self._lakefs.objects_api.delete_object_with_http_info
        about = f"branch {branch}"
        removal = {"path": path, "no_tombstone": True}
        return self._call("DELETE", ask, branch, doing=f"protect {about}", about=about, **removal)

    def log(self, ref: str, after: str, *, first_parent: bool) -> Call:
        """A page of the commits that lead to a ref."""
        return self._call(
            "GET",
            self._lakefs.refs_api.log_commits_with_http_info,
            ref,
            first_parent=first_parent,
            after=after,
            amount=PAGE_LENGTH,
            doing=f"list the commits of {ref}",
            about=f"ref {ref}",
        )

    def branches(self, prefix: str, after: str) -> Call:
        """A page of the branches whose names start with a prefix."""
        return self._call(
            "GET",
            self._lakefs.branches_api.list_branches_with_http_info,
            prefix=prefix,
            after=after,
            amount=PAGE_LENGTH,
            doing="list the branches",
        )

    def branch(self, name: str) -> Call:
        """A branch's head."""
        ask = self._lakefs.branches_api.get_branch_with_http_info
        return self._call("GET", ask, name, doing=f"look up branch {name}", about=f"branch {name}")

    def create_branch(self, name: str, source: str) -> Call:
        """A new branch at a ref."""
        call = self._call(
            "POST",
            self._lakefs.branches_api.create_branch_with_http_info,
            branch_creation=BranchCreation(name=name, source=source),
            doing=f"create branch {name} from {source}",
            about=f"ref {source}",
        )
        return replace(call, subject=name, is_repeatable=False)

    def delete_branch(self, name: str) -> Call:
        """The end of a branch."""
        ask = self._lakefs.branches_api.delete_branch_with_http_info
        return self._call(
            "DELETE", ask, name, doing=f"delete branch {name}", about=f"branch {name}"
        )

    def discard(self, branch: str) -> Call:
        """The end of what is staged on a branch."""
        return self._call(
            "PUT",
            self._lakefs.branches_api.reset_branch_with_http_info,
            branch,
            reset_creation=ResetCreation(type="reset"),
            doing=f"reset branch {branch}",
            about=f"branch {branch}",
        )

    def commit(self, branch: str, message: str, metadata: Mapping[str, str]) -> Call:
        """A commit of what is staged on a branch."""
        call = self._call(
            "POST",
            self._lakefs.commits_api.commit_with_http_info,
            branch,
            commit_creation=CommitCreation(message=message, metadata=dict(metadata)),
            doing=f"commit to branch {branch}",
            about=f"branch {branch}",
        )
        return replace(call, is_repeatable=False, is_slow=True)

    def merge(self, source: str, destination: str, merge: Mapping[str, object]) -> Call:
        """A merge of a ref into a branch: its message, metadata and strategy."""
        call = self._call(
            "POST",
            self._lakefs.refs_api.merge_into_branch_with_http_info,
            source,
            destination,
            merge=Merge.parse_obj(merge),
            doing=f"merge {source} into {destination}",
            about=f"ref {source} or branch {destination}",
        )
        return replace(call, is_repeatable=False, is_slow=True)

    def merge_base(self, source: str, destination: str) -> Call:
        """The common ancestor a merge would use."""
        ask = self._lakefs.refs_api.find_merge_base_with_http_info
        doing = f"find the common ancestor of {source} and {destination}"
        return self._call(
            "GET", ask, source, destination, doing=doing, about=f"ref {source} or {destination}"
        )

    def tags(self, after: str) -> Call:
        """A page of the tags."""
        ask = self._lakefs.tags_api.list_tags_with_http_info
        return self._call("GET", ask, after=after, amount=PAGE_LENGTH, doing="list the tags")

    def tag(self, name: str) -> Call:
        """A tag's commit."""
        ask = self._lakefs.tags_api.get_tag_with_http_info
        return self._call("GET", ask, name, doing=f"read tag {name}", about=f"tag {name}")

    def create_tag(self, name: str, commit: str) -> Call:
        """A new tag."""
        call = self._call(
            "POST",
            self._lakefs.tags_api.create_tag_with_http_info,
            tag_creation=TagCreation(id=name, ref=commit),
            doing=f"tag commit {commit} as {name}",
            about=f"commit {commit}",
        )
        return replace(call, subject=name, is_repeatable=False)

    def delete_tag(self, name: str) -> Call:
        """The end of a tag; the commit stays."""
        ask = self._lakefs.tags_api.delete_tag_with_http_info
        return self._call("DELETE", ask, name, doing=f"delete tag {name}", about=f"tag {name}")

    def _call(
        self,
        method: str,
        ask: Operation,
        *names: str,
        doing: str,
        about: str | None = None,
        **arguments: object,
    ) -> Call:
        """A call about the repository, or what the first of the names names in it."""
        check_names(names, doing=doing, repository=self._repository)
        return Call(
            method=method,
            doing=doing,
            about=about or f"repository {self._repository}",
            subject=names[0] if names else self._repository,
            send=partial(_send, partial(ask, self._repository, *names, **arguments)),
        )


class _Connections:
    """What the SDK takes for its connections: ours, where every request is counted and bounded."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: "Timeout",
        body: str | None = None,
        fields: object = None,
        preload_content: bool = False,
    ) -> RESTResponse:
        """Send one request once, and read its answer."""
        del fields, preload_content
        answer = RESTResponse(
            self._transport.exchange(method, url, body=body, headers=headers, timeout=timeout)
        )
        if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            # The SDK takes a refusal for UTF-8, which a proxy's page need not be.
            answer.data = answer.data.decode(errors="replace").encode()
        return answer


def _send(ask: Operation, timeout_s: tuple[float, float]) -> Reply:
    """Any answer of lakeFS's, as it came: the SDK is kept from reading it."""
    try:
        answer: Any = ask(_preload_content=False, _request_timeout=timeout_s)
    except ApiException as error:
        refusal: Any = error
        return Reply.of(refusal.status, (refusal.body or "").encode(), refusal.headers)
    return Reply.of(answer.status_code, answer.raw_data, answer.headers)
