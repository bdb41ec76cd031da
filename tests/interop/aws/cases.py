"""What is tried with each command before the gate: the story of AWS, names, refusals, bad moods.

A case is a function that is given a desk and says what came of it; `Bad` says it should not be so.
A row of each table is a case, a column a command. Must not know any command by name.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.host import Host, descendants
from tests.interop.aws.gate import KEY, REGION, SECRET
from tests.interop.aws.names import names_lead_to
from tests.interop.aws.relays import Signing
from tests.interop.aws.running import GOOD_KEYS, NEXT_KEY
from tests.interop.aws.stage import OTHER_KEY, OTHER_SECRET, Desk, call, names_in, said_by

MAX_WORDS = 330


class Bad(Exception):
    """What came of it is not what a person needs."""


@dataclass(frozen=True)
class Case:
    """A row: what is tried, on a gate of which product, and how it is played."""

    name: str
    play: Callable[[Desk], str]
    product: str = "function-url"
    cloud: bool = False
    """Lambda and STS are there, too."""


def shorten(text: str) -> str:
    """One line that fits a cell."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_WORDS else text[: MAX_WORDS - 2] + " …"


def leave(host: Host) -> None:
    """As hosts do; the command is gone afterwards."""
    host.close_stdin()
    host.wait_exit(10)


# The story


def start(desk: Desk) -> str:
    """From nothing to the answer of `initialize`, and of the first call; medians."""
    greeted: list[float] = []
    called: list[float] = []
    for _ in range(4):
        began = time.monotonic()
        with desk.host(fresh=True) as host:
            greeted.append(time.monotonic() - began)
            assert call(host, "echo", text="hello") == "hello"
            called.append(time.monotonic() - began)
            leave(host)
    # The first one compiles.
    return f"{statistics.median(greeted[1:]):.2f} s; call {statistics.median(called[1:]):.2f} s"


def latency(desk: Desk) -> str:
    """One call after another."""
    with desk.host(fresh=True) as host:
        call(host, "echo", text="warm")
        took: list[float] = []
        for _ in range(60):
            began = time.monotonic()
            assert call(host, "echo", text="hello") == "hello"
            took.append(time.monotonic() - began)
        return f"{statistics.median(took) * 1000:.1f} ms"


def memory(desk: Desk) -> str:
    """Of the process and all below it, after a call."""
    with desk.host(fresh=True) as host:
        assert call(host, "echo", text="hello") == "hello"
        pids = [host.process.pid, *descendants(host.process.pid)]
        sizes = [
            re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()) for pid in pids
        ]
        return f"{sum(int(size[0]) for size in sizes if size) // 1024} MiB"


def requests(desk: Desk) -> str:
    """A whole session, each request of which must be signed right, the DELETE at its end too."""
    before = len(desk.gate.seen())
    with desk.host() as host:
        tools = names_in(host.request("tools/list"))
        assert call(host, "echo", text="hello") == "hello"
        leave(host)
    seen = desk.gate.seen()[before:]
    right = [one for one in seen if one["verdict"] == "right"]
    methods = {one["http"] for one in seen}
    if len(right) < len(seen) or "DELETE" not in methods or not tools:
        raise Bad(f"{len(right)} of {len(seen)} right, {sorted(methods)}")
    return f"{len(right)} of {len(seen)}, DELETE signed"


def signed_headers(desk: Desk) -> str:
    """Which of MCP's headers a signature covers."""
    before = len(desk.gate.seen())
    with desk.host() as host:
        call(host, "echo", text="hello")
    left_out: set[str] = set()
    for one in desk.gate.seen()[before:]:
        left_out |= {
            name for name in set(one["names"]) - set(one["signed"]) if name[:4] in ("mcp-", "last")
        }
    if left_out:
        raise Bad(f"not signed: {sorted(left_out)}")
    return "all `mcp-*` signed"


