"""Action files: what lakeFS would choke on never gets there."""

import pytest

from ops.core.action import lint_action
from ops.core.lines import stored
from ops.core.names import ACTION_PATH, GATE_SCRIPT_PATH
from ops.core.plain_yaml import read_plain_yaml
from ops.core.records import Json
from ops.errors import InvalidDataError
from ops.gate import hook_files

GOOD = """\
name: my gate
on:
  pre-merge:
    branches: [main, "release-1"]
  post-create-tag:
hooks:
  - id: first_hook
    type: lua
    properties:
      script_path: a.lua
  - id: second
    type: webhook
    properties:
      url: "http://127.0.0.1:1/hook"  # somewhere
"""


def refused(text: str) -> InvalidDataError:
    with pytest.raises(InvalidDataError) as caught:
        lint_action(text.encode(), present=["a.lua"], path="_lakefs_actions/mine.yaml")
    assert caught.value.code == "action-invalid"
    assert caught.value.subject == "_lakefs_actions/mine.yaml"
    return caught.value


def test_the_hook_that_is_shipped_passes() -> None:
    shipped = hook_files()
    assert lint_action(shipped[ACTION_PATH], present=shipped) == "ops gate"
    assert GATE_SCRIPT_PATH in shipped


def test_a_good_file_passes() -> None:
    assert lint_action(GOOD.encode(), present=["a.lua"]) == "my gate"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        # One letter bricked a repository: every commit and every branch answered 500.
        ("first_hook", "x", "hooks[0].id"),
        ("first_hook", "-first", "line 7"),
        ("first_hook", "first hook", "hooks[0].id"),
        ("first_hook", "a" * 257, "hooks[0].id"),
        ("id: second", "id: first_hook", "hooks[1].id"),
        ("name: my gate", "name: m", "name"),
        ("name: my gate", "name: my/gate", "name"),
        ("name: my gate\n", "", "name"),
        ("name: my gate", "nam: my gate", "nam"),
        ("pre-merge", "pre-marge", "on.pre-marge"),
        ("branches", "branch", "on.pre-merge.branch"),
        ("[main,", "[1,", "on.pre-merge.branches"),
        (
            "post-create-tag:",
            "post-create-tag:\n    branches: [main]",
            "on.post-create-tag.branches",
        ),
        ("type: lua", "type: Lua", "hooks[0].type"),
        ("type: lua", "type: bash", "hooks[0].type"),
        ("    type: lua\n", "", "hooks[0].type"),
        ("script_path: a.lua", "script_path: b.lua", "hooks[0].properties.script_path"),
        ("script_path", "script_file", "hooks[0].properties.script_path"),
        ("script_path: a.lua", "script: 5", "hooks[0].properties.script"),
        ("      url:", "      uri:", "hooks[1].properties.url"),
        ("hooks:", "hook:", "hook"),
        ("    branches", "\tbranches", "line 4"),
        ("name: my gate", "name: my gate\nname: another", "line 2"),
        ("id: first_hook", "id: &anchor first_hook", "line 7"),
        ("name: my gate", "name: yes", "line 1"),
        ("name: my gate", "name: a: b", "line 1"),
        ("name: my gate", "name: >\n  folded", "line 1"),
        ("name: my gate", "my gate", "line 1"),
        ("    properties:\n      url", "   properties:\n      url", "line 13"),
    ],
)
def test_a_mistake_is_refused_with_its_place(old: str, new: str, place: str) -> None:
    assert old in GOOD
    assert dict(refused(GOOD.replace(old, new, 1)).where)["field"] == place


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", "on:\n", "name: only a name\n"])
def test_what_is_no_action_at_all(text: str) -> None:
    refused(text)


def test_an_action_without_events_is_refused() -> None:
    refused("name: my gate\non: []\nhooks: []\n")


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(InvalidDataError) as caught:
        lint_action(b"name: \xff", present=[])
    assert "UTF-8" in caught.value.message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: -12\nc: 0", {"a": 1, "b": -12, "c": 0}),
        ("a: true\nb: false", {"a": True, "b": False}),
        ("a: word\nb: two words", {"a": "word", "b": "two words"}),
        ("a: 'it: # s'\nb: \"x\"", {"a": "it: # s", "b": "x"}),
        ("a: x # said\n# aside\n\nb: y#z", {"a": "x", "b": "y#z"}),
        ("a:\n- 1\n- b\nc: 2", {"a": [1, "b"], "c": 2}),
        ("a:\n  - 1\n  - b", {"a": [1, "b"]}),
        ("- a: 1\n  b: 2\n- a: 3", [{"a": 1, "b": 2}, {"a": 3}]),
        ("a: []\nb: [x, 2]", {"a": [], "b": ["x", 2]}),
        ("a:\nb:\n  c:\n    d: 1", {"a": None, "b": {"c": {"d": 1}}}),
        ("a: /path/x.lua\r\nb: 1\r\n", {"a": "/path/x.lua", "b": 1}),
    ],
)
def test_plain_yaml_means_what_every_reader_says(text: str, value: Json) -> None:
    yaml = pytest.importorskip("yaml")
    assert read_plain_yaml(text.encode(), stored("x", "y")) == value == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: 1.5", "a: 0x10", "a: 010", "a: 1_000", "a: 2026-11-21", "a: ~", "a: null", "a: No",
        "a: |\n  x", "a: {b: 1}", "a: *b", "a: !!str 1", "a: [1, 2", "a: [[1]]", "a: 'x", "a: b:",
        "a: 1\n  b: 2", "  a: 1\nb: 2", "a: - b", "-", "- ", "? a", "---\na: 1", 'a: "x\\n"',
        "\n".join("  " * level + f"a{level}:" for level in range(30)),
    ],
)  # fmt: skip
def test_what_readers_may_differ_about_is_refused(text: str) -> None:
    with pytest.raises(InvalidDataError):
        read_plain_yaml(text.encode(), stored("x", "y"))
