"""Every branch of the package that a platform decides, what it does, and which test plays it.

A table; `collector` finds the same places in the text. Must not import the package.
"""

from __future__ import annotations

from typing import NamedTuple

_W, _M, _P = (f"tests/platforms/test_{name}.py" for name in ("windows", "macos", "pretending"))
_BROWSER = "tests/signin/test_browser.py"
_SIGN_IN = f"{_P}::test_a_person_signs_in_once_and_out_again"
_ENTRY = f"{_P}::test_an_entry_is_written_changed_and_taken_away"
_PARENT = f"{_P}::test_the_relay_ends_with_its_parent"


class Branch(NamedTuple):
    """One place. `where` is a function, class or name at the top of the file."""

    file: str
    where: str
    windows: str
    """What is different there; "" where nothing is."""
    macos: str
    tests: tuple[str, ...]


_TOLD = "the platform is told as it is named"

BRANCHES = (
    # The life of the process
    Branch(
        "commands/lifetime.py",
        "module",
        "`select` has no `kqueue`, and is not asked for one",
        "`select.kqueue` tells of the parent",
        (f"{_M}::test_the_end_of_the_parent_is_asked_of_a_queue", _PARENT),
    ),
    Branch(
        "commands/lifetime.py",
        "watch_signals",
        "handlers of Python's own; Ctrl+Break and a closed console are SIGBREAK",
        "",
        (
            f"{_W}::test_signals_come_by_the_handlers_of_python",
            f"{_P}::test_a_console_that_is_closed_ends_the_relay_on_windows",
        ),
    ),
    Branch(
        "commands/lifetime.py",
        "watch_parent",
        "a thread waits for the handle of the parent",
        "a queue of the kernel tells",
        (f"{_W}::test_parent_is_watched_by_a_thread", _PARENT),
    ),
    Branch(
        "commands/lifetime.py",
        "open_parent_descriptor",
        "",
        "a kqueue, where Linux has a descriptor of the process",
        (f"{_M}::test_the_end_of_the_parent_is_asked_of_a_queue", _PARENT),
    ),
    Branch(
        "windows.py",
        "module",
        "kernel32 through ctypes: processes and the mode of a console",
        "",
        (
            f"{_W}::test_calls_have_the_types_of_their_documentation",
            f"{_W}::test_parent_is_waited_for_and_its_handle_is_closed",
            f"{_W}::test_console_is_told_to_show_styles",
        ),
    ),
    Branch(
        "process_groups.py",
        "creation_flag",
        "a browser has none of our console, the search for AWS's keys opens no window",
        "",
        (f"{_W}::test_flags_of_a_start_are_of_windows_alone",),
    ),
    Branch(
        "process_groups.py",
        "SYSTEM_KILL_GROUP",
        "a command that is ended leaves what it has started",
        "",
        (f"{_W}::test_without_groups_a_process_is_ended_alone",),
    ),
    Branch(
        "process_groups.py",
        "KILL",
        "not used: there are no groups",
        "",
        (f"{_W}::test_without_groups_a_process_is_ended_alone",),
    ),
    Branch(
        "signing/chain_process.py",
        "end_with_group",
        "the search ends alone",
        "",
        (f"{_W}::test_without_groups_a_process_is_ended_alone",),
    ),
    Branch(
        "signing/chain_process.py",
        "peak_memory",
        "not known: a program that prints without an end is stopped by the time-out alone",
        "the system's own count, in bytes",
        (
            f"{_W}::test_peak_of_memory_is_not_known",
            f"{_M}::test_peak_of_memory_is_in_bytes_as_the_system_counts",
        ),
    ),
    Branch(
        "transports/headers.py",
        "_run",
        "the hint of a command that cannot be started is of Windows",
        "",
        (f"{_W}::test_a_command_that_is_not_a_program_has_a_hint_of_windows",),
    ),
    Branch(
        "transports/headers.py",
        "start_hint",
        "a script needs its program in front; there is no `chmod`",
        "",
        (f"{_W}::test_a_command_that_is_not_a_program_has_a_hint_of_windows",),
    ),
    # stdin, stdout and the terminal
    Branch(
        "transports/stdio.py",
        "StdioChannel",
        "threads read and write: pipes cannot be polled",
        "",
        (_SIGN_IN, "tests/transports/test_stdio.py::test_regular_files_serve_as_stdin_and_stdout"),
    ),
    Branch(
        "transports/stdio.py",
        "set_non_blocking",
        "pipes stay as they are",
        "",
        (_SIGN_IN,),
    ),
    Branch(
        "transports/stdio.py",
        "_widen_pipe",
        "a pipe stays as wide as it is",
        "a pipe stays as wide as it is",
        (_SIGN_IN,),
    ),
    Branch(
        "transports/stdio.py",
        "_count_unread",
        "what the host has not read is not known, and counts as read",
        "what the host has not read is not known, and counts as read",
        (_SIGN_IN,),
    ),
    Branch(
        "commands/terminal.py",
        "end_key",
        "Ctrl+Z and Enter end the input",
        "",
        (f"{_W}::test_end_of_the_input_has_a_key_of_its_own",),
    ),
    Branch(
        "commands/terminal.py",
        "look_beside",
        "names that key",
        "",
        (f"{_W}::test_end_of_the_input_has_a_key_of_its_own",),
    ),
    Branch(
        "cli/streams.py",
        "build_console",
        "styles where the console takes them",
        "",
        (f"{_W}::test_styles_are_for_consoles_that_take_them",),
    ),
    Branch(
        "cli/streams.py",
        "understands_styles",
        "the console is told to act on escape sequences",
        "",
        (f"{_W}::test_styles_are_for_consoles_that_take_them",),
    ),
    Branch(
        "cli/readers.py",
        "read_command",
        "backslashes in a command stay",
        "",
        ("tests/settings/test_words.py::TestCommand::test_backslashes_survive_on_windows",),
    ),
    Branch("cli/main.py", "_log_start", _TOLD, _TOLD, (_ENTRY,)),
    Branch(
        "commands/check.py", "describe_machine", _TOLD, _TOLD, ("tests/commands/test_check.py",)
    ),
    Branch(
        "commands/check.py",
        "_write_new",
        "the report has the same ends of lines",
        "",
        ("tests/commands/test_check.py",),
    ),
    Branch(
        "logs.py",
        "_open_log_file",
        "the log has the same ends of lines; links are followed",
        "",
        (_SIGN_IN,),
    ),
    # Files
    Branch("credentials/files.py", "_BINARY", "bytes stay as they are", "", (_SIGN_IN,)),
    Branch("credentials/files.py", "_NOT_FOLLOWED", "links are followed", "", (_SIGN_IN,)),
    Branch(
        "credentials/files.py",
        "ASK_FILE_USER",
        "files are the person's by the rights of the folder; modes and owners are not looked at",
        "",
        (f"{_W}::test_modes_and_owners_say_nothing_there", _SIGN_IN),
    ),
    Branch(
        "credentials/files.py",
        "be_patient",
        "a file that others use is asked for again, for a second",
        "",
        (f"{_W}::test_who_is_in_the_way_is_waited_for",),
    ),
    Branch(
        "credentials/files.py",
        "open_at_once",
        "a folder is told from a file without rights",
        "",
        (f"{_W}::test_a_folder_is_told_as_one_at_once",),
    ),
    Branch(
        "credentials/lock.py",
        "CAN_BE_SHARED",
        "tokens are renewed in the relay itself: a child cannot hold the lock on",
        "",
        (_SIGN_IN,),
    ),
    Branch(
        "credentials/lock.py",
        "module",
        "`msvcrt` locks the first byte of a file",
        "",
        (
            f"{_W}::test_a_lock_is_one_byte_of_the_file",
            f"{_W}::test_a_byte_that_others_hold_is_not_ours",
            _SIGN_IN,
        ),
    ),
    Branch(
        "credentials/session_files.py",
        "state_folder",
        "`%LOCALAPPDATA%`, by `platformdirs`",
        "`~/Library/Application Support`, by `platformdirs`",
        (f"{_M}::test_folder_of_the_records_is_asked_of_who_knows_the_platform",),
    ),
    Branch(
        "tls.py",
        "build_tls_context",
        "the system verifies each connection by itself",
        "the same",
        ("tests/test_tls_store.py::test_where_the_system_verifies_each_connection_is_left_to_it",),
    ),
    Branch(
        "named_files.py",
        "_open_regular",
        "bytes stay as they are",
        "",
        ("tests/test_named_files.py",),
    ),
    Branch("installing/config_file.py", "_OPEN", "bytes stay as they are", "", (_ENTRY,)),
    Branch("installing/config_file.py", "_CHANGE_OWNER", "there are no owners", "", (_ENTRY,)),
    Branch(
        "installing/config_file.py",
        "keep_rights",
        "the rights come from the folder",
        "mode and owner stay; attributes and flags do not (Python does not read them)",
        (
            f"{_W}::test_modes_and_owners_say_nothing_there",
            f"{_M}::test_mode_and_owner_stay_where_python_knows_no_attributes",
            _ENTRY,
        ),
    ),
    Branch("installing/config_file.py", "_write_in_place", "bytes stay as they are", "", (_ENTRY,)),
    Branch("installing/config_file.py", "_HINTS", "there may be no quota", "", (_ENTRY,)),
    Branch(
        "installing/obstacles.py",
        "is_read_only_disk",
        "not known",
        "",
        (f"{_W}::test_what_is_in_the_way_has_a_command_of_windows",),
    ),
    Branch("installing/obstacles.py", "_ASK_USER", "every file is ours", "", (_ENTRY,)),
    Branch(
        "installing/obstacles.py",
        "name_of",
        "users have no names",
        "",
        (f"{_W}::test_what_is_in_the_way_has_a_command_of_windows",),
    ),
    Branch(
        "installing/obstacles.py",
        "unlock_command",
        "`attrib -r`",
        "`chflags nouchg` for a locked file",
        (
            f"{_W}::test_what_is_in_the_way_has_a_command_of_windows",
            f"{_M}::test_a_locked_file_is_unlocked_and_not_given_a_mode",
        ),
    ),
    Branch(
        "installing/obstacles.py",
        "_Place",
        "names that command",
        "names that command",
        (f"{_M}::test_a_locked_file_is_unlocked_and_not_given_a_mode",),
    ),
    Branch(
        "signing/aws_files.py",
        "home_folder",
        "`%USERPROFILE%`",
        "",
        ("tests/signing/test_aws_files.py::test_a_home_has_a_name_in_each_system",),
    ),
    Branch(
        "signing/aws_files.py",
        "_HOMES",
        "`%USERPROFILE%`",
        "",
        ("tests/signing/test_aws_files.py::test_a_home_has_a_name_in_each_system",),
    ),
    # Hosts
    Branch(
        "hosts/catalogue.py",
        "_data",
        "`%APPDATA%`",
        "`~/Library/Application Support`",
        ("tests/hosts/test_catalogue.py::test_path_of_each_host_on_each_system",),
    ),
    Branch(
        "hosts/catalogue.py",
        "KNOWN_HOSTS",
        "each host's own files and logs",
        "each host's own files and logs",
        ("tests/hosts/test_catalogue.py::test_path_of_each_host_on_each_system",),
    ),
    Branch(
        "hosts/catalogue.py",
        "expand_template",
        "backslashes; folders of Windows",
        "",
        (
            "tests/hosts/test_catalogue.py::test_path_of_each_host_on_each_system",
            "tests/hosts/test_catalogue.py"
            "::test_folders_of_windows_are_guessed_where_variables_are_missing",
        ),
    ),
    Branch(
        "hosts/catalogue.py",
        "expand_signs",
        "folders of Windows",
        "`/Applications`",
        ("tests/hosts/test_catalogue.py::test_signs_are_those_of_the_system",),
    ),
    Branch(
        "hosts/wrappers.py",
        "_PASSERS",
        "an entry may start its program by `wsl`",
        "",
        ("tests/hosts/test_entry_reading.py::test_program_in_a_line_is_read",),
    ),
    Branch(
        "installing/surroundings.py",
        "this_system",
        "Windows",
        "macOS",
        (
            f"{_W}::test_our_command_is_a_program_of_windows",
            f"{_M}::test_our_command_lies_beside_python",
        ),
    ),
    Branch(
        "installing/surroundings.py",
        "commands_beside",
        "`mcp-remote-py.exe`, also in `Scripts` below Python",
        "",
        (
            f"{_W}::test_our_command_is_a_program_of_windows",
            f"{_M}::test_our_command_lies_beside_python",
        ),
    ),
    # The network
    Branch(
        "net/connect.py",
        "socket_options",
        "",
        "the time before the first probe has another name",
        (f"{_M}::test_keep_alive_begins_after_a_minute_under_the_name_it_has_there",),
    ),
    Branch(
        "net/mapping.py",
        "UNKNOWN_NAME",
        "a number that Python does not name",
        "",
        (f"{_W}::test_a_name_without_an_address_is_unknown_there_too",),
    ),
    Branch("net/wire.py", "module", "`select` looks at a socket", "", (_SIGN_IN,)),
    Branch("net/wire.py", "_POLL", "`select.select` looks at a socket", "", (_SIGN_IN,)),
    Branch("net/wire.py", "_READABLE", "there is no poll, and this is not used", "", (_SIGN_IN,)),
    Branch(
        "settings/words.py",
        "UnsetVariable",
        "a variable is set as PowerShell does",
        "",
        ("tests/settings/test_words.py::test_how_a_variable_is_set_is_told_by_system",),
    ),
    Branch(
        "signin/loopback_port.py",
        "address_option",
        "the port is held exclusively",
        "",
        (f"{_W}::test_the_port_of_the_listener_is_not_shared",),
    ),
    Branch(
        "signin/taken_port.py",
        "explain_taken_port",
        "names the command of Windows",
        "names the command of macOS",
        (
            "tests/signin/test_callback.py::test_the_command_that_finds_the_holder_is_the_platform_s",
        ),
    ),
    Branch(
        "signin/taken_port.py",
        "holder_command",
        "`netstat`",
        "`lsof`",
        (
            "tests/signin/test_callback.py::test_the_command_that_finds_the_holder_is_the_platform_s",
        ),
    ),
    # The browser
    Branch("signin/browser.py", "_ASK_USER", "not asked", "not asked", (_SIGN_IN,)),
    Branch(
        "signin/browser.py",
        "_STARTFILE",
        "`os.startfile`",
        "",
        (f"{_BROWSER}::test_on_windows_the_shell_s_own_call_gets_the_url",),
    ),
    Branch(
        "signin/browser.py",
        "check_url",
        "what `cmd` acts on is percent-encoded, too",
        "",
        (f"{_BROWSER}::test_url_means_the_same_as_before",),
    ),
    Branch(
        "signin/browser.py",
        "open_browser",
        "no program is started, unless the person names one",
        "",
        (
            f"{_BROWSER}::test_on_windows_the_shell_s_own_call_gets_the_url",
            f"{_BROWSER}::test_on_windows_the_person_s_browser_comes_first",
        ),
    ),
    Branch(
        "signin/browser.py",
        "detect_platform",
        "the kernel's release is not asked",
        "the kernel's release is not asked",
        (f"{_BROWSER}::test_wsl_is_told_from_linux",),
    ),
    Branch(
        "signin/browser.py",
        "_candidates",
        "`;` between browsers",
        "`open`",
        (
            f"{_BROWSER}::test_on_windows_the_person_s_browser_comes_first",
            f"{_BROWSER}::test_on_macos_open_is_asked",
        ),
    ),
    Branch(
        "signin/browser.py",
        "_split",
        "backslashes stay",
        "",
        (f"{_BROWSER}::test_on_windows_the_person_s_browser_comes_first",),
    ),
    Branch(
        "signin/build.py",
        "build_agent",
        "asks which platform it is",
        "asks which platform it is",
        (_SIGN_IN,),
    ),
)


def render() -> str:
    """The table of `docs/platforms.md`."""
    lines = ["| Where | On Windows | On macOS | Played by |", "| --- | --- | --- | --- |"]
    for one in BRANCHES:
        tests = {test.partition("::")[0].removeprefix("tests/") for test in one.tests}
        played = ", ".join(f"`{test}`" for test in sorted(tests))
        where = f"`{one.file}`" + ("" if one.where == "module" else f" `{one.where}`")
        windows, macos = one.windows or "as on Linux", one.macos or "as on Linux"
        lines.append(f"| {where} | {windows} | {macos} | {played} |")
    return "\n".join(lines)
