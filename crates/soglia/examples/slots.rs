//! Lets one thread at a time run managed code: the others wait in line.
//!
//!     slots guest.dll

use std::num::NonZeroU16;
use std::time::Duration;

use soglia::host::{Error, Host, Slots};

fn main() {
    let plugin = std::env::args().nth(1).expect("usage: slots guest.dll");
    if let Err(why) = slots(&plugin) {
        eprintln!("slots: {why}");
        std::process::exit(1);
    }
}

fn slots(plugin: &str) -> Result<(), Error> {
    // A thread that waits for longer than the limit goes on without a slot, and its call throws.
    let one = NonZeroU16::MIN;
    let slots = Slots::new(one, Some(Duration::from_secs(60)));

    // At the end of managed code the bound ends too: exit handlers must not wait for threads that
    // do not run any more.
    let at_end = slots.clone();
    let host = Host::builder()
        .task_manager(slots.clone())
        .on_clr_disabled(move || at_end.lift())
        .start()?;

    // Eight threads, twenty native calls each. A thread gives its slot back for the call, and waits
    // for a slot when the call is back.
    host.call(plugin, "Guest.Plugin", "Work", "8")?;

    let figures = slots.figures();
    let longest = Duration::from_nanos(figures.longest_ns);
    println!("waits in line: {}, at most {longest:?}", figures.waits);
    println!("waits that took too long: {}", figures.timed_out);
    Ok(())
}
