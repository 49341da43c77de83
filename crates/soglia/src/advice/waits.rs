//! Functions that wait by design.

/// Functions that wait for the next event. Idle programs are in them.
const EVENTS: &[&str] = &[
    "accept",
    "accept4",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "poll",
    "ppoll",
    "select",
    "pselect",
    "kevent",
    "sigwait",
    "sigwaitinfo",
    "sigtimedwait",
    "io_getevents",
    "io_uring_enter",
    "mq_receive",
];
/// Parts of the names of event loops.
const LOOPS: &[&str] = &[
    "mainloop",
    "main_loop",
    "runloop",
    "run_loop",
    "eventloop",
    "event_loop",
    "waitevent",
    "wait_event",
    "wait_for_event",
    "pollevent",
    "poll_event",
    "nextevent",
    "next_event",
    "dispatch",
    "gtk_main",
    "uv_run",
];
/// Functions that let time pass.
const SLEEPS: &[&str] = &["sleep", "usleep", "nanosleep", "clock_nanosleep", "pause"];

/// The name of the function in the name of a target, in lower case.
fn function(target: &str) -> String {
    let name = target.rsplit(['!', '.']).next().unwrap_or(target);
    name.to_ascii_lowercase()
}

/// Whether a target waits for events by design, to judge by its name.
pub(super) fn for_events(target: &str) -> bool {
    let name = function(target);
    EVENTS.contains(&&*name) || LOOPS.iter().any(|part| name.contains(part))
}

/// Whether a target waits for time or events by design, to judge by its name.
pub(super) fn by_design(target: &str) -> bool {
    for_events(target) || SLEEPS.contains(&&*function(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_waits() {
        for name in [
            "libc!poll",
            "libc.so.6!epoll_wait",
            "SDL2!SDL_WaitEvent",
            "gui!gui_main_loop",
        ] {
            assert!(for_events(name), "{name}");
        }
        for name in ["libc!read", "libc!usleep", "bank!bank_poll_now", "db!wait"] {
            assert!(!for_events(name), "{name}");
        }
        assert!(by_design("libc!usleep"));
        assert!(!by_design("device!device_sleep_and_read"));
    }
}
