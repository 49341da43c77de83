//! Runs a program and watches it cross between managed and native code.
//!
//!     watch sixsteps.dll
//!
//! sixsteps.dll is written in Visual Basic. It calls a C function, which calls a method in C#,
//! which calls another C function.

use std::thread;

use soglia::host::{Error, Host};

fn main() {
    let program = std::env::args().nth(1).expect("usage: watch PROGRAM.dll");
    if let Err(why) = watch(&program) {
        eprintln!("watch: {why}");
        std::process::exit(1);
    }
}

fn watch(program: &str) -> Result<(), Error> {
    let host = Host::builder().program(program).watch().start()?;

    // Crossings wait in a queue. The program never waits for the thread that reads it.
    let events = host.events();
    let watcher = thread::spawn(move || {
        let mut depth = 0;
        for event in events {
            if event.missed > 0 {
                println!("... {} crossings were not kept", event.missed);
            }
            if !event.crossing.opens() {
                depth -= 1;
            }
            let target = event.target.map(|target| target.to_string());
            let (indent, name) = (2 * depth, event.crossing.name());
            println!("{:indent$}{name} {}", "", target.unwrap_or_default());
            if event.crossing.opens() {
                depth += 1;
            }
        }
    });

    let code = host.run(program, [] as [&str; 0])?;
    drop(host); // the stream ends here
    watcher.join().expect("the watcher does not panic");
    println!("exit code {code}");
    Ok(())
}
