"""The secret that signs tokens: where it is stored, who may read it, that it is never shown; and `token`."""

import datetime as dt
import json
import secrets
import stat
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner
from websockets.sync.client import connect

import web.settings
from models.visibility import Role, Scope
from resolvers.errors import RequestError
from resolvers.evidence.signed_urls import Signer
from tests.support.patience import PATIENCE
from tests.support.server_process import serving
from tests.support.server_process import web as run
from web.auth.demo_secret import demo_secret
from web.auth.keys import SECRET_MINIMUM, Purpose, Secrets, derive
from web.auth.tokens import Claims, Tokens
from web.cli import app
from web.settings import Settings

SECRET = "a secret of these tests, of no use anywhere else"
OTHER = "an older secret of these tests, which nobody uses"
STARTS = 8


# -- the demo's secret --


def test_the_demo_makes_its_secret_once_and_only_its_user_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret"
    made = demo_secret(path)
    assert len(made) >= SECRET_MINIMUM
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert demo_secret(path) == made
    assert [p.name for p in path.parent.iterdir()] == ["secret"]
    assert demo_secret(tmp_path / "other" / "secret") != made


def test_several_starts_at_once_share_one_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, together, secrets_read = tmp_path / "secret", threading.Barrier(STARTS, timeout=PATIENCE), list[str]()
    really = secrets.token_urlsafe

    def all_at_once(size: int) -> str:
        # No start continues before all have seen that there is no secret yet.
        together.wait()
        return really(size)

    monkeypatch.setattr(secrets, "token_urlsafe", all_at_once)

    def start() -> None:
        secrets_read.append(demo_secret(path))

    threads = [threading.Thread(target=start) for _ in range(STARTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert secrets_read == [path.read_text()] * STARTS
    assert list(tmp_path.iterdir()) == [path]


def test_a_configured_secret_takes_precedence_over_the_demos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.settings, "VAR", tmp_path)
    assert web.settings.secrets(Settings(secret=SecretStr(SECRET), demo=True)) == Secrets(SECRET)
    assert not (tmp_path / "secret").exists()
    assert web.settings.secrets(Settings(secret=None, demo=False)) is None
    demo = web.settings.secrets(Settings(secret=None, demo=True))
    assert demo == Secrets((tmp_path / "secret").read_text())


# -- keys --


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = {derive(SECRET, purpose) for purpose in Purpose} | {derive(OTHER, purpose) for purpose in Purpose}
    assert len(keys) == 2 * len(Purpose)
    assert {len(key) for key in keys} == {32}
    # Keys must not change between releases: that would end every token.
    assert derive(SECRET, Purpose.TOKENS).hex() == "01f54fa2a7159eb57c3b5aa72550b6c3906a42878ece6ae5c09286057b338823"


def test_the_first_key_is_the_current_secrets() -> None:
    secrets = Secrets(SECRET, (OTHER, SECRET))
    assert secrets.keys(Purpose.TOKENS) == [derive(SECRET, Purpose.TOKENS), derive(OTHER, Purpose.TOKENS)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ()),
        ("", ()),
        (SECRET, (SECRET,)),
        (json.dumps([SECRET, OTHER]), (SECRET, OTHER)),
        ("[]", ()),
    ],
)
def test_old_secrets_are_one_or_an_array(value: str | None, expected: tuple[str, ...]) -> None:
    settings = Settings(secret=SecretStr(SECRET), old_secrets=None if value is None else SecretStr(value))
    assert web.settings.secrets(settings) == Secrets(SECRET, expected)


@pytest.mark.parametrize("value", ["short", "[", '["short"]', f'["{SECRET}", 1]', f"[{SECRET}]"])
def test_wrong_old_secrets_are_refused_and_not_shown(value: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'huhang.db'}"
    done = run("migrate", url=url, HUHANG_SECRET=SECRET, HUHANG_OLD_SECRETS=value)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("HUHANG_OLD_SECRETS: ")
    assert SECRET not in line


