"""MCP_AUTH=jwt and oidc: FastMCP's own providers, set up from the settings. Imported only where one is wanted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmcp.server.auth import AccessToken, AuthProvider
from fastmcp.server.auth.providers.jwt import JWTVerifier

from ssh_mcp.errors import ConfigError
from ssh_mcp.settings.trusted import read_trusted

if TYPE_CHECKING:
    from ssh_mcp.settings.model import Settings

CLOCK_SKEW = 30.0
"""Seconds that the clocks of issuer and server may differ for ``nbf``."""


class Verifier(JWTVerifier):
    """FastMCP's, for tokens that end and name a subject: handles are bound to it, and a token without an end could not
    be withdrawn.
    """

    async def load_access_token(self, token: str) -> AccessToken | None:
        """The verified token; None where it is refused."""
        found = await super().load_access_token(token)
        if found is None:
            return None
        subject, end, begin = (found.claims.get(name) for name in ("sub", "exp", "nbf"))
        if not isinstance(subject, str) or not subject or not isinstance(end, int | float):
            return None
        if begin is not None and (not isinstance(begin, int | float) or begin > time.time() + CLOCK_SKEW):
            return None
        return found.model_copy(update={"subject": subject})


def provider(settings: Settings) -> AuthProvider:
    """For MCP_AUTH. Raises ConfigError with one line where the settings cannot be used."""
    try:
        return _jwt(settings) if settings.mcp_auth == "jwt" else _oidc(settings)
    except ConfigError:
        raise
    except Exception as error:  # noqa: BLE001 - one line, whatever a provider finds wrong
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200].rstrip(".")
        raise ConfigError(f"MCP_AUTH={settings.mcp_auth}: {reason}.") from None


def _jwt(settings: Settings) -> AuthProvider:
    key = settings.mcp_jwt_public_key_file
    return Verifier(
        public_key=None if key is None else read_trusted(Path(key)).decode(),
        jwks_uri=settings.mcp_jwt_jwks_uri,
        issuer=settings.mcp_auth_issuer,
        audience=settings.mcp_auth_audience,
        algorithm=settings.mcp_jwt_algorithm,
        required_scopes=list(settings.mcp_auth_scopes) or None,
        base_url=settings.mcp_base_url,
    )


def _oidc(settings: Settings) -> AuthProvider:
    from fastmcp.server.auth.oidc_proxy import OIDCProxy

    class Proxy(OIDCProxy):
        """Holds the issuer's tokens to the same rules."""

        def get_token_verifier(
            self,
            *,
            algorithm: str | None = None,
            audience: str | None = None,
            required_scopes: list[str] | None = None,
            timeout_seconds: int | None = None,  # noqa: ARG002 - FastMCP's signature
        ) -> Verifier:
            return Verifier(
                jwks_uri=str(self.oidc_config.jwks_uri),
                issuer=str(self.oidc_config.issuer),
                algorithm=algorithm,
                audience=audience,
                required_scopes=required_scopes,
            )

    options: dict[str, Any] = {}
    if settings.mcp_auth_audience is not None:
        options["audience"] = settings.mcp_auth_audience
    return Proxy(
        config_url=str(settings.mcp_oidc_config_url),
        client_id=str(settings.mcp_oidc_client_id),
        client_secret=read_trusted(Path(str(settings.mcp_oidc_client_secret_file)), secret=True).decode().strip(),
        base_url=str(settings.mcp_base_url),
        required_scopes=list(settings.mcp_auth_scopes) or None,
        **options,
    )
