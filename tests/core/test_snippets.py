"""The snippets are Python that names the version and the credentials' variables, never a secret."""

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.snippets import KEY, SECRET, snippets
from ops.settings import SPECS

LIBRARIES = ("boto3", "pyarrow", "pandas", "s3fs", "duckdb", "pytorch")
repositories = st.from_regex(r"[a-z0-9][a-z0-9-]{2,30}", fullmatch=True)
refs = st.one_of(
    st.integers(1, 999).map(lambda number: f"v{number}"),
    st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    st.from_regex(r"[a-z0-9_][a-z0-9_-]{0,20}", fullmatch=True),
)
endpoints = st.sampled_from(
    ["http://127.0.0.1:8000", "https://lake.example.org", "https://lake.example.org:8443"]
)


def test_every_promised_library_has_one() -> None:
    """In the order they are shown."""
    found = snippets(repository="cheese", ref="v1", endpoint="http://127.0.0.1:8000")
    assert tuple(found) == LIBRARIES


@given(repositories, refs, endpoints)
def test_each_is_python_that_reads_this_version(repository: str, ref: str, endpoint: str) -> None:
    """It parses, imports the library, and holds repository, ref and address as whole texts."""
    for library, code in snippets(repository=repository, ref=ref, endpoint=endpoint).items():
        tree = ast.parse(code)
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        imported = {
            alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert {"pytorch": "torch"}.get(library, library) in imported
        said = " ".join(str(text) for text in texts)
        assert repository in said
        assert re.search(rf"\b{re.escape(ref)}/", said)
        host, scheme = endpoint.partition("://")[2], endpoint.partition("://")[0]
        assert endpoint in texts or {host, scheme} <= texts


@given(repositories, refs, endpoints)
def test_credentials_are_named_and_never_given(repository: str, ref: str, endpoint: str) -> None:
    """Both are read from the environment, by the names lakectl uses."""
    for code in snippets(repository=repository, ref=ref, endpoint=endpoint).values():
        assert f'os.environ["{KEY}"]' in code
        assert f'os.environ["{SECRET}"]' in code
        assert "import io, os" in code or "import os" in code


def test_the_named_variables_are_settings_of_ours() -> None:
    """What `ops` itself understands."""
    variables = {variable for spec in SPECS for variable in spec.variables}
    assert {KEY, SECRET} <= variables


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_fits_a_screen(library: str) -> None:
    """With a version's tag no line is longer than 100."""
    code = snippets(repository="cheese", ref="v1", endpoint="http://127.0.0.1:8000")[library]
    assert max(len(line) for line in code.splitlines()) <= 100
    assert code.endswith("\n")
    assert not code.startswith("\n")
