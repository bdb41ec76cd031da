"""What real servers, networks and attackers do: one row each, and what is right then.

A test that shows the right behaviour of a row carries `@pytest.mark.report(id)`; test_requirements
checks the pairing both ways. Must not know any test.
"""

from __future__ import annotations

REPORTS = {
    "E1": "An answer with the request's id is the answer, whatever its HTTP status; one run each.",
    "O1": "A registration with two redirect URIs that is refused is tried with each alone.",
    "O2": "A member that a registration is refused for is left out, or asked for otherwise, once.",
    "O3": "What is empty or null in an OAuth document is absent.",
    "O4": "A POST is led on within its origin; where it is led elsewhere, that is named.",
    "O5": "A guessed address that fails fails alone; what is named has time, and a second chance.",
    "O6": "What a person has consented to is waited for longer than anything that can be repeated.",
    "O8": "A sign-in that timed out says what was sent; consent is demanded only where needed.",
    "O9": "A client that is not known in one way proves itself in the others, once each.",
    "O11": "What a sign-in does not need is checked when it is used.",
    "O12": "Metadata is looked for wherever servers put it, and believed for its issuer alone.",
    "O13": "Endpoints that a person knows are enough for a sign-in, without any metadata.",
    "O14": "The way to the metadata is followed under any scheme, and without one.",
    "O15": "Who was only guessed is not blamed: the server wants a credential, a header gives it.",
    "O16": "A misspelled issuer is refused, with what differs and the option that takes it.",
    "O17": "What the authorization server does not have is not asked for, and is said.",
    "O18": "An access token is found wherever its server puts it.",
    "O20": "A client registered by hand is told which redirect URI it needs.",
    "O21": "A browser that comes back with TLS is named, and the wait goes on.",
    "O22": "A word of a URL's path that may be a key is never shown whole.",
    "O25": "A page nobody came back from is shown once more by whoever waits for it.",
    "O26": "Of several problems the most telling one is told.",
    "O27": "A server that says when to come again is asked again then, and not before.",
    "S1": "A static secret goes to an issuer that the person named, and to no other.",
    "S2": "A workload's JWT goes to the audience it was made for.",
    "S3": "A stored client is used with the endpoints it was stored with.",
    "S4": "A body of a million tiny elements costs no more than its size.",
    "S5": "What signs people in is read as identity, or through one bounded layer.",
    "S6": "A compressed answer is bounded while it is decoded, all answers at once as well.",
    "S7": "A public server reaches no private address through us, nor through the browser.",
    "S8": "A disk that fails loses no token and shrinks no budget, and it is said.",
    "S9": "A proxy is chosen for each URL.",
    "S10": "No spelling of a call passes by the tool filter.",
    "S11": "Client certificate and cookies are for the MCP server's origin alone, and bounded.",
    "S12": "Endless events, requests and resumptions are bounded and counted.",
    "S13": "Bytes behind an answer are nobody's answer.",
    "S14": "An upgrade to https stays at the host and at its port, or at 443.",
    "S15": "A folder or file that another prepared is refused; what we open is ours alone.",
    "S16": "Nothing of an authorization URL runs, whatever opens it.",
    "S17": "What a server repeats of our credentials is scrubbed in every spelling we send.",
    "S18": "A sign-in that is kept in memory does not need a disk.",
}
