"""Statements about this tree that would go stale unnoticed: held here, each by looking."""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from ops.cli.main import InterruptedByUserError
from ops.errors import OpsError
from tests.tree import ROOT, failing, modules, named, parsed, tracked
from tools.generate_reference import failures

MOST_LINES = 500
MOST_POSITIONAL = 4

SDK_FILES = {
    "lakefs_sdk": {"ops/lake/sdk.py"},
    "label_studio_sdk": {"ops/studio/sdk.py"},
    "httpx": {"ops/studio/transport.py"},
    "urllib3": {"ops/lake/transport.py"},
    "pyarrow": {"ops/parquet.py"},
    "PIL": {"ops/media.py", "ops/profiling.py"},
    "duckdb": {"ops/tables.py"},
    "obstore": {"ops/gateway.py"},
    "daft": {"ops/engines/ray.py"},
    "imagehash": {"ops/profiling.py"},
    "fastembed": {"ops/embedding.py"},
    "datasets": {"ops/hugging_face.py"},
    "pandas": {"ops/data_frame.py"},
    "torch": {"ops/torch_data.py"},
    "google": {"ops/bucket.py"},
    "rich": {"ops/cli/output.py", "ops/cli/progress.py"},
}
"""Who alone imports what, beside the sample round in ops/quickstart."""

NOBODY = {
    *("requests", "lakefs", "label_studio", "click", "pydantic"),
    *("infra", "pulumi", "pulumi_gcp", "pulumi_kubernetes", "pulumi_random"),
}
"""What no module of ops imports: servers are external programs, infra is known by its outputs."""

LOCKS = {
    "uv.lock",
    "tools/checkov/requirements.txt",
    "tools/readers/uv.lock",
    *(f"tools/{name}/go.sum" for name in ("gateway-api", "kubernetes", "kwok", "lakefs", "pulumi")),
}


