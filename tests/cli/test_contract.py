"""The contract of every command: one document with --json, four parts in every error."""

from pathlib import Path

import pytest

from ops.cli.app import every_command
from tests.cli.calls import check_envelope, check_error
from tests.cli.conftest import Call

NEEDED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("quickstart",): (),
    ("doctor",): (),
    ("init",): ("--labels", "brie,gouda"),
    ("open",): (),
    ("import",): ("voc", "labels", "--round", "cheese"),
    ("local", "up"): ("--dry-run",),
    ("local", "down"): (),
    ("local", "status"): (),
    ("local", "env"): (),
    ("local", "logs"): (),
    ("local", "reset"): ("--dry-run",),
    ("data", "add"): ("pictures",),
    ("data", "import"): ("gs://pictures/images/",),
    ("data", "list"): (),
    ("data", "profile"): (),
    ("data", "join"): ("cameras.csv", "--key", "image"),
    ("data", "dedup"): (),
    ("predict", "add"): ("said.jsonl", "--model", "cheese-net", "--version", "1"),
    ("predict", "push"): ("cheese", "cheese-net@1"),
    ("predict", "list"): (),
    ("round", "start"): ("cheese",),
    ("round", "sync"): ("cheese",),
    ("round", "status"): ("cheese",),
    ("round", "diff"): ("cheese",),
    ("round", "rebase"): ("cheese",),
    ("round", "finish"): ("cheese", "--yes"),
    ("round", "abort"): ("cheese", "--yes"),
    ("round", "list"): (),
    ("round", "show"): ("cheese",),
    ("round", "open"): ("cheese",),
    ("round", "add"): ("cheese",),
    ("round", "drop"): ("cheese", "--task", "p000.png"),
    ("dataset", "log"): (),
    ("dataset", "diff"): ("v1",),
    ("dataset", "blame"): ("p000.png",),
    ("dataset", "show"): (),
    ("dataset", "query"): ("SELECT count(*) FROM tasks",),
    ("dataset", "uri"): (),
    ("dataset", "export"): ("--format", "coco", "--out", "exported"),
    ("dataset", "pull"): ("--out", "pulled"),
    ("dataset", "runs"): (),
    ("dataset", "verify"): (),
    ("dataset", "split"): ("halves", "--ratios", "a=0.5,b=0.5"),
    ("dataset", "revert"): ("--to", "v1", "--yes"),
    ("dataset", "changes"): (),
    ("dataset", "merge"): ("cheese", "--yes"),
    ("dataset", "discard"): ("cheese", "--yes"),
    ("gates", "show"): (),
    ("gates", "set"): ("gates.toml", "--yes"),
    ("ontology", "show"): (),
    ("ontology", "add"): ("feta",),
    ("ontology", "rename"): ("brie", "camembert"),
    ("ontology", "merge"): ("brie", "gouda", "--into", "cheese"),
    ("ontology", "split"): ("brie", "young", "old"),
    ("ontology", "remove"): ("brie",),
    ("bucket", "info"): (),
    ("bucket", "cors", "show"): (),
    ("bucket", "cors", "set"): ("--origin", "https://labels.example.org"),
    ("bucket", "cors", "clear"): (),
    ("config", "show"): (),
    ("config", "use"): ("--local",),
}
"""What each command must be given, harmless where there are no servers."""

WITHOUT_SERVERS = {
    ("local", "up"),
    ("local", "down"),
    ("local", "status"),
    ("local", "reset"),
    ("config", "show"),
    ("config", "use"),
}
"""Commands that do their work in an empty directory."""

TAKE_ANY_NUMBER = {
    ("data", "add"),
    ("ontology", "add"),
    ("ontology", "merge"),
    ("ontology", "split"),
}
"""Commands that no argument is too many for."""

COMMANDS = sorted(NEEDED)
IDS = [" ".join(command) for command in COMMANDS]
every = pytest.mark.parametrize("command", COMMANDS, ids=IDS)
# The quickstart starts servers of its own: tests/system.
every_idle = pytest.mark.parametrize("command", [c for c in COMMANDS if c != ("quickstart",)])


def test_the_table_names_every_command() -> None:
    """A new command cannot go untested."""
    assert set(NEEDED) == set(every_command())


@every
def test_a_wrong_option_with_json_is_one_document(command: tuple[str, ...], call: Call) -> None:
    """Even what the option parser refuses."""
    document = check_envelope(call(*command, "--colour", "red", "--json"), command)
    assert (document["exit_code"], document["errors"][0]["code"]) == (2, "unknown-option")
    assert document["errors"][0]["hint"] == f"ops {' '.join(command)} --help"


@every
def test_an_argument_too_many_is_told(command: tuple[str, ...], call: Call) -> None:
    """Nothing is guessed from it."""
    extra = ["one-too-many"] * 2 if command not in TAKE_ANY_NUMBER else ["--limit", "x"]
    said = call(*command, *NEEDED[command], *extra, "--json")
    assert check_envelope(said, command)["exit_code"] == 2


