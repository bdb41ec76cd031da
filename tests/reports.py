"""What real servers, networks and attackers do: one row each, and what is right then.

A test that shows the right behaviour of a row carries `@pytest.mark.report(id)`; test_requirements
checks the pairing both ways. Must not know any test.
"""

from __future__ import annotations

REPORTS = {
    "E1": "An answer with the request's id is the answer, whatever its HTTP status; one run each.",
    "E4": "Progress that comes just before its result is seen, at no cost to other calls.",
    "O22": "A word of a URL's path that may be a key is never shown whole.",
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