def server_asks(desk: Desk) -> str:
    """A request of the server during a call, and its answer."""
    answer = {"action": "accept", "content": {"name": "Ada"}}
    with desk.host(handlers={"elicitation/create": lambda _: answer}) as host:
        said = call(host, "elicit")
        if "Ada" not in said:
            raise Bad(said)
    return "asked and answered"


def resumption(desk: Desk) -> str:
    """The stream ends before the answer is there: fetched with `Last-Event-ID`, signed."""
    before = len(desk.gate.seen())
    with desk.host() as host:
        said = call(host, "drop")
    resumed = [one for one in desk.gate.seen()[before:] if one["last_event_id"]]
    if said != "after the cut":
        raise Bad(said)
    return f"resumed, {resumed[-1]['verdict']}" if resumed else "answered"


def sse(desk: Desk) -> str:
    """A server of the older transport."""
    with desk.host(desk.signing("/sse"), greet=False) as host:
        said = desk.greet(host)
        if "result" not in said or call(host, "echo", text="hello") != "hello":
            raise Bad(said_by(said))
        leave(host)
    return "listed and called"


def rotation(desk: Desk) -> str:
    """The keys of the profile's file are other ones, while the command runs."""
    desk.write_keys(GOOD_KEYS)
    desk.gate.change(callers={KEY: {"secret": SECRET}})
    with desk.host(variables={}) as host:
        assert call(host, "echo", text="one") == "one"
        desk.write_keys(desk.gate.rotate())
        return after_change(desk, host)


def expiry(desk: Desk) -> str:
    """The token has expired; the person signs in anew in another window, then calls again."""
    desk.write_keys(desk.gate.rotate())
    with desk.host(variables={}) as host:
        assert call(host, "echo", text="one") == "one"
        desk.gate.rotate(expired=True)
        expired = call(host, "echo", text="two")
        desk.gate.change(callers={KEY: {"secret": SECRET}})
        desk.write_keys(GOOD_KEYS)
        after = after_change(desk, host)
    if "expired" not in expired:
        raise Bad(f"said: {expired}")
    return f"{after}; before that: {expired}"


def after_change(desk: Desk, host: Host) -> str:
    """The next call works, and what it took."""
    before = len(desk.gate.seen())
    said = call(host, "echo", text="two")
    wrong = [one for one in desk.gate.seen()[before:] if one["verdict"] != "right"]
    if said != "two":
        raise Bad(f"the next call: {said}")
    return f"the next call works, {len(wrong)} refused on the way"


def process(desk: Desk) -> str:
    """`credential_process`: how often it runs for eight calls, and whether it may read the host."""
    log = desk.home / "process.log"
    desk.home.mkdir(exist_ok=True)
    command = desk.write_process(GOOD_KEYS, log)
    variables = desk.write_profile("tools", credential_process=command)
    desk.gate.change(callers={KEY: {"secret": SECRET}})
    with desk.host(desk.signing(profile="tools"), variables) as host:
        for number in range(8):
            said = call(host, "echo", text=str(number))
            if said != str(number):
                raise Bad(said)
    lines = log.read_text().splitlines()
    if any(line.startswith("read ") for line in lines):
        raise Bad("it read what the host said")
    return f"{lines.count('run')} runs for 8 calls"


def broken_line(desk: Desk) -> str:
    """A 5xx after the function ran: a call must not run twice without a word."""
    prepared = {"status": 502, "method": "POST", "has": "tools/call", "after": True}
    with desk.host() as host:
        before = len(desk.gate.seen())
        desk.gate.change(answers=[prepared | {"body": "Internal Server Error"}])
        said = call(host, "echo", text="once")
        calls = [one for one in desk.gate.seen()[before:] if one["method"] == "tools/call"]
    if len(calls) > 1:
        raise Bad(f"sent {len(calls)} times")
    return shorten(said)


