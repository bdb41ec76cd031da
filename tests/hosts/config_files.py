r"""Whole config files as hosts write them and people leave them: the rows of `test_config_text`.

`~` in a text stands for a tab, `^` for CR. Must not know how they are edited.
"""

from __future__ import annotations

from typing import NamedTuple

from mcp_remote_py.hosts.config_text import Form

SERVERS = ("mcpServers",)
CODEX = ("mcp_servers",)
PROJECT = ("projects", '/home/me/it\'s "mine"', "mcpServers")
BOM = b"\xef\xbb\xbf"


class ConfigFile(NamedTuple):
    """One file; `there` names its entries, `is_open` says whether there is an object at `place`."""

    name: str
    place: tuple[str, ...]
    text: str
    there: tuple[str, ...] = ()
    is_open: bool = True
    form: Form = Form.JSON
    mark: bytes = b""

    @property
    def content(self) -> bytes:
        return self.mark + self.text.replace("~", "\t").replace("^", "\r").encode()


CLAUDE_DESKTOP = """{
  "globalShortcut": "Ctrl+Space",
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": [
        "-y",
        "@modelcontextprotocol/server-filesystem",
        "/home/me"
      ]
    },
    "math": {
      "command": "npx",
      "args": ["mcp-remote", "https://math.example/sse"],
      "env": { "AUTH": "Bearer x" },
      "disabled": true
    }
  },
  "isUsingBuiltInNodeForMcp": true
}
"""

ZED = """// Zed settings
//
// For information on how to configure Zed, see the documentation.
{
  "theme": { "mode": "system", "dark": "One Dark", /* at night */ },
  "buffer_font_size": 15.0,
  "context_servers": {
    // reads issues
    "issues": {
      "source": "custom",
      "enabled": true,
      "command": "npx",
      "args": ["-y", "issues"], // all of them
      "env": {},
    }, // end of issues

    /* "off": { "command": "x" }, */
    "math": { "source": "custom", "command": "uvx", "args": [] },
  },
  "vim_mode": false, // never
}
"""

CODEX_FILE = """# my settings
model = "o5"   # the good one
"odd key" = 'C:\\temp'

[projects."/home/me/work"]
trust_level = "trusted"

[mcp_servers.files]
command = "npx"  # node
args = [
  "-y",
  "files",  # a comment, with ] and "quotes
]
startup_timeout_sec = 20

[mcp_servers.files.env]
KEY = "value"

# math of mine
[mcp_servers.math]
command = "uvx"
args = ["mcp-remote-py", "https://old.example/mcp"]
env = { AUTH = "x" }
enabled = false

[tui]
notes = \"\"\"
[mcp_servers.math]
not a table\"\"\"
big = 9223372036854775807
real = 1.0
"""

