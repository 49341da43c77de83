//! What soglia makes for viewers, opened in them.
//!
//! Each test states its viewer as a need with `?`. Where the viewer is missing, the test is
//! ignored, with its reason; under CI it fails unless `SOGLIA_TEST_ALLOW_SKIP` names it.

#[path = "../hostile/craft.rs"]
#[allow(dead_code, reason = "shared with the tests of hostile recordings")]
mod craft;
#[path = "../tool/support/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "shared with the other tests of the tool"
)]
mod support;

mod exports;
mod fleet;
mod page;
mod processes;
mod scrapes;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use soglia_testing::tests;

fn main() -> ExitCode {
    let tests: Vec<Trial> = tests! {
        exports: pyarrow_reads_the_same_rows duckdb_answers_the_queries_of_the_documents
            perfetto_has_the_same_slices pprof_sums_up_to_the_same
            speedscope_opens_what_it_can_read a_flame_graph_is_drawn_and_searched;
        fleet: a_hundred_machines_have_equal_sums_everywhere calls_of_machines_lie_in_folders_too;
        scrapes: promtool_finds_nothing_wrong prometheus_answers_with_the_figures_of_the_report;
        page: it_shows_what_was_recorded a_crash_is_shown_first a_long_recording_has_a_small_page
            it_fits_every_width_and_light the_table_sorts_and_filters
            the_timeline_moves_and_finds callers_are_a_graph_and_a_tree
            names_of_a_recording_stay_texts an_attach_has_a_section
            a_recording_without_calls_has_a_page;
        processes: a_page_of_several_processes_names_them;
    };
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