STORY = (
    Case("start: `initialize` answered; first call answered", start),
    Case("one call, in sequence (median)", latency),
    Case("memory after a call", memory),
    Case("requests of a session that are signed right", requests),
    Case("MCP's headers in the signature", signed_headers),
    Case("the server asks its client", server_asks),
    Case("stream cut before the answer", resumption),
    Case("HTTP+SSE server", sse),
    Case("keys rotated in the profile's file", rotation),
    Case("token expired, then a new sign-in elsewhere", expiry),
    Case("`credential_process`", process),
    Case("502 after the function ran", broken_line),
)


# Names

RUNTIME = (
    "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-west-2%3A123456789012%3Aruntime%2Fmath-Ab12Cd34Ef"
    "/invocations?qualifier=DEFAULT"
)


@dataclass(frozen=True)
class Place:
    """A host of AWS, and what requests to it have to be signed for."""

    url: str
    product: str
    service: str
    region: str


PLACES = (
    Place(
        "https://abcdefghij0123456789abcdefghij01.lambda-url.ap-northeast-1.on.aws/mcp",
        "function-url",
        "lambda",
        "ap-northeast-1",
    ),
    Place(
        "https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/mcp",
        "rest-api",
        "execute-api",
        "eu-west-1",
    ),
    Place(
        "https://a1b2c3d4e5.execute-api.cn-north-1.amazonaws.com.cn/prod/mcp",
        "rest-api",
        "execute-api",
        "cn-north-1",
    ),
    Place(
        "https://math-ab12cd34ef.gateway.bedrock-agentcore.us-east-1.amazonaws.com/mcp",
        "agentcore",
        "bedrock-agentcore",
        "us-east-1",
    ),
    Place(
        f"https://bedrock-agentcore.us-west-2.amazonaws.com{RUNTIME}",
        "agentcore",
        "bedrock-agentcore",
        "us-west-2",
    ),
    Place(
        "https://math-0123456789abcdef0.7d67968.vpc-lattice-svcs.eu-central-1.on.aws/mcp",
        "lattice",
        "vpc-lattice-svcs",
        "eu-central-1",
    ),
    Place("https://aws-mcp.us-east-1.api.aws/mcp", "aws-mcp", "aws-mcp", "us-east-1"),
)


def reach(desk: Desk, place: Place) -> str:
    """Nothing but the URL and keys."""
    host_name = place.url.split("/")[2]
    desk.gate.change(
        callers={KEY: {"secret": SECRET}},
        service=place.service,
        region=place.region,
        product=place.product,
        unsigned_payload=place.product == "lattice",
    )
    before = len(desk.gate.seen())
    desk.home.mkdir(exist_ok=True)
    with names_lead_to(desk.gate.port, [host_name], desk.home) as there:
        # AWS_REGION is what Amazon's relay does not start without; another one than the server's.
        variables = {**GOOD_KEYS, **there, "AWS_REGION": "sa-east-1"}
        with desk.host(Signing(place.url), variables, greet=False) as host:
            said = desk.greet(host)
            worked = "result" in said and call(host, "echo", text="hello") == "hello"
    scopes = {one["scope"] for one in desk.gate.seen()[before:]}
    if not worked or scopes != {f"{place.region}/{place.service}"}:
        raise Bad(f"signed for {', '.join(sorted(scopes)) or 'nothing'}: {shorten(said_by(said))}")
    return f"works: {place.region}/{place.service}"


def kind_of_host(place: Place) -> str:
    """What differs between hosts."""
    return re.sub(
        r"^https://[a-z0-9-]+\.(?=.*(lambda|execute|gateway|vpc))", "https://….", place.url
    )[:90]


NAMES = tuple(
    Case(f"`{kind_of_host(place)}`", lambda desk, place=place: reach(desk, place))
    for place in PLACES
)


# Refusals


@dataclass(frozen=True)
class Fault:
    """A mistake: what the person has, and how the gate is set."""

    name: str
    variables: Mapping[str, str]
    words: Sequence[str]
    """What must be in the answer, in any case of letters."""
    callers: Mapping[str, Mapping[str, Any]] | None = None
    said: Mapping[str, str] | None = None
    """Options."""
    clock: float = 0.0
    works: bool = False
    """It can be mended without the person: AWS tells its time."""