CONFIG_FILES = (
    ConfigFile("claude desktop", SERVERS, CLAUDE_DESKTOP, ("files", "math")),
    ConfigFile(
        "claude desktop, crlf", SERVERS, CLAUDE_DESKTOP.replace("\n", "^\n"), ("files", "math")
    ),
    ConfigFile("claude desktop, bom", SERVERS, CLAUDE_DESKTOP, ("files", "math"), mark=BOM),
    ConfigFile(
        "claude desktop, tabs", SERVERS, CLAUDE_DESKTOP.replace("  ", "~"), ("files", "math")
    ),
    ConfigFile(
        "claude desktop, 4", SERVERS, CLAUDE_DESKTOP.replace("  ", "    "), ("files", "math")
    ),
    ConfigFile(
        "claude desktop, no indent", SERVERS, CLAUDE_DESKTOP.replace("  ", ""), ("files", "math")
    ),
    ConfigFile(
        "claude desktop, no last line end", SERVERS, CLAUDE_DESKTOP.rstrip(), ("files", "math")
    ),
    ConfigFile(
        "claude desktop, mixed line ends",
        SERVERS,
        CLAUDE_DESKTOP.replace("{\n", "{^\n").replace("],\n", "],^"),
        ("files", "math"),
    ),
    ConfigFile("claude desktop, new", SERVERS, "", is_open=False),
    ConfigFile("claude desktop, bom alone", SERVERS, "", is_open=False, mark=BOM),
    ConfigFile("claude desktop, blanks", SERVERS, " ^\n\n", is_open=False),
    ConfigFile("claude desktop, {}", SERVERS, "{}", is_open=False),
    ConfigFile("claude desktop, { }", SERVERS, "{ }\n", is_open=False),
    ConfigFile("claude desktop, {\\n}", SERVERS, "{\n}\n", is_open=False),
    ConfigFile("claude desktop, no servers", SERVERS, '{"a": 1}', is_open=False),
    ConfigFile(
        "claude desktop, other settings", SERVERS, '{\n~"a": [1,\n2],\n~"b": null\n}', is_open=False
    ),
    ConfigFile("claude desktop, none yet", SERVERS, '{\n  "mcpServers": {}\n}\n'),
    ConfigFile("claude desktop, none on its line", SERVERS, '{\n "mcpServers": {\n }\n}\n'),
    ConfigFile("claude desktop, one line", SERVERS, '{"mcpServers": {}}'),
    ConfigFile("claude desktop, one line, blank", SERVERS, '{ "mcpServers": { } }'),
    ConfigFile(
        "claude desktop, minified",
        SERVERS,
        '{"mcpServers":{"a":{"command":"x","args":[]},"b":{"command":"y"}},"z":[1.0,-0,1E5]}',
        ("a", "b"),
    ),
    ConfigFile(
        "claude code",
        SERVERS,
        '{\n  "numStartups": 12,\n  "big": 12345678901234567890123,\n  "mcpServers": {\n'
        '    "a": {\n      "type": "http",\n      "url": "https://a.example/mcp",\n'
        '      "headers": {\n        "X": "y"\n      }\n    }\n  },\n'
        '  "history": ["\\u00e9\\/\\ud83d\\ude00", "日本 😀", "\\ud800"],\n  "x": 1, "x": 2\n}',
        ("a",),
    ),
    ConfigFile(
        "claude code, project",
        PROJECT,
        '{\n  "projects": {\n    "/home/me/it\'s \\"mine\\"": {\n      "mcpServers": {\n'
        '        "a": { "command": "x" }\n      },\n      "trusted": true\n    },\n'
        '    "/other": {\n      "mcpServers": {}\n    }\n  }\n}\n',
        ("a",),
    ),
    ConfigFile(
        "claude code, project without servers",
        PROJECT,
        '{\n  "projects": {\n    "/home/me/it\'s \\u0022mine\\"": {\n      "trusted": true\n    }\n'
        "  }\n}\n",
        is_open=False,
    ),
    ConfigFile("claude code, new project", PROJECT, '{\n  "projects": {}\n}\n', is_open=False),
    ConfigFile(
        "cursor",
        SERVERS,
        '{\n  "mcpServers": {\n    "a": {"command": "npx", "args": ["x"], "env": {"K": "v"}},\n'
        '    "b": {"url": "https://b.example/sse"}\n  }\n}',
        ("a", "b"),
    ),
    ConfigFile(
        "cursor, comma first",
        SERVERS,
        '{ "mcpServers":\n  { "a": { "command": "x" }\n  , "b": { "command": "y" }\n  }\n}\n',
        ("a", "b"),
    ),
    ConfigFile(
        "cursor, odd blanks",
        SERVERS,
        '{"mcpServers"  :  {"a" :{ "command" : "x" } , "b":{}\n\n\n}\n ,"z"  : 0}\n\n',
        ("a", "b"),
    ),
    ConfigFile(
        "windsurf",
        SERVERS,
        '{\n    "mcpServers": {\n        "a": {\n            "serverU'
        'rl": "https://a.example/mcp",\n'
        '            "disabledTools": ["x"]\n        }\n    }\n}\n',
        ("a",),
    ),
    ConfigFile(
        "vs code",
        ("servers",),
        '{\n~// what is asked for\n~"inputs": [\n~~{ "id": "t", "password": true, },\n~],\n'
        '~"servers": {\n~~"a": {\n~~~"type": "stdio",\n~~~"command": "x", // why\n~~~"args": [\n'
        '~~~~"one",\n~~~~"two",\n~~~],\n~~},\n~~// "b": {},\n~}\n}\n',
        ("a",),
    ),
    ConfigFile("vs code, comments alone", ("servers",), "// none yet\n/* at all */", is_open=False),
    ConfigFile("vs code, comment inside", ("servers",), '{\n  "servers": { // none\n  }\n}\n'),
    ConfigFile("vs code, comment on its line", ("servers",), '{"servers": {/* none */}}'),
    ConfigFile(
        "vs code settings", ("mcp", "servers"), '{\n  "editor.tabSize": 2, // two\n}', is_open=False
    ),
    ConfigFile(
        "vs code, one and a comment",
        ("servers",),
        '{\n  "servers": {\n    // before\n    "a": {} /* in */ // behind\n    // after\n  }\n}\n',
        ("a",),
    ),
    ConfigFile(
        "vs code, bracket on the line of a comment",
        ("servers",),
        '{"servers": { // two\n  "a": {}, // one\n  "b": {} } // end\n}',
        ("a", "b"),
    ),
    ConfigFile("zed", ("context_servers",), ZED, ("issues", "math")),
    ConfigFile("zed, crlf", ("context_servers",), ZED.replace("\n", "^\n"), ("issues", "math")),
    ConfigFile("zed, tabs", ("context_servers",), ZED.replace("  ", "~"), ("issues", "math")),
    ConfigFile(
        "gemini",
        SERVERS,
        '{\n  "ui": {\n    "theme": "GitHub"\n  },\n  "mcpServers": {\n    "a": {\n'
        '      "httpUrl": "https://a.example/mcp",\n      "timeout": 5000,\n      "trust": false\n'
        "    }\n  }\n}",
        ("a",),
    ),
    ConfigFile(
        "cline",
        SERVERS,
        '{\n  "mcpServers": {\n    "a": {\n      "autoApprove": ["add"],\n      "timeout": 60,\n'
        '      "command": "npx",\n      "args": [\n        "x"\n      ],\n      "alwaysAllow": []\n'
        "    }\n  }\n}",
        ("a",),
    ),
    ConfigFile(
        "lm studio",
        SERVERS,
        '{\n  "mcpServers": {\n    "a": {\n      "url": "https://a.example/mcp",\n'
        '      "headers": { "Authorization": "Bearer x" }\n    }\n  }\n}\n',
        ("a",),
    ),
    ConfigFile("codex", CODEX, CODEX_FILE, ("files", "math"), form=Form.TOML),
    ConfigFile(
        "codex, crlf", CODEX, CODEX_FILE.replace("\n", "^\n"), ("files", "math"), form=Form.TOML
    ),
    ConfigFile("codex, new", CODEX, "", form=Form.TOML),
    ConfigFile("codex, bom", CODEX, 'model = "x"\n', form=Form.TOML, mark=BOM),
    ConfigFile("codex, blanks", CODEX, "\n\n", form=Form.TOML),
    ConfigFile("codex, comments", CODEX, "# one\n\n# two", form=Form.TOML),
    ConfigFile("codex, no last line end", CODEX, "a = 1\n[b]\nc=2", form=Form.TOML),
    ConfigFile("codex, empty table", CODEX, "[mcp_servers]\n\n[b]\n", form=Form.TOML),
    ConfigFile(
        "codex, dense",
        CODEX,
        '[mcp_servers.a]\ncommand="x"\n[mcp_servers.b]\ncommand="y"\n# end\n[z]\n',
        ("a", "b"),
        form=Form.TOML,
    ),
    ConfigFile(
        "codex, apart",
        CODEX,
        '[mcp_servers.a.env]\nK = "v"\n[z]\nq = 1\n\n[mcp_servers.a]\ncommand = "x"\n\n'
        '[[other]]\nn = 1\n[[other]]\nn = 2\n\n[mcp_servers."b.c"]\ncommand = "y"\n',
        ("a", "b.c"),
        form=Form.TOML,
    ),
    ConfigFile("codex, env alone", CODEX, '[mcp_servers.a.env]\nK = "v"\n', ("a",), form=Form.TOML),
    ConfigFile(
        "codex, indented",
        CODEX,
        '[mcp_servers]\n  [mcp_servers.a]\n    command = "x"\n\n  [mcp_servers.b]\n    url = "y"',
        ("a", "b"),
        form=Form.TOML,
    ),
    ConfigFile(
        "codex, dotted",
        CODEX,
        'mcp_servers.a.command = "x"\nmcp_servers.a.tool_timeout_sec '
        "= 1_000\nz = 1979-05-27\n[t]\n",
        ("a",),
        form=Form.TOML,
    ),
    ConfigFile(
        "codex, braces in a table",
        CODEX,
        "[mcp_servers]\na = {command=\"x\", args=[] ,  enabled=true} # c\nb.command = 'y'\n",
        ("a", "b"),
        form=Form.TOML,
    ),
    ConfigFile(
        "codex, tools",
        CODEX,
        '[mcp_servers.a]\ncommand = "x"\n\n[mcp_servers.a.tools.add]\napproval = "auto"\n\n'
        "[[mcp_servers.a.more]]\nn = 1\n\n# after\n[z]\n",
        ("a",),
        form=Form.TOML,
    ),
    ConfigFile(
        "codex, all in braces",
        CODEX,
        'mcp_servers = { a = { command = "x" } } # c\nz = 1\n',
        ("a",),
        form=Form.TOML,
    ),
)
