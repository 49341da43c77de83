//! What the test's file does when it is started with a role.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::ptr;

use soglia::dotnet::{Root, process_env};
use soglia::fxr;
use soglia::launch::Launch;
use soglia::program::Program;

/// Plays the role that the first argument names, if it names one.
pub fn play() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let role = args.next()?.into_string().ok()?;
    let args: Vec<OsString> = args.collect();
    let code = match role.as_str() {
        "launch" => launch(&args),
        "shell" => shell(&args),
        "receive" => receive(&args),
        "count" => count(&args),
        fxr::SUBCOMMAND => {
            let [root, hostfxr, app, rest @ ..] = args.as_slice() else {
                panic!("{args:?}")
            };
            fxr::run(Path::new(root), Path::new(hostfxr), Path::new(app), rest).unwrap_or_else(
                |error| {
                    eprintln!("{error}");
                    error.exit_code()
                },
            )
        }
        _ => return None,
    };
    std::process::exit(code)
}

/// The tool, as far as this test is concerned.
fn launch(args: &[OsString]) -> i32 {
    let run = || -> Result<(), Box<dyn std::error::Error>> {
        let program = Program::inspect(&args[0], &process_env)?;
        let root = process_env("TEST_ROOT").map(|path| Root::at(Path::new(&path)).unwrap());
        if let Some(root) = &root {
            program.check_frameworks(root, &process_env)?;
        }
        let mut launch = Launch::new(&program, root.as_ref(), &args[1..])?;
        if let Some(engine) = process_env("TEST_ENGINE") {
            launch = launch.engine(Path::new(&engine));
        }
        let ticks = process_env("TEST_TICKS").is_some();
        let ended = launch.spawn()?.wait(|| {
            if ticks {
                println!("tick");
            }
        })?;
        ended.propagate()
    };
    let Err(error) = run() else { return 0 };
    eprintln!("{error}");
    2
}

fn numbers(args: &[OsString]) -> i32 {
    args[0].to_str().unwrap().parse().unwrap()
}

/// Takes signal after signal, blocked, so that none can be missed.
fn next_signal(signal: i32, timeout: Option<i64>) -> Option<usize> {
    // SAFETY: the set is initialised before its use, and the info is live.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let timeout = timeout.map(|seconds| libc::timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        });
        loop {
            let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
            let got = libc::sigtimedwait(&raw const set, &raw mut info, timeout);
            if got == signal {
                return Some(if info.si_code == libc::SI_QUEUE {
                    info.si_value().sival_ptr.addr()
                } else {
                    0
                });
            }
            // To be stopped and continued is an interruption.
            if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
                return None;
            }
        }
    }
}

/// A program that ends with the number of the signal that it waits for.
fn receive(args: &[OsString]) -> i32 {
    let signal = numbers(args);
    crate::processes::block(signal);
    println!("pid {}\nready", std::process::id());
    match next_signal(signal, None) {
        Some(0) => println!("got {signal}"),
        Some(value) => println!("got {signal} with {value}"),
        None => println!("failed"),
    }
    signal
}

/// A program that counts how often a signal comes, until a second after the last.
fn count(args: &[OsString]) -> i32 {
    let signal = numbers(args);
    crate::processes::block(signal);
    println!("ready");
    let mut count = 0;
    let mut patience = 20;
    while next_signal(signal, Some(patience)).is_some() {
        count += 1;
        patience = 1;
    }
    println!("count {count}");
    count
}

/// The leader of a session, with job control for one job: the tool in the foreground. When the job
/// stops, it waits for a line and continues the job.
fn shell(args: &[OsString]) -> i32 {
    // A shell in the background of its own job may write, and take the terminal back.
    crate::processes::ignore(libc::SIGTTOU);
    let mut command = Command::new(crate::processes::this());
    command.arg("launch").args(args).process_group(0);
    // SAFETY: system calls only; the job takes the terminal before it runs, as jobs of shells do.
    unsafe {
        command.pre_exec(|| {
            libc::tcsetpgrp(0, libc::getpid());
            libc::signal(libc::SIGTTOU, libc::SIG_DFL);
            Ok(())
        })
    };
    let job = command.spawn().unwrap().id().cast_signed();
    loop {
        let mut status = 0;
        // SAFETY: the status is live; the job is a child of this process.
        let waited = unsafe { libc::waitpid(job, &raw mut status, libc::WUNTRACED) };
        assert_eq!(waited, job);
        if !libc::WIFSTOPPED(status) {
            let code = if libc::WIFEXITED(status) {
                libc::WEXITSTATUS(status)
            } else {
                128 + libc::WTERMSIG(status)
            };
            println!("shell: exited {code}");
            return 0;
        }
        // SAFETY: both calls take plain numbers.
        unsafe { libc::tcsetpgrp(0, libc::getpid()) };
        println!("shell: stopped {}", libc::WSTOPSIG(status));
        std::io::stdout().flush().unwrap();
        let mut key = [0];
        while key != *b"\n" {
            std::io::stdin().read_exact(&mut key).unwrap();
        }
        // SAFETY: no preconditions; the group is that of the job, which is not reaped.
        unsafe {
            libc::tcsetpgrp(0, job);
            libc::kill(-job, libc::SIGCONT);
        }
        println!("shell: continued");
    }
}