def test_what_an_old_secret_signed_is_still_accepted() -> None:
    now = dt.datetime.now(dt.UTC)
    claims = Claims(Role.WALL, now.replace(microsecond=0) + dt.timedelta(hours=1))
    before, after, later = Tokens(OTHER), Tokens(SECRET, OTHER), Tokens(SECRET)
    assert after.read(before.make(claims), now) == claims
    assert later.read(after.make(claims), now) == claims
    with pytest.raises(RequestError):
        later.read(before.make(claims), now)
    assert before.key_id != after.key_id == later.key_id

    [old], [new] = (Secrets(secret).keys(Purpose.EVIDENCE_ADDRESSES) for secret in (OTHER, SECRET))
    for signer, is_accepted in ((Signer(new, old), True), (Signer(new), False), (Signer(old), True)):
        parts = dict(parse_qsl(urlsplit(Signer(old).url("a" * 64, now)).query))
        assert bool(signer.seconds_left("a" * 64, parts["expires"], parts["signature"], now)) is is_accepted


@pytest.mark.parametrize("secret", ["", "short", "x" * (SECRET_MINIMUM - 1)])
def test_a_short_secret_is_refused_and_not_shown(secret: str, tmp_path: Path) -> None:
    done = run("serve", "--port", "0", url=f"sqlite:///{tmp_path / 'huhang.db'}", HUHANG_SECRET=secret)
    assert done.returncode == 1
    assert done.stderr == "HUHANG_SECRET: at least 32 characters are needed\n"


