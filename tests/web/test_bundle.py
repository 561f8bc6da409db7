"""The archive of `make bundle` installs and serves where nothing can be downloaded."""

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import httpx
import pytest

from tests.support.patience import PATIENCE
from tests.support.proof_mode import PROVING
from tests.support.server_process import environment, listening
from web.settings import ROOT

pytestmark = pytest.mark.skipif(not PROVING, reason="it takes minutes: make prove")

# `make prove` has made them before. Making them anew would change the packages that this test runs with.
MADE = ("-o", ".venv/.runtime", "-o", "web/ui/dist/.built")


def offline() -> dict[str, str]:
    """An environment without any setting of pip or make, and whose proxy leads nowhere."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "MAKE", "MFLAGS"))}
    return {
        **own,
        "PIP_CONFIG_FILE": os.devnull,
        "https_proxy": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(("make", *MADE, "bundle"), cwd=ROOT, env=environment, check=True)
    folder = tmp_path_factory.mktemp("bundle")
    with tarfile.open(ROOT / "var" / "huhang.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "huhang"


def test_the_bundle_installs_and_serves_without_a_network(unpacked: Path, tmp_path: Path) -> None:
    subprocess.run((sys.executable, "-m", "venv", ".venv"), cwd=unpacked, env=offline(), check=True)
    python = str(unpacked / ".venv" / "bin" / "python")
    wheels = [str(path) for path in (unpacked / "wheels").iterdir()]
    install = (python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", *wheels)
    subprocess.run(install, cwd=unpacked, env=offline(), check=True)
    subprocess.run((python, "-m", "pip", "check"), cwd=unpacked, env=offline(), check=True)
    output = tmp_path / "server.log"
    own = {**environment(f"sqlite:///{tmp_path / 'bundle.db'}"), "HUHANG_EVIDENCE_URL": str(tmp_path / "evidence")}
    with output.open("wb") as file:
        command = (python, "-m", "web", "serve", "--demo", "--port", "0")
        popen = subprocess.Popen(command, cwd=unpacked, env=own, stdout=file, stderr=file)
    with listening(popen, output) as server:
        for path in ("/", "/wall/", "/graphiql/", "/docs/guides/operators/", "/readyz"):
            assert httpx.get(server.address + path, timeout=PATIENCE).status_code == 200, path
        query = {"query": "{ zones { name } }"}
        answer = httpx.post(f"{server.address}/graphql", json=query, timeout=PATIENCE).json()
        assert len(answer["data"]["zones"]) == 4
