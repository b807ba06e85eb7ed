"""Encryption at rest: sealed envelopes under the master keys, and one data key for each tenant.

Lives here: the envelope's format, wrapping and unwrapping of tenant keys, tokens derived from a tenant key.
Does not live here: where sealed bytes are stored, and who may ask for them.

Envelope: version (1 byte) | length of key id (1) | key id | nonce (12) | AES-256-GCM ciphertext and tag (16).
The bytes before the nonce and the caller's context are authenticated, so a sealed value that is moved to
another row, tenant or column does not open.
"""

import base64
import binascii
import hmac
import os
import re
import threading
from collections import OrderedDict
from hashlib import sha256
from typing import NoReturn
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from draggonnb_pipelines.errors import DraggonnbError, OperatorError

VERSION = 1
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
UNWRAPPED_KEYS_KEPT = 1024
_SETTING = "DRAGGONNB_MASTER_KEYS"
_REMEDY = f"set {_SETTING} to id:base64 of 32 random bytes, for example k1:$(openssl rand -base64 32)"
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}")
SESSION_PREFIX = "draggonnb keys "
_NAME_BYTES = 63  # Postgres cuts a session's name there


class SealBroken(DraggonnbError):
    """Sealed bytes do not open: other context, other key, or changed since. The message holds no plain text."""


class _Sealer:
    """One AES-256-GCM key and the id that its envelopes carry."""

    __slots__ = ("_aead", "_header", "key_id")

    def __init__(self, key_id: str, key: bytes) -> None:
        self.key_id = key_id
        self._aead = AESGCM(key)
        self._header = bytes((VERSION, len(key_id))) + key_id.encode("ascii")

    def seal(self, plaintext: bytes, context: str) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return self._header + nonce + self._aead.encrypt(nonce, plaintext, self._header + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        start = len(self._header)
        nonce, ciphertext = sealed[start : start + NONCE_BYTES], sealed[start + NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, ciphertext, self._header + context.encode())
        except InvalidTag:
            message = f"sealed value under key {self.key_id!r} is for another context, or was changed"
            raise SealBroken(message) from None


class TenantKey:
    """One organization's data key. Hold it as briefly as its database connection; it cannot be pickled."""

    __slots__ = ("_sealer", "_token_key", "organization_id")

    def __init__(self, organization_id: UUID, data_key: bytes) -> None:
        self.organization_id = organization_id
        fingerprint = _subkey(data_key, "fingerprint")[:4].hex()
        self._sealer = _Sealer(f"tenant-{fingerprint}", _subkey(data_key, "seal"))
        self._token_key = _subkey(data_key, "token")

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt for this tenant; only the same context opens it."""
        return self._sealer.seal(plaintext, context)

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what `seal` returned.

        Raises:
            SealBroken: other tenant, other context, or changed bytes.
        """
        sealed = bytes(sealed)
        key_id = key_id_of(sealed)
        if key_id != self._sealer.key_id:
            raise SealBroken(f"sealed under key {key_id!r}, not under the key of organization {self.organization_id}")
        return self._sealer.open(sealed, context)

    def derive_token(self, purpose: str, subject: str) -> str:
        """An unguessable token that can be computed again: 43 URL-safe characters, 256 bits.

        The same purpose and subject give the same token for as long as the tenant keeps its data key.
        """
        name = purpose.encode()
        digest = hmac.new(self._token_key, len(name).to_bytes(4, "big") + name + subject.encode(), sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")

    def __repr__(self) -> str:
        return f"TenantKey(organization_id={self.organization_id!s})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a TenantKey is never pickled: it would leave the process in plain text")


class Vault:
    """Seals and opens under the master keys, and unwraps the tenants' data keys.

    Args:
        master_keys: `id:base64[,id:base64]`, 32 bytes each. The first seals; all open, so a rotation puts the new
            key first, reseals what is stored, and then drops the old one.

    Raises:
        OperatorError: the setting is malformed; the message names it and never quotes a key.
    """

    def __init__(self, master_keys: str) -> None:
        keys = _parse_master_keys(master_keys)
        self._sealers = {key_id: _Sealer(key_id, key) for key_id, key in keys.items()}
        self._current = next(iter(self._sealers.values()))
        self.fingerprints = {key_id: _subkey(key, "fingerprint")[:4].hex() for key_id, key in keys.items()}
        self._unwrapped: OrderedDict[tuple[UUID, bytes], TenantKey] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def current_key_id(self) -> str:
        return self._current.key_id

    @property
    def session_name(self) -> str:
        """What a database session of a process with these keys is called: their fingerprints, the sealing one first.

        So a rotation sees in `pg_stat_activity` who could not open what it writes. Keys beyond the fifth are cut off.
        """
        return (SESSION_PREFIX + " ".join(self.fingerprints.values()))[:_NAME_BYTES]

    def seal(self, plaintext: bytes, context: str) -> bytes:
        """Encrypt under the current master key; only the same context opens it."""
        return self._current.seal(plaintext, context)

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what `seal` returned, under whichever master key it names.

        Raises:
            SealBroken: the key is not configured, the context is another one, or the bytes were changed.
        """
        sealed = bytes(sealed)
        key_id = key_id_of(sealed)
        sealer = self._sealers.get(key_id)
        if sealer is None:
            raise SealBroken(f"sealed under master key {key_id!r}, which {_SETTING} does not hold")
        return sealer.open(sealed, context)

    def is_current(self, sealed: bytes) -> bool:
        """True where the value is sealed under the current master key, so a rotation can pass it by."""
        return key_id_of(bytes(sealed)) == self._current.key_id

    def reseal(self, sealed: bytes, context: str) -> bytes:
        """The same plain text under the current master key.

        Raises:
            SealBroken: see `open`.
        """
        return self.seal(self.open(sealed, context), context)

    def new_data_key(self, organization_id: UUID) -> bytes:
        """A fresh data key for a tenant, wrapped; store it in `organizations.data_key_wrapped`.

        Overwriting or erasing the stored bytes makes everything under the key unreadable, backups of it apart.
        """
        return self.seal(os.urandom(KEY_BYTES), data_key_context(organization_id))

    def tenant_key(self, organization_id: UUID, wrapped: bytes) -> TenantKey:
        """Unwrap a tenant's data key; the last 1,024 are remembered.

        Raises:
            SealBroken: the wrapped key belongs to another organization, or was changed.
        """
        slot = (organization_id, bytes(wrapped))
        with self._lock:
            if known := self._unwrapped.get(slot):
                self._unwrapped.move_to_end(slot)
                return known
        key = TenantKey(organization_id, self.open(wrapped, data_key_context(organization_id)))
        with self._lock:
            self._unwrapped[slot] = key
            while len(self._unwrapped) > UNWRAPPED_KEYS_KEPT:
                self._unwrapped.popitem(last=False)
        return key

    def forget(self, organization_id: UUID) -> None:
        """Drop the tenant's unwrapped keys from memory; call it when its wrapped key is erased."""
        with self._lock:
            for slot in [slot for slot in self._unwrapped if slot[0] == organization_id]:
                del self._unwrapped[slot]

    def __repr__(self) -> str:
        return f"Vault(current_key_id={self._current.key_id!r}, keys={len(self._sealers)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Vault is never pickled: it would leave the process in plain text")


