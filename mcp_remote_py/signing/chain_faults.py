"""Why botocore brings no keys, read from what it raises: by names, so that any version will do.

Nothing is imported from it: a class that an old one does not have is a row that never fits. What
a person reads is `chain_words`'s. Must not know how botocore is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from mcp_remote_py.key_shapes import may_be_key
from mcp_remote_py.patterns import lazy_pattern
from mcp_remote_py.redact import MASK, mask_url
from mcp_remote_py.signing.chain_answer import ChainFault


class MfaAsked(Exception):
    """Somebody should type a code."""


class SearchProgress(msgspec.Struct):
    """What the search is at: changed as it goes on."""

    profile: str = ""
    """The profile that is used, "" for the default."""
    named: str = ""
    """The same, where a person has named it."""
    source: str = ""
    """botocore's name of the provider that is asked now."""
    files: str = ""
    """AWS's files, as a person reads it."""
    host: str = ""
    """The host that was asked last."""
    program: str = ""
    """The program that was started last, unless a host was asked since."""

    def facts(self, **more: str) -> dict[str, str]:
        """What goes into the sentences of a reason, without what is empty."""
        known = {"profile": self.profile, "named": self.named, "files": self.files}
        known.update(source=self.source, host=self.host, program=self.program)
        known.update(more)
        return {name: value[:MAX_FACT] for name, value in known.items() if value}


MAX_FACT = 4096
"""Characters of a foreign text that are handed on."""


_Read = Callable[[Any, SearchProgress], ChainFault]


def _plain(reason: str) -> _Read:
    return lambda error, progress: ChainFault(reason, progress.facts(words=str(error)))


def _wordless(reason: str) -> _Read:
    return lambda error, progress: ChainFault(reason, progress.facts())


def _member(error: Any, name: str) -> str:
    """A member that botocore's error was made with, as a text; "" where it has none."""
    members: Mapping[str, object] = getattr(error, "kwargs", {})
    value = members.get(name)
    return "" if value is None else str(value)


# Files --------------------------------------------------------------------------------------


def _read_broken_file(error: Any, progress: SearchProgress) -> ChainFault:
    """The line's number and never the line: it may be the one with the key."""
    inner: Any = getattr(error, "kwargs", {}).get("error")
    kind = type(inner).__name__
    lines: Any = getattr(inner, "errors", None)
    line = lines[0][0] if lines else getattr(inner, "lineno", None)
    problem = _BROKEN.get(kind, kind)
    if isinstance(line, int):
        problem = f"line {line}: {problem}"
    return ChainFault("broken-file", progress.facts(path=_member(error, "path"), problem=problem))


_BROKEN = {
    "MissingSectionHeaderError": "a setting stands before the first [section]",
    "ParsingError": "it is neither a [section] nor a setting",
    "DuplicateSectionError": "the same [section] was there before",
    "DuplicateOptionError": "the same setting was there before",
    "UnicodeDecodeError": "it is not UTF-8",
    "ValueError": "an indented line is not name = value",
    "NoneType": "it is not a file of settings",
}
"""By the class of what Python's reader of such files raises."""


def _read_os_error(error: Any, progress: SearchProgress) -> ChainFault:
    problem = getattr(error, "strerror", None) or type(error).__name__
    name = getattr(error, "filename", None)
    if progress.program and name in (None, progress.program):
        return ChainFault("process-missing", progress.facts(problem=problem))
    if name is None:
        return _read_unknown(error, progress)
    return ChainFault("unreadable", progress.facts(path=str(name), problem=problem))


def _read_partial(error: Any, progress: SearchProgress) -> ChainFault:
    provider, missing = _member(error, "provider"), _member(error, "cred_var")
    if provider == "assume-role":
        return ChainFault("wrong-profile", progress.facts(words=str(error)))
    place = {"env": "the environment"}.get(provider, f"profile {progress.profile or 'default'}")
    return ChainFault("half-keys", progress.facts(place=place, missing=missing))


# credential_process and what else gives keys -------------------------------------------------


