"""The key by which a Supabase project's Auth signs access tokens, and the tokens themselves.

Lives here: an ES256 key per project, as new projects have it, its public half as JWKS (RFC 7517), signing and checking
JWTs (RFC 7519). Does not live here: who gets a token (`supabase_auth_sessions.py`), API keys
(`supabase_projects.py`).
"""

import time
import uuid
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

_API_KEY_SECONDS = 60


class Signer:
    """One project's key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._kid = str(uuid.uuid4())

    def jwks(self) -> dict[str, Any]:
        """What anybody may have, to check tokens by."""
        public = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {
            "keys": [{**public, "alg": "ES256", "kid": self._kid, "use": "sig", "key_ops": ["verify"], "ext": True}]
        }

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self._kid})

    def role_token(self, role: str) -> str:
        """What the gateway puts in an API key's place, since the services behind it know tokens only."""
        return self.sign({"iss": "supabase", "role": role, "exp": int(time.time()) + _API_KEY_SECONDS})

    def claims_of(self, token: str) -> dict[str, Any]:
        """What a token says.

        Raises:
            jwt.InvalidTokenError: it is not ours, was altered, or has expired.
        """
        return jwt.decode(token, self._key.public_key(), algorithms=["ES256"], options={"verify_aud": False})
