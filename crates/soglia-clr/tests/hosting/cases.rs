//! The cases. Each is a host of its own.

use crate::{
    aborts::*, acting::*, api::Library, collections::*, doors::*, endings::*, faults::*,
    lasting::*, locked::*, managers::*, new_threads::*, occasions::*, places::*, programs::*,
    refs::*, runs::*, scarcity::*, slots::*, texts::*,
};

/// One process.
pub struct Case {
    pub name: &'static str,
    pub run: fn(&Library, &str),
    pub environment: &'static [(&'static str, &'static str)],
    /// A file that lies beside the library.
    pub preloads: Option<&'static str>,
    /// 128 and a signal's number, if that ends it.
    pub exit_code: i32,
    /// Lines of its output, in this order.
    pub tells: &'static [&'static str],
    /// No line begins like that.
    pub never_tells: &'static [&'static str],
}

pub const fn case(name: &'static str, run: fn(&Library, &str)) -> Case {
    Case {
        name,
        run,
        environment: &[],
        preloads: None,
        exit_code: 0,
        tells: &[],
        never_tells: &[],
    }
}

const fn throwing(
    name: &'static str,
    run: fn(&Library, &str),
    environment: &'static [(&'static str, &'static str)],
) -> Case {
    Case {
        environment,
        ..case(name, run)
    }
}

/// The notifications of an exit: to the policy manager, then to actions, and at the end to those
/// again.
const EXIT: &[&str] = &["default action 5 6", "event 0 false", "event 1 true"];
const ANYTHING: &[&str] = &["default action", "failure", "timeout", "event"];

/// What cases start themselves.
pub const HELPERS: &[Case] = &[case("run_a_program", run_a_program)];