# -- making tokens --


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `token --demo` with its own folder for the demo's secret. Returns the exit status, output and errors."""
    monkeypatch.setattr(web.settings, "VAR", tmp_path)

    def make(*arguments: str, secret: str | None = SECRET) -> tuple[int, str, str]:
        done = CliRunner().invoke(
            app, ["token", "--demo", *arguments], env={"HUHANG_SECRET": secret}, catch_exceptions=False
        )
        return done.exit_code, done.stdout, done.stderr

    return make


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--role", "commander"), {"subject": "commander"}),
        (("--role", "COMMANDER", "--name", "值班长"), {"role": Role.COMMANDER, "subject": "值班长", "name": "值班长"}),
        (("--role", "inspector", "--inspector", "XS1001"), {"subject": "XS1001", "inspector": "XS1001"}),
        (("--role", "enterprise", "--enterprise", "91330109"), {"subject": "91330109", "enterprise": "91330109"}),
        (("--role", "wall"), {"subject": "wall"}),
        (("--role", "integrator"), {"subject": "integrator"}),
        (
            ("--role", "integrator", "--scopes", "read, personal,register"),
            {"subject": "integrator", "scopes": frozenset({Scope.READ, Scope.PERSONAL, Scope.REGISTER})},
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_token_for_each_role(made: Any, arguments: tuple[str, ...], expected: dict[str, Any]) -> None:
    status, out, err = made(*arguments)
    assert (status, err) == (0, "")
    [token] = out.splitlines()
    now = dt.datetime.now(dt.UTC)
    claims = Tokens(SECRET).read(token, now)
    nobody: dict[str, Any] = {"name": None, "inspector": None, "enterprise": None, "scopes": frozenset()}
    whole = {"role": Role(arguments[1].lower()), **nobody, **expected}
    assert {name: getattr(claims, name) for name in whole} == whole
    assert abs(claims.expires_at - now - dt.timedelta(hours=8)) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(("ttl", "seconds"), [("1m", 60), ("90m", 5_400), ("8h", 28_800), ("366d", 31_622_400)])
def test_a_token_is_valid_for_the_given_time(made: Any, ttl: str, seconds: int) -> None:
    _, out, _ = made("--role", "wall", "--ttl", ttl)
    now = dt.datetime.now(dt.UTC)
    left = Tokens(SECRET).read(out.strip(), now).expires_at - now
    assert abs(left.total_seconds() - seconds) < 30


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--role", "inspector"), "--inspector"),
        (("--role", "enterprise"), "--enterprise"),
        (("--role", "wall", "--inspector", "XS1001"), "--inspector"),
        (("--role", "commander", "--enterprise", "9133"), "--enterprise"),
        (("--role", "inspector", "--enterprise", "9133"), "--enterprise"),
        (("--role", "inspector", "--inspector", "a", "--enterprise", "b"), "--enterprise"),
        (("--role", "wall", "--scopes", "read"), "Scopes"),
        (("--role", "integrator", "--scopes", "read,everything"), "everything"),
        (("--role", "admin"), "admin"),
        ((), "--role"),
        (("--account", "duty"), "--role"),
        *((("--role", "wall", "--ttl", ttl), ttl or "time") for ttl in ("", "8", "h", "0h", "-1h", "8w", "1.5h", "٣h")),
        (("--role", "wall", "--ttl", "100001d"), "100001d"),
        (("--role", "wall", "--ttl", "367d"), "366 days"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_arguments_that_do_not_fit_are_refused(made: Any, arguments: tuple[str, ...], reason: str) -> None:
    status, out, err = made(*arguments)
    assert (status, out) == (2, "")
    assert reason in err
    assert "Traceback" not in err


def test_without_a_configured_secret_the_demos_signs(made: Any, tmp_path: Path) -> None:
    _, out, _ = made("--role", "wall", secret=None)
    assert Tokens((tmp_path / "secret").read_text()).read(out.strip(), dt.datetime.now(dt.UTC)).role is Role.WALL


def test_the_command_prints_the_token_on_its_last_line(tmp_path: Path) -> None:
    done = run("token", "--demo", "--role", "wall", url=f"sqlite:///{tmp_path / 'none.db'}", HUHANG_SECRET=SECRET)
    assert (done.returncode, done.stderr) == (0, "")
    assert Tokens(SECRET).read(done.stdout.splitlines()[-1], dt.datetime.now(dt.UTC)).role is Role.WALL
    # It needs no database and makes none.
    assert not (tmp_path / "none.db").exists()


# -- secrecy --


@pytest.mark.parametrize("level", ["info", "debug"])
def test_neither_secrets_nor_tokens_are_logged(tmp_path: Path, level: str) -> None:
    now = dt.datetime.now(dt.UTC)
    made = Tokens(SECRET)
    good = made.make(Claims(Role.COMMANDER, now + dt.timedelta(hours=1), subject="duty", name="值班长甲乙"))
    sent = [
        good,
        made.make(Claims(Role.INSPECTOR, now + dt.timedelta(hours=1), inspector="none")),
        f"{good}x",
        "garbage-token",
    ]
    url = f"sqlite:///{tmp_path / 'huhang.db'}"
    with serving(tmp_path / "log", url, HUHANG_SECRET=SECRET, HUHANG_LOG_LEVEL=level) as server:
        for token in sent:
            header = {"authorization": f"Bearer {token}"}
            for query in ("{ zones { name } }", "{ nope }", '{ node(id: "x") { id } }'):
                httpx.post(f"{server.address}/graphql", json={"query": query}, headers=header, timeout=PATIENCE)
            socket = f"{server.address.replace('http', 'ws')}/graphql"
            options: Any = {"subprotocols": ["graphql-transport-ws"], "additional_headers": header}
            with connect(socket, open_timeout=PATIENCE, **options) as connection:
                connection.send(f'{{"type": "connection_init", "payload": {{"authorization": "Bearer {token}"}}}}')
        offered = httpx.get(f"{server.address}/graphiql/viewers.json", timeout=PATIENCE).json()["viewers"]
        assert server.end() == 0
        said = server.log
    assert said.count("\n") > 3
    for text in (SECRET, "值班长甲乙", *sent, *(o["token"] for o in offered)):
        assert text not in said
        assert text.rpartition(".")[2] not in said