@every_idle
def test_without_servers_a_command_works_or_says_what_is_missing(
    command: tuple[str, ...], call: Call
) -> None:
    """With --json: one document and nothing on stderr; the same keys either way."""
    document = check_envelope(call(*command, *NEEDED[command], "--json"), command)
    if command in WITHOUT_SERVERS:
        assert document["exit_code"] == 0
    elif command[0] == "local":
        assert document["exit_code"] in {3, 7, 8}
    else:
        assert document["exit_code"] == 8
        assert document["errors"][0]["code"] == "setting-missing"


@every_idle
def test_people_read_the_same_on_the_right_stream(command: tuple[str, ...], call: Call) -> None:
    """A result on stdout; an error on stderr, with all its parts, and stdout empty."""
    document = call(*command, *NEEDED[command], "--json").document
    said = call(*command, *NEEDED[command])
    assert said.exit_code == document["exit_code"]
    if said.exit_code == 0:
        assert said.stdout.endswith("\n")
        assert not [line for line in said.stdout.splitlines() if line != line.rstrip()]
        return
    assert said.stdout == ""
    [error] = document["errors"]
    lines = said.stderr.splitlines()
    assert lines[0] == f"error[{error['code']}]: {error['message']}"
    told = {line.split()[0]: line for line in lines[1:]}
    assert told["state"].endswith(error["unchanged"])
    assert told["next"].endswith(error["hint"].splitlines()[0])
    assert all(name in told for name in error["where"])


@every
def test_flags_may_stand_before_the_command(command: tuple[str, ...], call: Call) -> None:
    """`ops --json round list` is what it looks like."""
    document = check_envelope(call("--json", *command, "--colour"), command)
    assert document["errors"][0]["code"] == "unknown-option"


def test_a_flag_before_the_command_does_its_work(call: Call) -> None:
    """Between noun and verb, too."""
    behind = call("config", "show", "--json")
    assert check_envelope(behind, ["config", "show"])["exit_code"] == 0
    assert call("--json", "config", "show") == call("config", "--json", "show") == behind


@pytest.mark.parametrize(
    ("arguments", "command", "code"),
    [
        (["--json"], [], "missing-verb"),
        (["round", "--json"], ["round"], "missing-verb"),
        (["--json", "round"], ["round"], "missing-verb"),
        (["rond", "--json"], [], "unknown-command"),
        (["round", "fnish", "cheese", "--json"], ["round"], "unknown-command"),
        (["--colour", "--json"], [], "missing-verb"),
        (["round", "start", "--json"], ["round", "start"], "missing-value"),
        (["round", "start", "c", "--limit", "--json"], ["round", "start"], "wrong-value"),
        (["round", "start", "c", "--json", "--limit"], ["round", "start"], "missing-value"),
        (["round", "start", "c", "--limit", "0", "--json"], ["round", "start"], "wrong-value"),
        (["round", "start", "c", "--limit", "x", "--json"], ["round", "start"], "wrong-value"),
        (["round", "start", "c", "d", "--json"], ["round", "start"], "extra-argument"),
        (["data", "list", "--state", "odd", "--json"], ["data", "list"], "wrong-value"),
        (["data", "add", "--json"], ["data", "add"], "missing-value"),
        (["dataset", "revert", "--json"], ["dataset", "revert"], "missing-value"),
        (
            ["dataset", "revert", "--to", "v1", "--round", "r", "--json"],
            ["dataset", "revert"],
            "options-exclude",
        ),
        (
            ["dataset", "revert", "--round", "r", "--class", "brie", "--since", "v1", "--json"],
            ["dataset", "revert"],
            "options-exclude",
        ),
        (
            ["dataset", "revert", "--annotator", "a@b.c", "--json"],
            ["dataset", "revert"],
            "missing-value",
        ),
        (
            ["dataset", "revert", "--to", "v1", "--since", "v1", "--json"],
            ["dataset", "revert"],
            "options-exclude",
        ),
        (
            ["dataset", "revert", "--to", "v1", "--on-conflict", "both", "--json"],
            ["dataset", "revert"],
            "options-exclude",
        ),
        (
            ["dataset", "revert", "--to", "v1", "--review", "--json"],
            ["dataset", "revert"],
            "options-exclude",
        ),
        (
            ["dataset", "revert", "--round", "r", "--name", "x", "--json"],
            ["dataset", "revert"],
            "options-exclude",
        ),
        (
            ["dataset", "revert", "--round", "r", "--on-conflict", "odd", "--json"],
            ["dataset", "revert"],
            "wrong-value",
        ),
        (["init", "--kind", "blobs", "--json"], ["init"], "wrong-value"),
        (["--colour", "round", "list", "--json"], ["round", "list"], "early-option"),
        (["-r", "round", "list", "--json"], ["round", "list"], "early-option"),
    ],
)
def test_wrong_usage_with_json_is_one_document(
    arguments: list[str], command: list[str], code: str, call: Call
) -> None:
    """Whatever is wrong with it; `command` is as far as it was understood."""
    document = check_envelope(call(*arguments), command)
    assert (document["exit_code"], document["errors"][0]["code"]) == (2, code)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["rond"], ["no command ops rond", "did you mean round?", "ops --help"]),
        (["round", "stat"], ["did you mean start or status?", "known", "ops round --help"]),
        (["zzz"], ["no command ops zzz\n", "known", "dataset"]),
        (["round"], ["ops round needs a verb", "start, sync", "ops round --help"]),
        (["round", "start"], ["NAME is missing", "ops round start --help"]),
        (["round", "start", "c", "--limi", "3"], ["no option --limi", "did you mean --limit?"]),
        (["round", "start", "c", "--limit", "0"], ["--limit takes a whole number, 1 or more"]),
        (["round", "start", "c", "--limit"], ["--limit needs a value after it"]),
        (["round", "start", "c", "d"], ["there is no place for d"]),
        (["data", "list", "--state", "odd"], ["--state takes one of labeled, empty, skipped"]),
        (["data", "add"], ["PATHS... is missing"]),
        (["round", "--full", "sync", "c"], ["--full stands before", "ops round sync … --full"]),
    ],
)
def test_wrong_usage_says_what_would_be_right(
    arguments: list[str], parts: list[str], call: Call
) -> None:
    """In our words, with the help to read."""
    said = call(*arguments)
    assert (said.exit_code, said.stdout) == (2, "")
    assert not [part for part in parts if part not in said.stderr]
    assert "nothing was read or written" in said.stderr
    # Typer's and Pydantic's own words.
    assert not [word for word in ("Input should", "Value error", "Usage:") if word in said.stderr]


