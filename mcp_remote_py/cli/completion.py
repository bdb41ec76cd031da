"""What makes a shell complete the words of the program, from the rows of commands and options.

The script is the same for everybody: a key that is pressed starts no process. Of libraries, shtab
was tried: it cannot be told that a first word which names no command is the address of a server
whose options follow. Must not know how words are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from mcp_remote_py.cli.help import COMMANDS_SHOWN, all_options_of
from mcp_remote_py.cli.options import OPTIONS, Option
from mcp_remote_py.cli.program import COMMANDS, COMPLETION, HELP, PROGRAM, PROXY, QUESTIONS, SHELLS
from mcp_remote_py.hosts.catalogue import ALL_HOSTS, HOSTS_BY_KEY
from mcp_remote_py.settings.commands import ProtocolStrategy, TransportStrategy
from mcp_remote_py.settings.sign_in import SIGNING_ALGORITHMS, TOKEN_STORES

CHOICES: dict[str, tuple[str, ...]] = {
    "--transport": tuple(one.value for one in TransportStrategy),
    "--protocol": tuple(one.value for one in ProtocolStrategy),
    "--signing-alg": tuple(SIGNING_ALGORITHMS),
    "--token-store": tuple(TOKEN_STORES),
    "--host": ("localhost", "127.0.0.1", "[::1]"),
    "--secrets": ("env", "file", "ask"),
    "--client": (*HOSTS_BY_KEY, ALL_HOSTS),
}
"""The values of an option that has only a few."""


class _Row(NamedTuple):
    """A word that can be completed, with what is said of it."""

    word: str
    said: str


def render_completion(shell: str) -> str:
    """The script for that shell, one of `SHELLS`."""
    return _SCRIPTS[shell]()


def _commands() -> list[_Row]:
    named = (*map(COMMANDS.__getitem__, COMMANDS_SHOWN), *QUESTIONS.values())
    return [_Row(one.name, _first_sentence(one.summary)) for one in named]


def _words_behind() -> dict[str, tuple[str, ...]]:
    """The words that can follow a command about the program alone."""
    return {COMPLETION: SHELLS, HELP: tuple(one.word for one in _commands())}


def _first_sentence(text: str) -> str:
    """Without what follows, and without examples, choices and defaults, which are shown anyway."""
    ends = [at for end in (" (", ". ", "; ", ": ") if (at := text.find(end)) > 0]
    whole = (at for at in sorted(ends) if text.count('"', 0, at) % 2 == 0)
    return text[: next(whole, len(text))].removesuffix(".")


def _rows_of(command: str) -> list[_Row]:
    return [_Row(one.name, _first_sentence(one.help)) for one in all_options_of(command)]


def _options_with(fits: Callable[[Option], bool]) -> list[str]:
    return [option.name for option in OPTIONS.values() if fits(option)]


def _is_file(option: Option) -> bool:
    return option.value == "FILE"


def _is_free(option: Option) -> bool:
    return bool(option.value) and not _is_file(option) and option.name not in CHOICES


def _names(rows: Iterable[_Row]) -> str:
    return " ".join(row.word for row in rows)


def _render_bash() -> str:
    values = [f"    {name}) words='{' '.join(values)}' ;;" for name, values in CHOICES.items()]
    words = [
        *(f"      {one}) words='{_names(_rows_of(one))}' ;;" for one in COMMANDS_SHOWN),
        *(f"      {one}) words='{' '.join(all)}' ;;" for one, all in _words_behind().items()),
    ]
    return "\n".join(
        (
            "_mcp_remote_py() {",
            "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}",
            "  local command=${COMP_WORDS[1]} words=",
            "  COMPREPLY=()",
            '  if [[ $cur == "=" ]]; then',
            "    cur=",
            '  elif [[ $prev == "=" ]]; then',
            "    prev=${COMP_WORDS[COMP_CWORD-2]}",
            "  fi",
            "  case $prev in",
            f"    {'|'.join(_options_with(_is_file))}) return ;;",
            *values,
            f"    {'|'.join(_options_with(_is_free))})",
            "      compopt +o default 2>/dev/null",
            "      return ;;",
            "    *)",
            "      [[ $COMP_CWORD -eq 1 ]] && command=",
            "      case $command in",
            *(f"  {line}" for line in words),
            f"        -*|*) words='{_names(_rows_of(PROXY))}' ;;",
            "      esac",
            "      if [[ $COMP_CWORD -eq 1 && $cur != -* ]]; then",
            f"        words='{_names(_commands())}'",
            f"      elif [[ $cur != -* && $command != {COMPLETION} && $command != {HELP} ]]; then",
            "        compopt +o default 2>/dev/null",
            "        [[ -n $cur ]] && return",
            "      fi ;;",
            "  esac",
            '  COMPREPLY=($(compgen -W "$words" -- "$cur"))',
            "}",
            f"complete -o default -F _mcp_remote_py {PROGRAM}",
            "",
        )
    )


def _quote_sh(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _render_zsh() -> str:
    def list_of(rows: Iterable[_Row]) -> str:
        return " ".join(
            _quote_sh(f"{row.word}:{row.said.replace(':', chr(92) + ':')}") for row in rows
        )

    return "\n".join(
        (
            f"#compdef {PROGRAM}",
            "_mcp_remote_py() {",
            "  local -a found",
            "  local before=${words[CURRENT-1]} named=${words[2]}",
            "  if [[ $PREFIX == --*=* ]]; then",
            "    before=${PREFIX%%=*}",
            "    compset -P '*='",
            "  fi",
            "  case $before in",
            f"    {'|'.join(_options_with(_is_file))}) _files; return ;;",
            *(
                f"    {name}) compadd -- {' '.join(map(_quote_sh, values))}; return ;;"
                for name, values in CHOICES.items()
            ),
            f"    {'|'.join(_options_with(_is_free))}) _message value; return ;;",
            "  esac",
            "  if (( CURRENT == 2 )); then",
            "    if [[ $PREFIX != -* ]]; then",
            f"      found=({list_of(_commands())})",
            "      _describe command found",
            "      return",
            "    fi",
            "    named=",
            "  fi",
            "  case $named in",
            *(
                f"    {one}) compadd -- {' '.join(all)}; return ;;"
                for one, all in _words_behind().items()
            ),
            *(f"    {one}) found=({list_of(_rows_of(one))}) ;;" for one in COMMANDS_SHOWN),
            f"    *) found=({list_of(_rows_of(PROXY))}) ;;",
            "  esac",
            "  _describe -o option found",
            "}",
            "if [[ $zsh_eval_context[-1] == eval ]]; then",
            f"  compdef _mcp_remote_py {PROGRAM}",
            "else",
            '  _mcp_remote_py "$@"',
            "fi",
            "",
        )
    )


def _quote_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _render_fish() -> str:
    def line_of(option: Option) -> str:
        commands = [one for one in (PROXY, *COMMANDS_SHOWN) if option in all_options_of(one)]
        condition = _quote_fish(f"__mcp_remote_py_is {' '.join(commands)}")
        value = ""
        if option.name in CHOICES:
            value = f" -x -a {_quote_fish(' '.join(CHOICES[option.name]))}"
        elif option.value:
            value = " -r -F" if _is_file(option) else " -x"
        said = _quote_fish(_first_sentence(option.help))
        return f"complete -c {PROGRAM} -n {condition} -l {option.name[2:]}{value} -d {said}"

    named = " ".join(row.word for row in _commands())
    return "\n".join(
        (
            "function __mcp_remote_py_is",
            "  set -l words (commandline -opc)",
            f"  if set -q words[2]; and contains -- $words[2] {named}",
            "    contains -- $words[2] $argv",
            "  else",
            f"    contains -- {PROXY} $argv",
            "  end",
            "end",
            f"complete -c {PROGRAM} -f",
            *(
                f"complete -c {PROGRAM} -n 'test (count (commandline -opc)) -eq 1'"
                f" -a {row.word} -d {_quote_fish(row.said)}"
                for row in _commands()
            ),
            *(
                f"complete -c {PROGRAM} -n '__mcp_remote_py_is {one}'"
                f" -a {_quote_fish(' '.join(all))}"
                for one, all in _words_behind().items()
            ),
            *map(line_of, OPTIONS.values()),
            "",
        )
    )


def _quote_powershell(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _render_powershell() -> str:
    quote = _quote_powershell

    def pairs_of(rows: Iterable[_Row]) -> str:
        return ", ".join(f"@({quote(row.word)}, {quote(row.said)})" for row in rows)

    def words_of(words: Iterable[str]) -> str:
        return pairs_of(_Row(word, word) for word in words)

    # Files are what PowerShell itself offers where nothing else is.
    others = ", ".join(map(quote, (*_options_with(_is_file), *_options_with(_is_free))))
    return "\n".join(
        (
            f"Register-ArgumentCompleter -Native -CommandName {PROGRAM} -ScriptBlock {{",
            "  param($wordToComplete, $commandAst, $cursorPosition)",
            "  $words = @($commandAst.CommandElements |"
            " Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |"
            " ForEach-Object { $_.Extent.Text })",
            "  $named = if ($words.Count -gt 1) { $words[1] } else { '' }",
            "  $found = @(switch ($words[-1]) {",
            *(
                f"    {quote(name)} {{ {words_of(values)}; break }}"
                for name, values in CHOICES.items()
            ),
            f"    {{ $_ -in {others} }} {{ return }}",
            "    default {",
            "      if ($words.Count -eq 1 -and -not $wordToComplete.StartsWith('-')) {",
            f"        {pairs_of(_commands())}",
            "      } else {",
            "        switch ($named) {",
            *(
                f"          {quote(one)} {{ {words_of(all)}; break }}"
                for one, all in _words_behind().items()
            ),
            *(
                f"          {quote(one)} {{ {pairs_of(_rows_of(one))}; break }}"
                for one in COMMANDS_SHOWN
            ),
            f"          default {{ {pairs_of(_rows_of(PROXY))} }}",
            "        }",
            "      }",
            "    }",
            "  })",
            "  $found | Where-Object { $_[0].StartsWith($wordToComplete) } | ForEach-Object {",
            "    [System.Management.Automation.CompletionResult]::new("
            "$_[0], $_[0], 'ParameterValue', $_[1])",
            "  }",
            "}",
            "",
        )
    )


_SCRIPTS: dict[str, Callable[[], str]] = dict(
    zip(SHELLS, (_render_bash, _render_zsh, _render_fish, _render_powershell), strict=True)
)
