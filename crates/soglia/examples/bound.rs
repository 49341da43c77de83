//! Lets no more than two threads into a native function at the same time: the others wait before
//! they call it.
//!
//!     bound guest.dll

use std::sync::{Condvar, Mutex};

use soglia::host::{Answer, Error, Host, HostTaskManager, Target};

/// The places in native code.
struct Bound {
    free: Mutex<u32>,
    given_back: Condvar,
}

impl HostTaskManager for Bound {
    // Called once for each native function. A function that needs no hook costs next to nothing.
    fn call_needs_host_hook(&self, target: Target) -> bool {
        target.name().as_deref() == Some("guest_work")
    }

    // Before the call, on the thread that makes it. Only this thread waits here; the garbage
    // collector does not wait for it.
    fn leave_runtime(&self, _target: Target) -> Answer {
        let free = self.free.lock().unwrap();
        let mut free = self.given_back.wait_while(free, |free| *free == 0).unwrap();
        *free -= 1;
        Ok(())
    }

    // After the call, also if it ended by an exception.
    fn enter_runtime(&self) -> Answer {
        *self.free.lock().unwrap() += 1;
        self.given_back.notify_one();
        Ok(())
    }
}

fn main() {
    let plugin = std::env::args().nth(1).expect("usage: bound guest.dll");
    if let Err(why) = bound(&plugin) {
        eprintln!("bound: {why}");
        std::process::exit(1);
    }
}

fn bound(plugin: &str) -> Result<(), Error> {
    let bound = Bound {
        free: Mutex::new(2),
        given_back: Condvar::new(),
    };
    let host = Host::builder().task_manager(bound).start()?;

    // Eight threads, twenty calls each. The native library itself counts how many were inside.
    let most = host.call(plugin, "Guest.Plugin", "Work", "8")?;
    println!("at most {most} of 8 threads were in native code");
    Ok(())
}