TEMPORARY = {
    "AWS_ACCESS_KEY_ID": NEXT_KEY,
    "AWS_SECRET_ACCESS_KEY": "canary-next-secret",
    "AWS_SESSION_TOKEN": "canary-next-token",
}
EXPIRED = {
    NEXT_KEY: {"secret": "canary-next-secret", "token": "canary-next-token", "expired": True}
}
FAULTS = (
    Fault("no keys", {}, ["AWS_ACCESS_KEY_ID"]),
    Fault("expired token", TEMPORARY, ["expired"], callers=EXPIRED),
    Fault("unknown key", OTHER_KEY, ["security token included in the request is invalid"]),
    Fault("wrong secret", OTHER_SECRET, []),
    Fault(
        "no permission", GOOD_KEYS, ["authoriz"], callers={KEY: {"secret": SECRET, "may": False}}
    ),
    Fault("wrong region", GOOD_KEYS, ["region"], said={"region": "us-east-1"}),
    Fault("wrong service", GOOD_KEYS, ["service"], said={"service": "execute-api"}),
    Fault("clock 12 minutes behind", GOOD_KEYS, [], clock=720, works=True),
    Fault("clock 12 minutes ahead", GOOD_KEYS, [], clock=-720, works=True),
)


def be_refused(desk: Desk, fault: Fault, service: str) -> str:
    """What the host is told, by the greeting and by the list that it asks for all the same."""
    desk.gate.change(
        callers=fault.callers or {KEY: {"secret": SECRET}}, clock=fault.clock, region=REGION
    )
    before = len(desk.gate.seen())
    signing = desk.signing(**({"service": service} | dict(fault.said or {})))
    with desk.host(signing, fault.variables, greet=False) as host:
        first = greeting_of(desk, host)
        listed = listing_of(host)
    count = len(desk.gate.seen()) - before
    desk.gate.change(clock=0)
    missing = [word for word in fault.words if word.lower() not in first.lower()]
    leaked = any(secret in first + listed + host.stderr for secret in ("canary-", SECRET))
    listed = "the same" if listed == first else shorten(listed)
    told = f"{shorten(first)} ⏎ list: {listed} ⏎ {count} requests"
    if fault.works:
        told = f"works, {count} requests" if " tools" in listed else told
    if missing or leaked or fault.works != (" tools" in listed):
        raise Bad(f"{told}{' ⏎ A SECRET IS IN IT' * leaked}")
    return told


def greeting_of(desk: Desk, host: Host) -> str:
    """What `initialize` is answered by; the end of the command counts."""
    try:
        return said_by(desk.greet(host))
    except AssertionError as error:
        return f"no answer ({str(error).splitlines()[0][-200:]})"


def listing_of(host: Host) -> str:
    """What `tools/list` is answered by."""
    try:
        return said_by(host.request("tools/list", seconds=10))
    except (AssertionError, BrokenPipeError) as error:
        return f"no answer ({str(error).splitlines()[0][:60]})"


def refusals_of(product: str, service: str, *names: str) -> tuple[Case, ...]:
    """Rows of one product; all faults where none is named."""
    return tuple(
        Case(
            f"{product}: {fault.name}", lambda desk, f=fault: be_refused(desk, f, service), product
        )
        for fault in FAULTS
        if not names or fault.name in names
    )


SOME = ("unknown key", "wrong secret", "no permission", "expired token")
REFUSALS = (
    *refusals_of("function-url", "lambda"),
    *refusals_of("rest-api", "execute-api", *SOME),
    *refusals_of("http-api", "execute-api", "wrong secret"),
    *refusals_of("agentcore", "bedrock-agentcore", *SOME),
    *refusals_of("agentcore-bare", "bedrock-agentcore", *SOME),
    *refusals_of("agentcore-oauth", "bedrock-agentcore", "no permission"),
    *refusals_of("lattice", "vpc-lattice-svcs", *SOME),
)


