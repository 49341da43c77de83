//! Tests of the tool that need something that not every machine has.
//!
//! Each states its need with `?`. Where the need is unmet, the test is ignored, with its reason;
//! under CI it fails unless `SOGLIA_TEST_ALLOW_SKIP` names it.

#[path = "../tool/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the other tests of the tool"
)]
mod support;

mod containers;
mod disks;
mod dotnet;
mod places;
mod terminal;
mod users;
mod web;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use soglia_testing::tests;

fn main() -> ExitCode {
    let tests: Vec<Trial> = tests! {
        containers: a_program_in_a_container_is_recorded a_program_that_can_load_no_file_is_recorded a_program_in_a_container_without_root_is_recorded a_program_with_its_own_files_is_recorded a_program_of_another_user_is_recorded another_network_needs_root a_process_that_proc_hides_is_named the_tool_is_the_first_process_of_a_container a_program_in_an_image_without_a_shell_records_itself;
        disks: a_disk_that_fills_up_costs_records_and_nothing_else
            a_full_disk_is_found_before_the_program_starts;
        dotnet: the_command_can_be_the_program no_dotnet_at_all;
        places: the_program_behaves_as_without a_pointer_is_what_lies_there_now a_declaration_is_what_lies_there_now delegates_are_on_what_they_were_made_of the_same_library_again_is_the_same_target every_context_calls_its_own_library very_many_contexts_share_targets functions_without_an_exported_name_are_told_apart another_build_of_a_file_names_nothing;
        terminal: top_shows_a_program_until_it_ends top_leaves_the_terminal_as_it_was top_lists_programs_to_choose_from
            top_attaches_if_the_user_agrees;
        users: a_program_of_another_user_is_not_started;
        web: handlers_are_called_by_what_was_made_for_them no_request_fails_while_a_server_is_attached
            slow_calls_are_spans_under_those_of_their_requests;
    };
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
