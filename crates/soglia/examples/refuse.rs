//! Refuses a native call: the managed caller gets an exception, and the function does not run.
//!
//!     refuse guest.dll

use soglia::host::{Answer, Error, HResult, Host, HostTaskManager, Target};

struct Refuse;

impl HostTaskManager for Refuse {
    fn call_needs_host_hook(&self, target: Target) -> bool {
        target.name().as_deref() == Some("guest_secret")
    }

    // Called only for functions that need a hook.
    fn leave_runtime(&self, target: Target) -> Answer {
        println!("refused: {target}");
        Err(HResult::ACCESS_DENIED)
    }
}

fn main() {
    let plugin = std::env::args().nth(1).expect("usage: refuse guest.dll");
    if let Err(why) = refuse(&plugin) {
        eprintln!("refuse: {why}");
        std::process::exit(1);
    }
}

fn refuse(plugin: &str) -> Result<(), Error> {
    let host = Host::builder().task_manager(Refuse).start()?;
    let times = host.call(plugin, "Guest.Plugin", "Secret", "")?;
    println!("the native function has run {times} times");
    Ok(())
}