# Bad moods

XML = (
    "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code>"
    "<Message>Sorry, wrong.</Message></Error></ErrorResponse>"
)
WAF = (
    "<html><head><title>403 Forbidden</title></head>"
    "<body><center><h1>403 Forbidden</h1></center></body></html>"
)
OAUTH = 'Bearer resource_metadata="https://127.0.0.1:1/.well-known/oauth-protected-resource"'


@dataclass(frozen=True)
class Mood:
    """An answer to a call that no product of AWS gives on a good day."""

    name: str
    answer: Mapping[str, Any]
    words: Sequence[str]


MOODS = (
    Mood("403 without a body", {"status": 403}, ["403"]),
    Mood(
        "403 with XML",
        {"status": 403, "body": XML, "headers": {"content-type": "text/xml"}},
        ["Sorry, wrong."],
    ),
    Mood(
        "403 page of a firewall (WAF)",
        {
            "status": 403,
            "body": WAF,
            "headers": {"content-type": "text/html", "server": "CloudFront"},
        },
        ["403"],
    ),
    Mood(
        "403 of the server behind",
        {
            "status": 403,
            "body": '{"detail":"Ada may not multiply"}',
            "headers": {"content-type": "application/json"},
        },
        ["Ada may not multiply"],
    ),
    Mood(
        "413",
        {
            "status": 413,
            "body": '{"message":"Request Too Long"}',
            "headers": {
                "content-type": "application/json",
                "x-amzn-errortype": "RequestEntityTooLargeException",
            },
        },
        ["413"],
    ),
    Mood(
        "redirect to another host",
        {"status": 307, "headers": {"location": "https://elsewhere.invalid/mcp"}},
        ["elsewhere.invalid"],
    ),
    Mood(
        "401 that asks for OAuth", {"status": 401, "headers": {"www-authenticate": OAUTH}}, ["401"]
    ),
    Mood(
        "429 of API Gateway",
        {
            "status": 429,
            "body": '{"message":"Too Many Requests"}',
            "headers": {
                "content-type": "application/json",
                "x-amzn-errortype": "TooManyRequestsException",
                "retry-after": "0",
            },
            "times": 1,
        },
        [],
    ),
    Mood(
        "502 of a function that died",
        {
            "status": 502,
            "body": "Internal Server Error",
            "headers": {"x-amzn-errortype": "InternalServerErrorException"},
        },
        ["502"],
    ),
    Mood(
        "503 for ever",
        {
            "status": 503,
            "body": '{"message":"Service Unavailable"}',
            "headers": {"content-type": "application/json"},
        },
        ["503"],
    ),
    Mood(
        "504 after 29 s of API Gateway",
        {
            "status": 504,
            "body": '{"message":"Endpoint request timed out"}',
            "headers": {"content-type": "application/json"},
        },
        ["timed out"],
    ),
)


def bear(desk: Desk, mood: Mood) -> str:
    """What the call is answered by, how often it was sent, and that the next one works."""
    with desk.host() as host:
        before = len(desk.gate.seen())
        desk.gate.change(
            answers=[{"times": 20, "method": "POST", "has": "tools/call", **mood.answer}]
        )
        said = shorten(call(host, "echo", text="one"))
        sent = len([one for one in desk.gate.seen()[before:] if one["method"] == "tools/call"])
        desk.gate.change(forget=True)
        after = call(host, "echo", text="two")
    told = f"{said} ⏎ sent {sent} times" + ("" if after == "two" else f" ⏎ then: {shorten(after)}")
    missing = [word for word in mood.words if word.lower() not in said.lower()]
    if missing or after != "two":
        raise Bad(told)
    return told


BAD_MOODS = tuple(Case(mood.name, lambda desk, m=mood: bear(desk, m)) for mood in MOODS)