def data_key_context(organization_id: UUID) -> str:
    """Associated data of a tenant's wrapped data key; a rotation reseals with it."""
    return f"organization:{organization_id}:data-key"


def _subkey(data_key: bytes, use: str) -> bytes:
    """HKDF (RFC 5869) with one label a use, so that no key serves two algorithms."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"draggonnb:v1:{use}".encode()).derive(data_key)


def key_id_of(sealed: bytes) -> str:
    """The key that an envelope names.

    Raises:
        SealBroken: it is none.
    """
    if len(sealed) < 2 or sealed[0] != VERSION:
        raise SealBroken("not a sealed value of a known version")
    end = 2 + sealed[1]
    if len(sealed) < end + NONCE_BYTES + TAG_BYTES:
        raise SealBroken("sealed value is cut short")
    return sealed[2:end].decode("ascii", errors="replace")


def _parse_master_keys(setting: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for position, entry in enumerate(setting.split(","), start=1):
        key_id, colon, encoded = entry.strip().partition(":")
        if not colon or not _KEY_ID.fullmatch(key_id):
            raise _malformed(position, "is not id:base64 with an id of 1 to 32 characters A-Z a-z 0-9 _ . -")
        if key_id in keys:
            raise _malformed(position, f"repeats the id {key_id!r}")
        try:
            key = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise _malformed(position, f"({key_id!r}) is not valid base64") from None
        if len(key) != KEY_BYTES:
            raise _malformed(position, f"({key_id!r}) has {len(key)} bytes instead of {KEY_BYTES}")
        if len(set(key)) == 1:
            raise _malformed(position, f"({key_id!r}) is one byte repeated, not a random key")
        keys[key_id] = key
    return keys


def _malformed(position: int, fault: str) -> OperatorError:
    return OperatorError(f"{_SETTING}: entry {position} {fault}", remedy=_REMEDY)
