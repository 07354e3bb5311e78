"""The pod's uWSGI configuration and /ready, under an application that is quick to start.

Label Studio itself is started by the same files in tests/pods.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.manifests import K8S
from ops.local.loopback import HOST, Client, free_port
from tests.wanted import check_uwsgi

_APPLICATION = """
import threading, time
from pathlib import Path

def application(environ, start_response):
    Path(__file__).with_name("asked").touch()
    time.sleep(float(environ["PATH_INFO"].strip("/") or 0))
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
_SETTINGS = """
DATABASES = {"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": "127.0.0.1", "PORT": "1", "NAME": "x",
}}
"""
_SLOW_S = 3


@pytest.fixture
def port(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Where uWSGI serves by the pod's files, and its process."""
    check_uwsgi()
    package = tmp_path / "core"
    package.mkdir()
    (package / "wsgi.py").write_text(_APPLICATION)
    (tmp_path / "settings.py").write_text(_SETTINGS)
    number = free_port()
    program = Path(sys.executable).with_name("uwsgi")
    with (tmp_path / "uwsgi.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--ini", K8S / "base" / "label-studio" / "uwsgi.ini"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "DJANGO_SETTINGS_MODULE": "settings",
                "LABEL_STUDIO_LISTEN": f"{HOST}:{number}",
                "LABEL_STUDIO_PACKAGE": str(tmp_path),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while Client(f"http://{HOST}:{number}").get("/").status != http.client.OK:
            assert process.poll() is None, (tmp_path / "uwsgi.log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "uwsgi.log").read_text()
            time.sleep(0.05)
        yield number, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_what_is_in_flight_is_ended_before_the_pod_is(
    port: tuple[int, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    number, process = port
    asked = tmp_path / "core" / "asked"
    asked.unlink()
    answers: list[tuple[int, bytes]] = []

    def submit() -> None:
        connection = http.client.HTTPConnection(HOST, number, timeout=30)
        connection.request("POST", f"/{_SLOW_S}", body=b"a submitted annotation")
        answer = connection.getresponse()
        answers.append((answer.status, answer.read()))
        connection.close()

    annotator = threading.Thread(target=submit)
    annotator.start()
    while not asked.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)
    annotator.join()
    assert answers == [(200, b"a submitted annotation")]


def test_ready_asks_the_database_and_other_addresses_do_not(
    port: tuple[int, subprocess.Popen[bytes]],
) -> None:
    client = Client(f"http://{HOST}:{port[0]}")
    assert client.get("/ready").status == http.client.SERVICE_UNAVAILABLE
    assert client.get("/").status == http.client.OK


def test_a_connection_is_said_to_end(port: tuple[int, subprocess.Popen[bytes]]) -> None:
    connection = http.client.HTTPConnection(HOST, port[0], timeout=30)
    connection.request("GET", "/")
    assert connection.getresponse().headers["Connection"] == "close"
    connection.close()
