"""An OpenID Connect issuer on loopback: discovery, keys, and a login that asks nobody.

Everyone who comes to its authorization page is ``subject``, and gets the tokens that ``claims`` say, so that a test can
have an issuer whose tokens are wrong (OpenID Connect Core 1.0, Discovery 1.0).
"""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET, AUDIENCE = "ssh-mcp-client", "a-client-secret-of-the-tests-only-0123456789", "ssh-mcp"


@dataclass
class Issuer:
    """``claims`` replace those of the next tokens; None takes one away."""

    address: str
    subject: str = "alice"
    claims: dict[str, Any] = field(default_factory=dict)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": "one"}))

    @property
    def config_url(self) -> str:
        return f"{self.address}/.well-known/openid-configuration"

    def token(self) -> str:
        now = int(time.time())
        given = {
            "iss": self.address,
            "sub": self.subject,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 600,
            "scope": "ssh",
        }
        claims = {name: value for name, value in {**given, **self.claims}.items() if value is not None}
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)

    def document(self, path: str) -> dict[str, Any]:
        """What a GET returns. Raises KeyError."""
        documents: dict[str, dict[str, Any]] = {
            "/.well-known/openid-configuration": {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            },
            "/keys": {"keys": [self.key.as_dict(private=False)]},
        }
        return documents[path]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            self.send_response(302)
            back = urlencode({"code": "the-code", "state": query["state"]})
            self.send_header("location", f"{query['redirect_uri']}?{back}")
            self.end_headers()
            return
        self._json(self.server.issuer.document(asked.path))

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        known = form.get("code") == ["the-code"] and (
            form.get("client_secret") == [SECRET] or "authorization" in self.headers
        )
        token = self.server.issuer.token()
        self._json(
            {"access_token": token, "token_type": "Bearer", "expires_in": 600} if known else {"error": "invalid_grant"}
        )

    def _json(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(400 if "error" in value else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    issuer: Issuer


@contextmanager
def oidc_issuer() -> Iterator[Issuer]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.issuer = Issuer(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.issuer
        finally:
            server.shutdown()
            thread.join()