def imports(path: Path, *, leaving_out: Collection[str] = ()) -> Iterator[str]:
    """Every module a file imports, wherever in it; but for those of which it takes such names."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{named(path)} imports relatively"
            if any(alias.name not in leaving_out for alias in node.names):
                yield node.module or ""


def public(path: Path) -> Iterator[tuple[str, ast.AST, str | None]]:
    """Public classes, functions and methods of a module, with their docstrings."""
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node, ast.get_docstring(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner, ast.get_docstring(inner)


def test_the_tree_is_seen() -> None:
    """The tests below look at something."""
    assert len(modules("ops/")) > 50
    assert len(modules("tests/")) > 30
    assert ROOT / "README.md" in tracked()


# The borders.


def test_the_domain_imports_the_standard_library_alone() -> None:
    """ops/core could be used with nothing installed."""
    own = re.compile(r"ops(\.core(\..+)?|\.errors)$")
    wrong = [
        f"{named(path)}: {name}"
        for path in [*modules("ops/core/"), ROOT / "ops" / "errors.py"]
        for name in imports(path)
        if not own.match(name) and name.partition(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong, failing(wrong)


def test_the_domain_has_no_clock_no_chance_and_no_environment() -> None:
    """They are passed in."""
    outside = {"os", "pathlib", "random", "secrets", "socket", "subprocess", "time", "io"}
    pure = {"StringIO", "PurePosixPath"}
    asked = {"now", "today", "open", "print", "input", "uuid1", "uuid4"}
    wrong = [
        f"{named(path)}: {name}"
        for path in modules("ops/core/")
        for name in imports(path, leaving_out=pure)
        if name.partition(".")[0] in outside
    ]
    wrong += [
        f"{named(path)}:{node.lineno}: {ast.unparse(node.func)}"
        for path in modules("ops/core/")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in asked
    ]
    assert not wrong, failing(wrong)


@pytest.mark.parametrize("library", SDK_FILES)
def test_one_file_imports_each_library(library: str) -> None:
    """Where it is replaced, one file is rewritten."""
    users = {
        named(path)
        for path in modules("ops/")
        if library in {name.partition(".")[0] for name in imports(path)}
    }
    others = {user for user in users if not user.startswith("ops/quickstart/")}
    assert others <= SDK_FILES[library]
    assert others or library.endswith("_sdk"), "no file imports it any more"


def test_nobody_imports_the_servers_or_what_we_do_without() -> None:
    """Not in ops, and in no test either."""
    wrong = [
        f"{named(path)}: {name}"
        for path in modules("ops/")
        for name in imports(path)
        if name.partition(".")[0] in NOBODY
    ]
    assert not wrong, failing(wrong)


@pytest.mark.parametrize(
    ("room", "never"),
    [
        ("ops/core/", r"ops\.(?!core\b|errors\b)"),
        ("ops/ports.py", r"ops\.(?!core\b|errors\b|prediction_port\b)"),
        ("ops/runner/", r"ops\.(lake|studio|local|cli|quickstart|settings)\b|typer|rich"),
        ("ops/lake/", r"ops\.(studio|runner|local|cli|quickstart|settings)\b"),
        ("ops/studio/", r"ops\.(lake|runner|local|cli|quickstart|settings)\b"),
        ("ops/local/", r"ops\.(lake|studio|runner|cli|quickstart)\b"),
        ("ops/live/", r"ops\.(lake|studio|runner|local|cli|quickstart|settings|stack)\b"),
        ("ops/stack/", r"ops\.(lake|studio|runner|cli|quickstart|settings)\b"),
        ("ops/settings.py", r"ops\.(?!errors\b)"),
        ("ops/bucket", r"ops\.(?!core\b|crew\b|errors\b|ports\b|bucket_port\b)"),
        ("ops/engines/", r"ops\.(lake|studio|runner|local|cli|quickstart|settings)\b"),
        ("ops/gateway.py", r"ops\.(?!core\b|crew\b|errors\b|ports\b)"),
        ("ops/tables.py", r"ops\.(?!core\b|errors\b|parquet\b)"),
        ("ops/profiling.py", r"ops\.(?!core\b|errors\b)"),
        ("ops/embedding.py", r"ops\.(?!core\b|errors\b)"),
        ("infra/", r"ops\b|tests\b"),
    ],
)
def test_rooms_know_only_those_below_them(room: str, never: str) -> None:
    """As CONTRIBUTING.md draws the house."""
    assert modules(room)
    wrong = [
        f"{named(path)}: {name}"
        for path in modules(room)
        for name in imports(path)
        if re.match(never, name)
    ]
    assert not wrong, failing(wrong)


# Sizes and words.


def test_no_module_is_too_long() -> None:
    """Tests and tools too."""
    long = [
        f"{named(path)}: {count} lines"
        for path in modules()
        if (count := path.read_text("utf-8").count("\n")) > MOST_LINES
    ]
    assert not long, failing(long)


def test_every_module_says_what_it_is() -> None:
    """Its docstring is a sentence or more."""
    mute = [
        named(path)
        for path in modules()
        if path.read_text("utf-8").strip() and not ast.get_docstring(parsed(path))
    ]
    assert not mute, failing(mute)


def test_every_public_thing_has_a_docstring() -> None:
    """Functions, classes and methods; of the tests those that other files use."""
    mute = [
        f"{named(path)}: {name}"
        for path in modules()
        if not path.name.startswith("test_")
        for name, _, docstring in public(path)
        if not docstring
    ]
    assert not mute, failing(mute)


def test_functions_take_few_arguments_by_position() -> None:
    """Four at most; the rest by keyword: ruff's own rule for it is a preview."""
    long = [
        f"{named(path)}: {node.name}"
        for path in modules("ops/")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef)
        and len([a for a in node.args.args if a.arg not in {"self", "cls"}]) > MOST_POSITIONAL
        and node.name != "__init__"
    ]
    assert not long, failing(long)


# Errors.


