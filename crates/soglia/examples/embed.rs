//! Embeds a plug-in that is written in C#: calls one of its methods by name, and others as C
//! functions.
//!
//!     embed guest.dll

#![allow(unsafe_code, reason = "functions of another language")]

use soglia::host::{Error, Host};

fn main() {
    let plugin = std::env::args().nth(1).expect("usage: embed guest.dll");
    if let Err(why) = embed(&plugin) {
        eprintln!("embed: {why}");
        std::process::exit(1);
    }
}

fn embed(plugin: &str) -> Result<(), Error> {
    // Starts the newest .NET that is installed.
    let host = Host::builder().start()?;
    println!("this is .NET {}", host.version());

    // static int Words(string text), by name. `Error` says what went wrong.
    let text = "a plug-in in C#";
    let words = host.call(plugin, "Guest.Plugin", "Words", text)?;
    println!("{text:?} has {words} words");

    // SAFETY: [UnmanagedCallersOnly] static int Add(int a, int b)
    let add: extern "C" fn(i32, i32) -> i32 =
        unsafe { host.function(plugin, "Guest.Plugin", "Add")? };
    println!("40 + 2 is {}", add(40, 2));

    // `Mean` reads `count` numbers, whatever there is. Only an unsafe function may have that type.
    // SAFETY: [UnmanagedCallersOnly] static double Mean(double* values, int count)
    let mean: unsafe extern "C" fn(*const f64, i32) -> f64 =
        unsafe { host.function(plugin, "Guest.Plugin", "Mean")? };
    let values = [1.0, 2.0, 6.0];
    // SAFETY: there are that many values.
    let result = unsafe { mean(values.as_ptr(), values.len() as i32) };
    println!("the mean of {values:?} is {result}");

    // An exception is an error, and so is a method that is missing.
    for method in ["Fail", "Absent"] {
        if let Err(why) = host.call(plugin, "Guest.Plugin", method, "") {
            println!("{why}");
        }
    }
    Ok(())
}