def test_an_argument_after_two_dashes_is_no_option(call: Call) -> None:
    """`--json` behind `--` is a name, and a bad one."""
    said = call("round", "start", "--", "--json")
    assert said.stdout == ""
    assert said.stderr.startswith("error[")
    document = check_envelope(call("--json", "round", "start", "--", "--x"), ["round", "start"])
    assert document["errors"][0]["code"] == "setting-missing"


def test_the_repository_of_a_flag_wins_and_is_checked(call: Call) -> None:
    """A wrong one names the flag as its source."""
    shown = call("config", "show", "--repository", "cheese", "--json", OPS_REPOSITORY="wine")
    settings = {setting["name"]: setting for setting in shown.document["data"]["settings"]}
    assert settings["repository"]["value"] == "cheese"
    assert settings["repository"]["source"] == "--repository"
    for wrong in ("X", ""):
        document = call("config", "show", "--repository", wrong, "--json").document
        assert document["exit_code"] == 8
        assert document["errors"][0]["where"] == {"source": "--repository"}


def test_config_show_masks_secrets_and_says_how_to_set_them(call: Call, tmp_path: Path) -> None:
    """For people and programs; the file's values name the file."""
    (tmp_path / "ops.toml").write_text("[lakefs]\nurl = 'http://lake.example.org'\n")
    secret = "hush-hush"  # noqa: S105 - a test's
    plain = call("config", "show", LABEL_STUDIO_API_KEY=secret)
    as_json = call("config", "show", "--json", LABEL_STUDIO_API_KEY=secret)
    assert secret not in plain.stdout + as_json.stdout
    settings = {one["name"]: one for one in as_json.document["data"]["settings"]}
    assert settings["label_studio.token"]["value"] == "********"
    assert settings["label_studio.token"]["source"] == "LABEL_STUDIO_API_KEY"
    assert settings["lakefs.url"]["source"] == str(tmp_path / "ops.toml")
    assert settings["lakefs.secret_access_key"]["value"] is None
    assert "OPS_LABEL_STUDIO_TOKEN" in plain.stdout


def test_quiet_changes_no_result(call: Call) -> None:
    """It is about progress only."""
    assert call("config", "show", "--quiet").stdout == call("config", "show").stdout
    loud, quiet = call("round", "list"), call("round", "list", "--quiet")
    assert (loud.stderr, loud.exit_code) == (quiet.stderr, quiet.exit_code)


def test_a_setting_that_is_wrong_names_its_source_to_people(call: Call) -> None:
    """The variable that holds it."""
    said = call("round", "list", OPS_LAKEFS_URL="localhost:8000")
    assert said.exit_code == 8
    assert "OPS_LAKEFS_URL" in said.stderr


def test_control_characters_reach_no_terminal(call: Call) -> None:
    """Names from elsewhere are shown with them spelled out."""
    said = call("round\x1b[2J")
    assert "round\\x1b[2J" in said.stderr
    assert "\x1b" not in said.stderr
    document = check_envelope(call("rou\x1bnd", "--json"), [])
    check_error(document["errors"][0])
