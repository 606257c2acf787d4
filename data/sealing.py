"""Encrypts a stream of bytes with a passphrase, in chunks that each prove that they are whole and in their place.

The key comes from the passphrase by scrypt. Each chunk is sealed with ChaCha20-Poly1305; its nonce counts the chunks
and says whether it is the last, so that a changed, missing, repeated or reordered chunk and an early end are noticed
(the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizar, 2015). The header, with the salt and scrypt's
settings, is authenticated with every chunk.

    magic, log2(n), r, p, salt (16), nonce's beginning (7) | chunk, chunk, ..., last chunk (it may be empty)
"""

import hashlib
import secrets
import struct
import unicodedata
from typing import IO, Any

from data.errors import BadInput

MAGIC = b"parley-backup-sealed-1\n"
CHUNK = 1 << 20  # bytes of plain text in a chunk
_TAG = 16
_SALT, _PREFIX = 16, 7
_COST = (16, 8, 2)  # log2(n), r, p of scrypt: 64 MiB of memory, some tenths of a second
_MOST_COST = (20, 16, 8)  # a file that asks for more is not ours
_HEADER = struct.Struct(f">{len(MAGIC)}sBBB{_SALT}s{_PREFIX}s")


class Sealer:
    """A file to write to, which encrypts into another. Without `close`, which writes the end, it is not complete."""

    def __init__(self, target: IO[bytes], passphrase: str) -> None:
        salt, prefix = secrets.token_bytes(_SALT), secrets.token_bytes(_PREFIX)
        self._header = _HEADER.pack(MAGIC, *_COST, salt, prefix)
        self._cipher, _ = _cipher(_key(passphrase, salt, *_COST))
        self._prefix, self._target, self._count = prefix, target, 0
        self._waiting = bytearray()
        target.write(self._header)

    def write(self, raw: bytes) -> int:
        """Encrypt and write. The end of it stays in memory until more comes, or `close`."""
        self._waiting += raw
        while len(self._waiting) > CHUNK:  # a full chunk waits too, because it may be the last
            self._put(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(raw)

    def close(self) -> None:
        """Write the last chunk. The target stays open."""
        self._put(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _put(self, chunk: bytes, *, last: bool) -> None:
        nonce = _nonce(self._prefix, self._count, last=last)
        self._target.write(self._cipher.encrypt(nonce, chunk, self._header))
        self._count += 1


class Opener:
    """A file to read from, which decrypts another. Nothing is returned before it is proved to be genuine.

    Raises `BadInput` for a wrong passphrase, for a file that was changed, and for one that ends early.
    """

    def __init__(self, source: IO[bytes], passphrase: str, name: str) -> None:
        self._header = source.read(_HEADER.size)
        try:
            magic, *cost, salt, prefix = _HEADER.unpack(self._header)
        except struct.error:
            raise BadInput(f"{name} breaks off in its first bytes; use another copy of the backup.") from None
        if magic != MAGIC or not all(0 < one <= most for one, most in zip(cost, _MOST_COST, strict=True)):
            raise BadInput(f"{name} is not an encrypted backup of this version of Parley.")
        self._cipher, self._invalid = _cipher(_key(passphrase, salt, *cost))
        self._prefix, self._source, self._name, self._count = prefix, source, name, 0
        self._next = source.read(CHUNK + _TAG)
        self._ready = bytearray()
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (all, if it is negative); nothing at the end."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            self._fill()
        found = bytes(self._ready if size < 0 else self._ready[:size])
        del self._ready[: len(found)]
        return found

    def _fill(self) -> None:
        sealed, self._next = self._next, self._source.read(CHUNK + _TAG)
        last = not self._next
        try:
            self._ready += self._cipher.decrypt(_nonce(self._prefix, self._count, last=last), sealed, self._header)
        except self._invalid:
            raise BadInput(self._refusal()) from None
        self._count += 1
        self._ended = last

    def _refusal(self) -> str:
        if self._count == 0:
            return f"{self._name} does not open: the passphrase is another one, or the file was changed."
        return (
            f"{self._name} is damaged after {self._count} MiB: it breaks off there, or was changed. Use another copy "
            "of the backup."
        )


def _cipher(key: bytes) -> tuple[Any, type[Exception]]:
    """The cipher, and what it raises for anything that it did not make."""
    try:
        # Only encrypted backups need it; an installation from before them may lack it.
        from cryptography import exceptions
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    except ImportError:
        raise BadInput("An encrypted backup needs the package cryptography: pip install cryptography.") from None
    return ChaCha20Poly1305(key), exceptions.InvalidTag


def _key(passphrase: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    memory = 128 * r * ((1 << log_n) + p + 2)
    # The same letters can be typed as different code points on another machine.
    typed = unicodedata.normalize("NFC", passphrase).encode(errors="surrogateescape")
    return hashlib.scrypt(typed, salt=salt, n=1 << log_n, r=r, p=p, maxmem=2 * memory, dklen=32)


def _nonce(prefix: bytes, count: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">IB", count, last)