def test_every_error_class_has_an_exit_code_of_its_own() -> None:
    """And a class below one of them has that one's."""
    kinds = OpsError.__subclasses__()
    codes = [kind.exit_code for kind in kinds]
    assert sorted(codes) == [*range(1, 11), InterruptedByUserError.exit_code]
    assert all("exit_code" in vars(kind) for kind in kinds)
    deeper = [below for kind in kinds for below in kind.__subclasses__()]
    assert not [below for below in deeper if "exit_code" in vars(below)]


def test_every_error_code_has_one_exit_code() -> None:
    """A program that knows the code knows what it means."""
    exit_codes: dict[str, set[int]] = defaultdict(set)
    for failure in failures():
        exit_codes[failure.code].add(failure.exit_code)
    assert len(exit_codes) > 60
    assert not {code: found for code, found in exit_codes.items() if len(found) > 1}


# Tests.


def test_no_test_patches_our_own_code() -> None:
    """Variables and the working directory may be set; nothing of ours may be replaced."""
    wrong: list[str] = []
    for path in modules("tests/"):
        wrong += [
            f"{named(path)}: {name}" for name in imports(path) if "mock" in name.partition(".")[2:]
        ]
        wrong += [
            f"{named(path)}:{node.lineno}: {node.func.attr}"
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"setattr", "delattr", "setitem", "patch"}
            and not (isinstance(node.func.value, ast.Name) and node.func.value.id == "builtins")
        ]
        wrong += [
            f"{named(path)}: {name}"
            for name in imports(path)
            if name.startswith(("unittest.mock", "mock", "pytest_mock"))
        ]
    assert not wrong, failing(wrong)


def test_tests_are_found_by_pytest() -> None:
    """A file with tests is named test_…, and its tests have names of their own."""
    for path in modules("tests/"):
        tests = [
            node.name
            for node in parsed(path).body
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        ]
        assert path.name.startswith("test_") is bool(tests), named(path)
        assert len(set(tests)) == len(tests), named(path)


def test_ignores_name_the_rule_they_ignore() -> None:
    """Never all of them, and pyright's own rather than mypy's."""
    blunt = re.compile("# (type: ignore|pylint|pyright: ignore(?!\\[)|noqa(?!:))")
    wrong = [
        f"{named(path)}:{number}: {line.strip()}"
        for path in modules()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if blunt.search(line)
    ]
    assert not wrong, failing(wrong)


# Files.


def test_no_file_names_this_machine_or_a_registry() -> None:
    """Where packages come from is the machine's business; the locks hold what they must."""
    # Written apart, so that this file does not name them either.
    names = [
        *("/" + "work/", ".." + "/shared", "/" + "root/", "/home" + "/"),
        *("pypi" + ".org", "python" + "hosted", "proxy.golang" + ".org", "go" + "proxy.io"),
        *("docker" + ".io", "ghcr" + ".io", "quay" + ".io", "registry" + ".npmjs"),
    ]
    wrong: list[str] = []
    for path in tracked():
        if named(path) in LOCKS:
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        wrong += [f"{named(path)}: {name}" for name in names if name in text]
    assert not wrong, failing(wrong)


def test_no_work_is_left_in_comments() -> None:
    """What is to be done stands in an issue."""
    left = re.compile("|".join([r"\bTO" + "DO", r"\bFIX" + "ME", r"\bX" + r"XX\b"]))
    wrong = [named(path) for path in modules() if left.search(path.read_text("utf-8"))]
    assert not wrong, failing(wrong)


def test_lint_rules_name_files_that_are_there() -> None:
    """A per-file exemption for a file that moved would open a border nobody sees."""
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    section = pyproject.partition("[tool.ruff.lint.per-file-ignores]")[2].partition("\n[")[0]
    patterns = re.findall(r'^"([^"]+)" = ', section, re.MULTILINE)
    assert patterns
    names = [named(path) for path in tracked()]
    stale = [p for p in patterns if not any(Path(name).match(p) for name in names)
             and not any(name.startswith(p.rstrip("*")) for name in names)]  # fmt: skip
    assert not stale, failing(stale)
