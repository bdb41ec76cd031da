"""One account at one server: what is kept, counted and locked belongs to one (decision D7).

Header values are not a part of it: they change, and the sign-in must not be lost with them. Pure.
Must not know what is kept, nor where.
"""

from __future__ import annotations

import hashlib

import msgspec

from mcp_remote_py.settings.sign_in import SignInSettings
from mcp_remote_py.url import ServerUrl
from mcp_remote_py.values import Value


class SessionId(Value, frozen=True):
    """A server's URL in its canonical form; the resource and the profile that a person named.

    Each of the last two is "" where they named none. That the server is canonical is `ServerUrl`'s:
    lower-case scheme and host, no default port, the rest as typed.
    """

    server: str
    resource: str = ""
    profile: str = ""

    @property
    def record_name(self) -> str:
        """The name, without extension, of plain files: 32 hexadecimal digits.

        Where only the server is named it is that of the first version, which knew nothing else.
        """
        # A line break occurs in none of the three.
        name = "\n".join(self.parts()) if self.resource or self.profile else self.server
        return hashlib.sha256(name.encode()).hexdigest()[:32]

    @property
    def key(self) -> str:
        """The name of what is sealed, and of locks: 64 hexadecimal digits.

        Another one than that of plain files, since 0.1.0: a record does not open under a new name.
        """
        return hashlib.sha256(msgspec.json.encode(self.parts())).hexdigest()


def session_of(server: ServerUrl, chosen: SignInSettings) -> SessionId:
    """The session that these options name."""
    return SessionId(str(server), chosen.resource or "", chosen.profile)