pub const ALL: &[Case] = &[
    case(
        "unknown_ids_and_null_pointers",
        unknown_ids_and_null_pointers,
    ),
    case("runtimes_by_version", runtimes_by_version),
    case("a_file_has_a_version", a_file_has_a_version),
    case("a_policy_chooses_the_runtime", a_policy_chooses_the_runtime),
    case("a_method_is_called", a_method_is_called),
    case(
        "what_is_missing_is_told_apart",
        what_is_missing_is_told_apart,
    ),
    case("before_start_nothing_runs", before_start_nothing_runs),
    case("starts_and_stops_are_counted", starts_and_stops_are_counted),
    case("code_runs_in_the_domain", code_runs_in_the_domain),
    case("the_later_interfaces_work", the_later_interfaces_work),
    case(
        "a_method_of_a_file_is_a_function",
        a_method_of_a_file_is_a_function,
    ),
    case("a_root_can_be_named", a_root_can_be_named),
    case(
        "managers_are_asked_for_in_order",
        managers_are_asked_for_in_order,
    ),
    case("only_a_plain_success_counts", only_a_plain_success_counts),
    case(
        "a_control_comes_before_the_start",
        a_control_comes_before_the_start,
    ),
    case(
        "nobody_sees_how_the_engine_came",
        nobody_sees_how_the_engine_came,
    ),
    case("managers_are_given_out", managers_are_given_out),
    case(
        "the_collector_collects_and_counts",
        the_collector_collects_and_counts,
    ),
    case("suspensions_are_told", suspensions_are_told),
    case(
        "the_youngest_generation_is_bounded",
        the_youngest_generation_is_bounded,
    ),
    case(
        "the_collector_goes_on_in_the_background",
        the_collector_goes_on_in_the_background,
    ),
    case(
        "a_gc_manager_that_fails_takes_the_clr_out_of_use",
        a_gc_manager_that_fails_takes_the_clr_out_of_use,
    ),
    case("a_task_is_a_thread", a_task_is_a_thread),
    case("waits_are_ended", waits_are_ended),
    case(
        "an_abort_is_thrown_by_the_next_crossing",
        an_abort_is_thrown_by_the_next_crossing,
    ),
    case("aborts_come_at_any_moment", aborts_come_at_any_moment),
    case("no_abort_meets_native_code", no_abort_meets_native_code),
    case("aborts_can_be_held_back", aborts_can_be_held_back),
    case(
        "a_callback_is_no_way_into_an_aborted_task",
        a_callback_is_no_way_into_an_aborted_task,
    ),
    case("a_task_is_asked_to_give_way", a_task_is_asked_to_give_way),
    case(
        "who_runs_managed_code_needs_to_run",
        who_runs_managed_code_needs_to_run,
    ),
    case("aborts_lose_no_pair", aborts_lose_no_pair),
    case("aborts_under_a_lock", aborts_under_a_lock),
    case("a_hosts_sleep_is_ended", a_hosts_sleep_is_ended),
    case(
        "flags_and_properties_reach_the_runtime",
        flags_and_properties_reach_the_runtime,
    ),
    case("a_configuration_is_used", a_configuration_is_used),
    case("the_old_door_opens_too", the_old_door_opens_too),
    case(
        "a_host_that_fails_takes_the_clr_out_of_use",
        a_host_that_fails_takes_the_clr_out_of_use,
    ),
    Case {
        environment: &[
            ("CORECLR_ENABLE_PROFILING", "1"),
            ("CORECLR_PROFILER", "{846F5F1C-F9AE-4B07-969E-05C26BC060D8}"),
            ("CORECLR_PROFILER_PATH", "/absent.so"),
        ],
        ..case(
            "another_profiler_is_in_the_way",
            another_profiler_is_in_the_way,
        )
    },
    Case {
        environment: &[("DOTNET_EnableDiagnostics", "0")],
        ..case(
            "without_its_engine_a_host_is_not_started",
            without_its_engine_a_host_is_not_started,
        )
    },
    case("a_recorded_host_is_recorded", a_recorded_host_is_recorded),
    case("a_host_makes_threads", a_host_makes_threads),
    case("a_host_runs_the_thread_pool", a_host_runs_the_thread_pool),
    case(
        "a_host_has_one_thread_for_many",
        a_host_has_one_thread_for_many,
    ),
    case("a_host_has_no_threads", a_host_has_no_threads),
    case("a_host_sleeps", a_host_sleeps),
    case("a_host_switches", a_host_switches),
    case("a_host_joins", a_host_joins),
    case("a_host_wakes", a_host_wakes),
    case("a_host_has_priorities", a_host_has_priorities),
    case("a_host_hears_of_cultures", a_host_hears_of_cultures),
    case("a_host_hears_of_regions", a_host_hears_of_regions),
    case("a_host_has_many_threads", a_host_has_many_threads),
    case(
        "a_host_without_tasks_is_left_alone",
        a_host_without_tasks_is_left_alone,
    ),
    case("other_hosts_hear_nothing", other_hosts_hear_nothing),
    case("hosts_start_at_the_same_time", hosts_start_at_the_same_time),
    case(
        "a_closed_runtime_runs_methods",
        a_closed_runtime_runs_methods,
    ),
    case(
        "without_a_host_calls_are_what_they_are",
        without_a_host_calls_are_what_they_are,
    ),
    case(
        "crossings_of_every_kind_are_told",
        crossings_of_every_kind_are_told,
    ),
    case(
        "addresses_are_those_that_are_called",
        addresses_are_those_that_are_called,
    ),
    case("leaving_is_refused", leaving_is_refused),
    case("refusals_say_what", refusals_say_what),
    case("paths_have_no_dots", paths_have_no_dots),
    case(
        "leaving_by_a_delegate_is_refused",
        leaving_by_a_delegate_is_refused,
    ),
    case("entering_fails", entering_fails),
    case("callbacks_are_refused", callbacks_are_refused),
    case(
        "nested_refusals_end_where_they_belong",
        nested_refusals_end_where_they_belong,
    ),
    case("a_task_is_refused", a_task_is_refused),
    case(
        "a_thread_without_a_task_is_not_told",
        a_thread_without_a_task_is_not_told,
    ),
    case(
        "a_task_that_comes_late_keeps_pairs",
        a_task_that_comes_late_keeps_pairs,
    ),
    case("a_refusal_in_a_quiet_call", a_refusal_in_a_quiet_call),
    case("what_needs_no_hook_is_quiet", what_needs_no_hook_is_quiet),
    case("errors_are_unharmed", errors_are_unharmed),
    case("a_host_may_block", a_host_may_block),
    case("tasks_end_with_their_threads", tasks_end_with_their_threads),
    case("objects_survive_releases", objects_survive_releases),
    Case {
        environment: &[("MALLOC_ARENA_MAX", "1")],
        ..case("ended_threads_leave_nothing", ended_threads_leave_nothing)
    },
    case("tasks_live_while_counted", tasks_live_while_counted),
    case("contexts_come_and_go", contexts_come_and_go),
    case("a_pointer_is_asked_again", a_pointer_is_asked_again),
    case("an_import_is_asked_again", an_import_is_asked_again),
    case("an_unwanted_is_asked_again", an_unwanted_is_asked_again),
    case("many_threads_lose_no_pair", many_threads_lose_no_pair),
    case(
        "a_bound_is_what_its_header_says",
        a_bound_is_what_its_header_says,
    ),
    case(
        "a_dead_threads_slot_comes_back",
        a_dead_threads_slot_comes_back,
    ),
    case(
        "a_bound_passes_on_what_it_is_told",
        a_bound_passes_on_what_it_is_told,
    ),
    case(
        "a_refused_callback_holds_no_slot",
        a_refused_callback_holds_no_slot,
    ),
    case("many_threads_share_few_slots", many_threads_share_few_slots),
    case("lookers_give_way", lookers_give_way),
    case("lookers_ask_the_next_too", lookers_ask_the_next_too),
    case("stopping_while_tasks_are_out", stopping_while_tasks_are_out),
    case(
        "the_first_of_two_hosts_is_told",
        the_first_of_two_hosts_is_told,
    ),
    case("a_late_host_is_not_told", a_late_host_is_not_told),
    throwing(
        "thrown_while_handing_over:GetHostManager",
        thrown_while_handing_over,
        &[("THROWS_IN", "GetHostManager")],
    ),
    throwing(
        "thrown_while_handing_over:SetCLRTaskManager",
        thrown_while_handing_over,
        &[("THROWS_IN", "SetCLRTaskManager")],
    ),
    throwing(
        "thrown_while_handing_over:AddRef",
        thrown_while_handing_over,
        &[("THROWS_IN", "AddRef")],
    ),
    throwing(
        "thrown_while_running:GetCurrentTask:plain",
        thrown_while_running,
        &[("THROWS_IN", "GetCurrentTask:plain")],
    ),
    throwing(
        "thrown_while_running:SetCLRTask:plain",
        thrown_while_running,
        &[("THROWS_IN", "SetCLRTask:plain")],
    ),
    throwing(
        "thrown_while_running:CallNeedsHostHook:plain",
        thrown_while_running,
        &[("THROWS_IN", "CallNeedsHostHook:plain")],
    ),
    throwing(
        "thrown_while_running:LeaveRuntime:plain",
        thrown_while_running,
        &[("THROWS_IN", "LeaveRuntime:plain")],
    ),
    throwing(
        "thrown_while_running:LeaveRuntime:pointer",
        thrown_while_running,
        &[("THROWS_IN", "LeaveRuntime:pointer")],
    ),
    throwing(
        "thrown_while_running:LeaveRuntime:callback-delegate",
        thrown_while_running,
        &[("THROWS_IN", "LeaveRuntime:callback-delegate")],
    ),
    throwing(
        "thrown_while_running:EnterRuntime:plain",
        thrown_while_running,
        &[("THROWS_IN", "EnterRuntime:plain")],
    ),
    throwing(
        "thrown_while_running:EnterRuntime:pointer",
        thrown_while_running,
        &[("THROWS_IN", "EnterRuntime:pointer")],
    ),
    throwing(
        "thrown_while_running:EnterRuntime:callback",
        thrown_while_running,
        &[("THROWS_IN", "EnterRuntime:callback")],
    ),
    throwing(
        "thrown_while_running:ReverseEnterRuntime:callback",
        thrown_while_running,
        &[("THROWS_IN", "ReverseEnterRuntime:callback")],
    ),
    throwing(
        "thrown_while_running:ReverseEnterRuntime:callback-delegate",
        thrown_while_running,
        &[("THROWS_IN", "ReverseEnterRuntime:callback-delegate")],
    ),
    throwing(
        "thrown_while_running:ReverseEnterRuntime:thread",
        thrown_while_running,
        &[("THROWS_IN", "ReverseEnterRuntime:thread")],
    ),
    throwing(
        "thrown_while_running:ReverseEnterRuntime:thread-delegate",
        thrown_while_running,
        &[("THROWS_IN", "ReverseEnterRuntime:thread-delegate")],
    ),
    throwing(
        "thrown_while_running:ReverseLeaveRuntime:callback",
        thrown_while_running,
        &[("THROWS_IN", "ReverseLeaveRuntime:callback")],
    ),
    throwing(
        "thrown_while_running:ReverseLeaveRuntime:callback-delegate",
        thrown_while_running,
        &[("THROWS_IN", "ReverseLeaveRuntime:callback-delegate")],
    ),
    throwing(
        "thrown_while_running:ReverseLeaveRuntime:thread-delegate",
        thrown_while_running,
        &[("THROWS_IN", "ReverseLeaveRuntime:thread-delegate")],
    ),
    throwing(
        "thrown_while_running:Release:thread",
        thrown_while_running,
        &[("THROWS_IN", "Release:thread")],
    ),
    throwing(
        "thrown_while_running:Sleep:sleep",
        thrown_while_running,
        &[("THROWS_IN", "Sleep:sleep")],
    ),
    throwing(
        "thrown_while_running:SwitchToTask:switch",
        thrown_while_running,
        &[("THROWS_IN", "SwitchToTask:switch")],
    ),
    throwing(
        "thrown_while_running:Join:join",
        thrown_while_running,
        &[("THROWS_IN", "Join:join")],
    ),
    throwing(
        "thrown_while_running:Alert:interrupt",
        thrown_while_running,
        &[("THROWS_IN", "Alert:interrupt")],
    ),
    throwing(
        "thrown_while_running:SetPriority:priority",
        thrown_while_running,
        &[("THROWS_IN", "SetPriority:priority")],
    ),
    throwing(
        "thrown_while_running:BeginThreadAffinity:affinity",
        thrown_while_running,
        &[("THROWS_IN", "BeginThreadAffinity:affinity")],
    ),
    throwing(
        "thrown_while_running:EndThreadAffinity:affinity",
        thrown_while_running,
        &[("THROWS_IN", "EndThreadAffinity:affinity")],
    ),
    throwing(
        "thrown_while_running:BeginDelayAbort:region",
        thrown_while_running,
        &[("THROWS_IN", "BeginDelayAbort:region")],
    ),
    throwing(
        "thrown_while_running:SetLocale:culture",
        thrown_while_running,
        &[("THROWS_IN", "SetLocale:culture")],
    ),
    throwing(
        "thrown_while_handing_over:RegisterMemoryNotificationCallback",
        thrown_while_handing_over,
        &[("THROWS_IN", "RegisterMemoryNotificationCallback")],
    ),
    Case {
        exit_code: 42,
        ..case("thrown_by_a_policy_manager", thrown_by_a_policy_manager)
    },
    throwing(
        "thrown_while_running:SuspensionStarting:collect",
        thrown_while_running,
        &[("THROWS_IN", "SuspensionStarting:collect")],
    ),
    throwing(
        "thrown_while_running:SuspensionEnding:collect",
        thrown_while_running,
        &[("THROWS_IN", "SuspensionEnding:collect")],
    ),
    Case {
        exit_code: 42,
        tells: &["event 1 true"],
        ..case("thrown_at_the_end", thrown_at_the_end)
    },
    Case {
        preloads: Some("libscarce.so"),
        ..case("scarce_at_the_door", scarce_at_the_door)
    },
    Case {
        preloads: Some("libscarce.so"),
        ..case("scarce_while_running", scarce_while_running)
    },
    case("programs_do_what_they_do", programs_do_what_they_do),
    case("a_host_ends_a_thread", a_host_ends_a_thread),
    case("a_panic_of_another_library", a_panic_of_another_library),
    Case {
        exit_code: 42,
        tells: &["event 1 true"],
        ..case("the_end_is_told", the_end_is_told)
    },
    Case {
        exit_code: 7,
        tells: EXIT,
        ..case("managed_code_exits", managed_code_exits)
    },
    Case {
        exit_code: 42,
        tells: EXIT,
        ..case("the_host_exits", the_host_exits)
    },
    Case {
        never_tells: ANYTHING,
        ..case("main_returns", main_returns)
    },
    Case {
        exit_code: 128 + 6,
        tells: &["failure 2 8", "event 1 true"],
        never_tells: &["default action", "event 0"],
        ..case("an_exception_is_not_caught", an_exception_is_not_caught)
    },
    Case {
        exit_code: 128 + 6,
        never_tells: ANYTHING,
        ..case("managed_code_fails_fast", managed_code_fails_fast)
    },
    Case {
        exit_code: 128 + 6,
        never_tells: ANYTHING,
        ..case("the_stack_overflows", the_stack_overflows)
    },
    Case {
        never_tells: ANYTHING,
        ..case("a_load_context_is_unloaded", a_load_context_is_unloaded)
    },
    Case {
        tells: &["default action 5 6"],
        ..case(
            "exits_are_told_without_managed_help",
            exits_are_told_without_managed_help,
        )
    },
    case(
        "what_happens_anyway_can_be_asked_for",
        what_happens_anyway_can_be_asked_for,
    ),
    case(
        "a_host_decides_on_uncaught_exceptions",
        a_host_decides_on_uncaught_exceptions,
    ),
    Case {
        exit_code: 3,
        ..case(
            "a_process_ends_without_a_runtime",
            a_process_ends_without_a_runtime,
        )
    },
];
