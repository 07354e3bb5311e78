"""Action files, checked as lakeFS checks them, before one is written.

lakeFS 1.84 parses every file in `_lakefs_actions/` at every commit and for every new branch: one
mistake, such as an id of one letter, stops both (`pkg/actions/action.go`). Owns lakeFS's rules.
Does not know what a hook does.
"""

import re
from collections.abc import Collection

from ops.core.documents import Fields, Source
from ops.core.lines import stored
from ops.core.names import ACTION_PATH
from ops.core.plain_yaml import read_plain_yaml

# The rules of lakeFS 1.84: pkg/actions/action.go, hook.go, pkg/graveler/hooks_handler.go.
_NAME = re.compile(r"\w[\w\-. ]+", re.ASCII)
_HOOK_ID = re.compile(r"[_a-zA-Z][\-_a-zA-Z0-9]{1,255}", re.ASCII)
_EVENTS = frozenset(
    {
        "prepare-commit",
        *(f"{when}-{what}" for when in ("pre", "post") for what in ("commit", "merge", "revert")),
        *(f"{when}-cherry-pick" for when in ("pre", "post")),
        *(
            f"{when}-{deed}-{what}"
            for when in ("pre", "post")
            for deed in ("create", "delete")
            for what in ("tag", "branch")
        ),
    }
)
# Of each group one must be there.
_PROPERTIES = {
    "lua": (("script", "script_path"),),
    "webhook": (("url",),),
    "airflow": (("url",), ("dag_id",), ("username",), ("password",)),
}


def lint_action(data: bytes, *, present: Collection[str], path: str = ACTION_PATH) -> str:
    """Refuse an action file that lakeFS would choke on, and give the action's name.

    Args:
        data: the file's bytes.
        present: the paths that the commit will hold: a script must be among them.
        path: where the file lies, for the error.

    Raises:
        InvalidDataError: lakeFS refuses it, or it is not plain YAML; the error names the place.
    """
    source = stored(path, "action-invalid")
    action = Fields.of(read_plain_yaml(data, source), "", source)
    action.only(frozenset({"name", "description", "on", "hooks"}))
    name = action.text("name")
    if not _NAME.fullmatch(name):
        action.refuse("name", f"is {name!r}; lakeFS takes letters, digits, spaces, - _ and .")
    _lint_events(action.fields("on"))
    ids: set[str] = set()
    for hook in action.items("hooks"):
        _lint_hook(hook, present, source)
        if hook.text("id") in ids:
            hook.refuse("id", f"is {hook.text('id')!r}, which is there already")
        ids.add(hook.text("id"))
    return name


def _lint_events(events: Fields) -> None:
    if not events.values:
        events.source.refuse(events.path, "names no event")
    for event in events.values:
        if event not in _EVENTS:
            events.refuse(event, "is no event of lakeFS")
        if not events.has(event):
            continue
        on = events.fields(event)
        on.only(frozenset({"branches"}))
        branches = on.array("branches") if on.has("branches") else []
        if not all(isinstance(branch, str) and branch for branch in branches):
            on.refuse("branches", "must be an array of names")
        if branches and event.endswith("-tag"):
            on.refuse("branches", "is for events of branches; a tag has none")


def _lint_hook(hook: Fields, present: Collection[str], source: Source) -> None:
    hook.only(frozenset({"id", "type", "description", "if", "properties"}))
    if not _HOOK_ID.fullmatch(hook.text("id")):
        hook.refuse(
            "id",
            f"is {hook.text('id')!r}; lakeFS takes 2 to 256 letters, digits, - and _, "
            "a letter or _ first",
        )
    kind = hook.text("type")
    if kind not in _PROPERTIES:
        hook.refuse("type", f"is {kind!r}; lakeFS knows {', '.join(sorted(_PROPERTIES))}")
    properties = hook.fields("properties")
    for group in _PROPERTIES[kind]:
        if not any(properties.has(name) for name in group):
            properties.refuse(group[-1], "is missing")
    for name in ("script", "script_path"):
        if kind == "lua" and properties.has(name):
            properties.text(name)
    if kind == "lua" and properties.has("script_path"):
        script = properties.text("script_path")
        if script not in present:
            source.refuse(properties.at("script_path"), f"names {script}, which is not there")
    if kind == "lua" and properties.has("args"):
        properties.fields("args")
