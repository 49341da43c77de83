//! Watches native calls of a .NET that runs already, for a while.
//!
//!     later guest.dll

use soglia::host::{Answer, Error, Host, HostTaskManager, Target};

struct Prints;

impl HostTaskManager for Prints {
    fn call_needs_host_hook(&self, target: Target) -> bool {
        target.name().as_deref() == Some("guest_secret")
    }

    fn leave_runtime(&self, target: Target) -> Answer {
        println!("managed code calls {target}");
        Ok(())
    }
}

fn main() {
    let plugin = std::env::args().nth(1).expect("usage: later guest.dll");
    if let Err(why) = later(&plugin) {
        eprintln!("later: {why}");
        std::process::exit(1);
    }
}

fn later(plugin: &str) -> Result<(), Error> {
    // Any code may have started .NET, without a task manager.
    let host = Host::builder().start()?;
    let secret = || host.call(plugin, "Guest.Plugin", "Secret", "");
    println!("before: call {}", secret()?);
    let attached = Host::attach(Prints)?;
    println!("attached: call {}", secret()?);
    attached.detach()?;
    println!("detached: call {}", secret()?);
    Ok(())
}
