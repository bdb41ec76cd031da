"""Where each "Never again" of the field notes is shown: by a row here, or by a test elsewhere.

The numbers are those of the ranked problems of the field notes; a row of `network_rows` names its
own. `test_notes.py` holds that none is missing, and that each test named here exists.
"""

from __future__ import annotations

SHOWN_BY: dict[int, tuple[str, ...]] = {
    1: ("signin/test_root_causes.py::test_killed_and_started_again_and_again",),
    2: ("signin/test_end_to_end.py::test_expired_token_is_refreshed_in_silence",),
    3: (
        "signin/test_many_processes.py::test_one_refresh_for_eight",
        "signin/test_many_processes.py::test_refreshing_process_is_killed",
    ),
    4: (
        "signin/test_root_causes.py::test_five_processes_started_together",
        "signin/test_patience.py::test_one_of_five_is_killed_while_its_tab_is_open",
    ),
    5: (
        "signin/test_host_patience.py::test_first_sign_in_outlives_the_host_s_patience",
        "signin/test_host_patience.py::"
        "test_host_that_ignores_the_change_finds_the_tools_at_its_next_start",
    ),
    6: ("signin/test_end_to_end.py::test_forgotten_client_is_registered_once_more",),
    7: ("signin/test_root_causes.py::test_one_process_whose_host_goes_on_asking",),
    8: ("signin/test_end_to_end.py::test_token_answers_as_they_are",),
    9: (
        "signin/test_callback.py::test_both_loopback_addresses_of_the_same_port_answer_until_the_end",
    ),
    10: ("signin/test_end_to_end.py::test_pinned_port_is_taken",),
    11: ("signin/test_commands.py::test_login_by_hand_finishes_what_a_relay_waits_for",),
    12: (
        "signin/test_end_to_end.py::test_person_says_no",
        "signin/test_end_to_end.py::test_person_closes_the_tab",
    ),
    13: ("signin/test_end_to_end.py::test_callback_twice_is_one_exchange",),
    14: ("signin/test_end_to_end.py::test_more_scope_is_asked_for_once_and_added",),
    15: ("signin/test_end_to_end.py::test_static_header_never_starts_a_sign_in",),
    16: (
        "signin/test_end_to_end.py::test_login_in_the_middle_of_public_tools",
        "signin/test_root_causes.py::test_refused_stream_starts_no_sign_in",
    ),
    17: ("signin/test_browser.py::test_the_variable_browser_comes_before_the_desktop",),
    18: (
        "relay/test_recovery.py::test_server_restarted_between_two_messages",
        "relay/test_recovery.py::test_session_lost_before_every_message",
    ),
    19: ("relay/test_exactly_once.py::test_every_id_is_answered_exactly_once",),
    20: ("relay/test_misbehaviour.py::test_silent_call_delays_nobody",),
    21: ("relay/test_recovery.py::test_stream_of_the_server_is_resumed_where_it_was_cut",),
    22: (
        "relay/test_misbehaviour.py::test_stream_closed_at_once_is_not_asked_for_again_and_again",
    ),
    23: (
        "relay/test_misbehaviour.py::test_refusal_is_not_a_reason_to_try_the_other_transport",
        "relay/test_misbehaviour.py::test_refusal_that_means_the_other_transport",
    ),
    24: (
        "relay/test_misbehaviour.py::test_redirect_within_the_origin",
        "relay/test_misbehaviour.py::test_redirect_to_another_origin",
    ),
    25: ("relay/test_misbehaviour.py::test_idle_sends_nothing",),
    26: ("matrix/test_matrix.py::test_every_client_has_every_feature_of_every_server",),
    27: ("relay/test_exactness.py::test_notifications_and_requests_of_the_server",),
    28: ("relay/test_exactness.py::test_sizes_both_ways",),
    29: ("relay/test_recovery.py::test_server_that_comes_up_later_than_the_command",),
    30: ("relay/test_misbehaviour.py::test_server_that_never_finishes",),
    31: (
        "relay/test_misbehaviour.py::test_cookies",
        "net/test_connect.py::test_next_address_follows_one_that_refuses_or_is_silent",
        "faults/names_inside.py::test_an_address_of_two_is_dead",
    ),
    32: (
        "relay/test_lifetime.py::test_parent_killed_while_a_sibling_holds_stdin",
        "relay/test_lifetime.py::test_parent_killed_at_any_time_during_the_start",
    ),
    33: ("relay/test_lifetime.py::test_signal_with_calls_in_flight",),
    34: ("relay/test_exactness.py::test_values_both_ways",),
    35: (
        "credentials/test_keys.py::"
        "test_one_item_of_the_keyring_serves_all_sessions_and_fits_on_windows",
    ),
    36: (
        "credentials/test_keys.py::test_hundred_saves_write_the_keyring_once_and_a_restart_never",
        "signin/test_keyring_writes.py::test_renewals_write_nothing_into_the_keyring",
    ),
    37: (
        "credentials/test_keys.py::"
        "test_without_a_usable_keyring_a_file_takes_its_place_and_that_is_said_once",
        "credentials/test_keys.py::test_silent_keyring_is_asked_once_and_may_answer_late",
    ),
    38: (
        "credentials/test_sealed.py::"
        "test_files_and_folders_are_their_owners_alone_whatever_the_mask",
    ),
    39: ("credentials/test_store.py::test_record_of_0_1_0_is_read",),
    40: ("credentials/test_sealed.py::test_record_cut_at_any_byte_is_moved_aside_and_replaced",),
    41: ("cli/test_mistakes.py::*",),
    42: ("test_imports.py::test_the_relay_imports_only_what_is_listed",),
    43: ("security/test_floods.py::test_a_stream_without_end",),
    44: ("relay/test_parity.py::test_same_through_the_proxy",),
    45: (
        "signin/test_end_to_end.py::test_no_secret_is_written_anywhere",
        "conftest.py::search_for_secrets",
    ),
    46: (
        "signin/test_end_to_end.py::test_hostile_authorization_endpoint_is_never_opened",
        "signin/test_end_to_end.py::test_stranger_neither_ends_the_wait_nor_is_echoed",
    ),
    47: ("relay/test_misbehaviour.py::test_unusable_answer",),
    48: (
        "security/test_headers.py::"
        "test_credential_that_is_gone_at_a_reload_keeps_its_value_and_opens_no_browser",
    ),
    49: (
        "signin/test_root_causes.py::test_sign_in_outlives_a_server_that_cannot_renew_it_now",
        "signin/test_root_causes.py::test_one_process_whose_host_goes_on_asking",
    ),
}
"""By number; `*` stands for all tests of a file."""

NOT_HERE: dict[int, str] = {}
"""By number, why loopback cannot show it."""
