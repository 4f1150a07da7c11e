"""MCP_AUTH=oidc against an issuer on loopback: a client registers, its user logs in and agrees, the token is used."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from fastmcp import Client
from fastmcp.client.auth import OAuth
from fastmcp.client.transports import StreamableHttpTransport
from mcp.shared.auth import AuthorizationCodeResult
from mcp.shared.exceptions import MCPError

from tests.integration.surface_rig import Serving, environment, private, serving
from tests.peers.oidc_issuer import AUDIENCE, CLIENT, SECRET, Issuer, oidc_issuer
from tests.peers.sshd import free_port

pytestmark = pytest.mark.filterwarnings("ignore:Using in-memory token storage:UserWarning")  # the client's, for a test


class Person(OAuth):
    """The user's browser: follows redirects, and agrees where it is asked."""

    reply: dict[str, list[str]]

    async def redirect_handler(self, authorization_url: str) -> None:
        async with httpx2.AsyncClient(follow_redirects=False) as browser:
            response = await browser.get(authorization_url)
            while True:
                if response.status_code == 200:  # the page that asks for consent
                    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', response.text))
                    response = await browser.post(str(response.url), data={**fields, "action": "approve"})
                elif response.is_redirect:
                    target = urljoin(str(response.url), response.headers["location"])
                    if urlsplit(target).path == "/callback":
                        self.reply = parse_qs(urlsplit(target).query)
                        return
                    response = await browser.get(target)
                else:
                    raise PermissionError(response.text)

    async def callback_handler(self) -> AuthorizationCodeResult:
        if "code" not in self.reply:
            raise PermissionError(self.reply)
        return AuthorizationCodeResult(
            code=self.reply["code"][0], state=self.reply["state"][0], iss=self.reply.get("iss", [None])[0]
        )


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with oidc_issuer() as found:
        yield found


@pytest.fixture
def server(issuer: Issuer, tmp_path: Path) -> Iterator[Serving]:
    port = free_port()
    hosts = '[hosts.web]\nhostname = "127.0.0.1"\n[roles.reader]\ntiers = ["read"]\n[identities]\nalice = "reader"\n'
    settings = environment(
        tmp_path,
        mcp_transport="http",
        mcp_http_port=port,
        mcp_base_url=f"http://127.0.0.1:{port}",
        mcp_auth="oidc",
        mcp_auth_audience=AUDIENCE,
        mcp_oidc_config_url=issuer.config_url,
        mcp_oidc_client_id=CLIENT,
        mcp_oidc_client_secret_file=private(tmp_path / "secret", SECRET),
        ssh_hosts_file=private(tmp_path / "hosts.toml", hosts),
        ssh_audit_file=tmp_path / "audit.jsonl",
    )
    with serving(settings) as found:
        yield found


def client(server: Serving) -> Client[StreamableHttpTransport]:
    return Client(StreamableHttpTransport(server.url, auth=Person(server.url)))


async def test_who_logs_in_at_the_issuer_is_the_identity(server: Serving, tmp_path: Path) -> None:
    async with client(server) as alice:
        hosts = (await alice.call_tool("ssh_host_list", {})).data.hosts
    assert [host.alias for host in hosts] == ["web"]
    (line,) = [
        json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines() if "ssh_host_list" in line
    ]
    assert line["identity"] == "alice"


WRONG: list[dict[str, object]] = [
    {"iss": "https://evil.example"}, {"aud": "mail"}, {"exp": 1}, {"exp": None}, {"sub": None}, {"nbf": 2**33},
]  # fmt: skip


async def test_a_token_of_the_issuer_that_is_not_for_this_server_is_refused(
    server: Serving, issuer: Issuer, tmp_path: Path
) -> None:
    let_in = []
    for issuer.claims in WRONG:
        with contextlib.suppress(MCPError):
            async with client(server) as alice:
                await alice.call_tool("ssh_host_list", {})
            let_in.append(issuer.claims)
    assert let_in == []
    assert not (tmp_path / "audit.jsonl").exists() or "ssh_host_list" not in (tmp_path / "audit.jsonl").read_text()