def _read_retrieval(error: Any, progress: SearchProgress) -> ChainFault:
    provider, words = _member(error, "provider"), _member(error, "error_msg")
    if provider == "custom-process":
        return _read_process(words, progress)
    if provider == "container-role":
        return ChainFault("container", progress.facts(words=words))
    if provider in ("Ec2InstanceMetadata", "EcsContainer", "Environment"):
        return ChainFault("machine-role", progress.facts(source=provider, words=words))
    return ChainFault("unknown", progress.facts(problem=provider, words=words))


def _read_process(words: str, progress: SearchProgress) -> ChainFault:
    # Two of botocore's own sentences, about JSON that is not that of keys.
    if version := re.match(r"Unsupported version '([^']{1,40})'", words):
        problem = "no Version" if "not provided" in version[1] else f"Version {version[1]}"
        return ChainFault("process-rubbish", progress.facts(problem=problem))
    if missing := re.match(r"Missing required key in response: '(\w{1,40})'", words):
        return ChainFault("process-rubbish", progress.facts(problem=f"no {missing[1]}"))
    return ChainFault("process-failed", progress.facts(words=_last_words(words)))


def _read_rubbish(error: Any, progress: SearchProgress) -> ChainFault:
    """Python's own errors, of what a program has printed; they repeat it, so they are not told."""
    if not progress.program:
        return _read_unknown(error, progress)
    kind = type(error).__name__
    return ChainFault(
        "process-rubbish", progress.facts(problem=_RUBBISH.get(kind, "not such JSON"))
    )


_RUBBISH = {
    "JSONDecodeError": "not JSON",
    "UnicodeDecodeError": "not UTF-8",
    "ParserError": "Expiration is not a time",
}

MAX_LAST_WORDS = 200
"""Characters of what a program has said at its end."""


def _last_words(text: str) -> str:
    """The end of what a program has said on its stderr, without what may be a key."""
    masked = mask_keys(" ".join(text[-8 * MAX_LAST_WORDS :].split()))
    return masked if len(masked) <= MAX_LAST_WORDS else "…" + masked[1 - MAX_LAST_WORDS :]


_WORD = lazy_pattern(r"[^\s\"',;:()\[\]{}<>]{8,}")


def mask_keys(text: str) -> str:
    """A foreign text with stars for each word that is not made of words: names of files stay."""
    return _WORD.sub(lambda word: MASK if may_be_key(word[0]) else word[0], text)


# AWS and the way to it -----------------------------------------------------------------------

_STALE = {
    *("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClient"),
    *("SignatureDoesNotMatch", "RequestExpired", "UnrecognizedClientException"),
}
"""Codes by which AWS refuses the keys of a request, whatever it asks for."""

_BUSY = {
    *("Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"),
    *("ServiceUnavailable", "InternalFailure", "InternalError", "IDPCommunicationError"),
}

_BY_OPERATION = {
    "AssumeRole": "role-refused",
    "AssumeRoleWithWebIdentity": "web-identity-refused",
    "GetRoleCredentials": "sso-refused",
}

SERVER_ERROR = 500
"""The first HTTP status of a fault that is the server's."""


def _read_refusal(error: Any, progress: SearchProgress) -> ChainFault:
    response: dict[str, Any] = getattr(error, "response", None) or {}
    said: dict[str, Any] = response.get("Error") or {}
    code, words = str(said.get("Code", "")), str(said.get("Message", ""))
    about: dict[str, int] = response.get("ResponseMetadata") or {}
    status = about.get("HTTPStatusCode", 0)
    operation = str(getattr(error, "operation_name", ""))
    if code in _BUSY or status >= SERVER_ERROR:
        reason = "busy"
    elif code in _STALE and operation == "AssumeRole":
        reason = "stale-source"
    else:
        reason = _BY_OPERATION.get(operation, "refused")
    return ChainFault(reason, progress.facts(code=code, words=words, operation=operation))


def _read_network(error: Any, progress: SearchProgress) -> ChainFault:
    url = _member(error, "endpoint_url") or _member(error, "proxy_url")
    is_proxy = bool(_member(error, "proxy_url"))
    host = host_of(url) or progress.host
    named = {"host": f"The proxy {host}" if is_proxy else host} if host else {}
    words = _member(error, "error")
    if type(error).__name__ == "SSLError":
        return ChainFault(
            "untrusted", progress.facts(words=_words_of_network(words, error), **named)
        )
    if not host:
        return _read_unknown(error, progress)
    return ChainFault("unreachable", progress.facts(words=_words_of_network(words, error), **named))


def _words_of_network(words: str, error: Any) -> str:
    """What the system or the TLS library said; all else is for programmers, and long."""
    if found := _REASON.search(words):
        return found[1].strip()
    return words if words and words != "None" else type(error).__name__


_REASON = lazy_pattern(r"\[(?:Errno -?\d+|SSL: \w+)\] ([^'\"()\[\]]{3,100})")


def host_of(url: str) -> str:
    """The host of a URL, with its port, and without the password of a proxy."""
    return mask_url(url).partition("://")[2].partition("/")[0].partition("?")[0] if url else ""


# All ----------------------------------------------------------------------------------------


def _read_unknown(error: Any, progress: SearchProgress) -> ChainFault:
    words = mask_keys(str(error))
    return ChainFault("unknown", progress.facts(problem=type(error).__name__, words=words))


def _read_runtime(error: Any, progress: SearchProgress) -> ChainFault:
    if "still expired" in str(error):
        return ChainFault("stale-keys", progress.facts())
    return _read_unknown(error, progress)


def _read_missing_token(error: Any, progress: SearchProgress) -> ChainFault:
    words = _member(error, "error_msg")
    # botocore has two texts; the other is of a token that is there, without an expiry.
    return ChainFault(
        "sso-missing", progress.facts(words="" if "does not exist" in words else words)
    )


_BY_CLASS: Mapping[str, _Read] = {
    "MfaAsked": _wordless("mfa"),
    "ProfileNotFound": _wordless("no-profile"),
    "ConfigParseError": _read_broken_file,
    "PartialCredentialsError": _read_partial,
    "InvalidConfigError": _plain("wrong-profile"),
    "UnknownCredentialError": _plain("wrong-profile"),
    "ParamValidationError": _plain("wrong-profile"),
    "NoRegionError": _wordless("no-region"),
    "InvalidRegionError": _plain("wrong-profile"),
    "UnauthorizedSSOTokenError": _wordless("sso-expired"),
    "TokenRetrievalError": _wordless("sso-expired"),
    "SSOTokenLoadError": _read_missing_token,
    "MissingDependencyException": _wordless("no-crt"),
    "LoginInsufficientPermissions": _plain("login-refused"),
    "LoginError": _plain("login-expired"),
    "CredentialRetrievalError": _read_retrieval,
    "MetadataRetrievalError": _plain("container"),
    "ClientError": _read_refusal,
    "ConnectionError": _read_network,
    "HTTPClientError": _read_network,
    "OSError": _read_os_error,
    "RuntimeError": _read_runtime,
    "ValueError": _read_rubbish,
    "AttributeError": _read_rubbish,
    "TypeError": _read_rubbish,
    "KeyError": _read_rubbish,
}
"""How an error is read, by its class or the nearest one above it."""


def read_fault(error: BaseException, progress: SearchProgress) -> ChainFault:
    """Why there are no keys."""
    for kind in type(error).__mro__:
        if (read := _BY_CLASS.get(kind.__name__)) is not None:
            return read(error, progress)
    return _read_unknown(error, progress)


def read_flood(progress: SearchProgress) -> ChainFault:
    """Why what a program prints is not read to its end."""
    return ChainFault("process-rubbish", progress.facts(problem="it does not stop printing"))


def read_hang(progress: SearchProgress, seconds: float) -> ChainFault:
    """Why there are no keys yet."""
    if progress.program:
        reason = "process-hangs"
    else:
        reason = "host-hangs" if progress.host else "hangs"
    return ChainFault(reason, progress.facts(seconds=f"{seconds:g}"))
