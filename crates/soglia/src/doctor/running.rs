//! Whether `soglia attach` can record a process, without changing anything in it.

use std::{fs, path::Path};

use super::finding::Finding;
use crate::{
    attach::{
        Target, carry,
        load::{self, Kind},
        session,
    },
    running::process::Process,
    text::{plain, plain_path},
};

/// The namespaces that make a container, with words for what is in them.
const NAMESPACES: [(&str, &str); 4] = [
    ("user", "users"),
    ("mnt", "mounts"),
    ("pid", "processes"),
    ("net", "network"),
];

/// What is known of this process. `engine` is the engine's file, if there is one.
pub(super) fn findings(pid: u32, engine: Option<&Path>) -> Vec<Finding> {
    let target = match Target::of(pid) {
        Ok(target) => target,
        Err(error) => return vec![Finding::error("process", &error)],
    };
    let mut all = vec![process(&target)];
    all.extend(debugger(pid));
    if let Err(error) = target.check(Kind::Weave) {
        all.push(Finding::error("process", &error));
        return all;
    }
    let has_engine = match session::has_engine(&target) {
        Ok(has_engine) => has_engine,
        Err(error) => {
            all.push(Finding::error("recording", &error));
            return all;
        }
    };
    all.push(Finding::ok(
        "recording",
        match has_engine {
            true => "nothing records it; an earlier attach has left the engine in it, idle",
            false => "nothing records it",
        },
    ));
    // An engine that is there needs no help of the runtime.
    match load::runtime(&target) {
        Ok((info, socket)) => {
            let version = info.version.split(['+', ' ']).next().unwrap_or_default();
            let mut detail = format!(".NET {} runs {}", plain(version), plain(&info.assembly));
            if let Some(socket) = socket {
                detail += &format!("; diagnostics socket {}", plain_path(&socket));
            }
            all.push(Finding::ok("runtime", detail));
        }
        Err(_) if has_engine => {}
        Err(error) => {
            all.push(Finding::error("runtime", &error));
            return all;
        }
    }
    if !has_engine {
        all.push(profiler(&target));
        if let Some(engine) = engine {
            all.push(way(&target, engine));
        }
    }
    all
}

/// What is said if nothing else is wrong.
pub(super) fn verdict(pid: u32) -> Finding {
    Finding::ok("attach", format!("`soglia attach {pid}` can record it"))
}

/// The process, and the container that it may be in.
fn process(target: &Target) -> Finding {
    let pid = target.pid;
    let user = Process { pid }.user().unwrap_or_else(|| "a user".into());
    let detail = format!("{pid} ({}) of {user}", plain(&target.name()));
    let space = |of: &str, name: &str| fs::read_link(format!("/proc/{of}/ns/{name}")).ok();
    let differ = NAMESPACES.iter().filter(|(name, _)| {
        let (own, its) = (space("self", name), space(&pid.to_string(), name));
        own.is_some() && its.is_some() && own != its
    });
    let own: Vec<_> = differ.map(|(_, what)| *what).collect();
    let finding = Finding::ok("process", detail);
    if own.is_empty() {
        return finding;
    }
    let container = format!("in a container, with its own {}", own.join(", "));
    finding.noting([container])
}

/// A debugger, which may stop the process at any time.
fn debugger(pid: u32) -> Option<Finding> {
    let tracer = Process { pid }.status("TracerPid")?.parse().ok()?;
    let name = Target::of(tracer).ok()?.name();
    Some(Finding::warn(
        "debugger",
        format!("process {tracer} ({}) traces it", plain(&name)),
        "while that has stopped it, soglia cannot attach",
    ))
}

/// Other profilers: a runtime takes one only.
fn profiler(target: &Target) -> Finding {
    let found = target.loaded_profilers();
    let Some(file) = found.iter().find(|file| !is_own(file)) else {
        return Finding::ok("profiler", "the runtime has no other");
    };
    Finding::warn(
        "profiler",
        format!("{} is loaded, and can be one", plain(file)),
        "if it is one, the runtime takes no other: start the program without it",
    )
}

/// Whether this is an engine of soglia, which has let go of the process.
fn is_own(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.contains("soglia")
}

/// How the engine comes into the process.
fn way(target: &Target, engine: &Path) -> Finding {
    match carry::plan(target, engine) {
        Ok(what) => Finding::ok("way in", format!("the runtime would load {what}")),
        Err(tried) => Finding::fail(
            "way in",
            "the runtime can load the engine from nowhere",
            "give the process a folder that it can write, without `noexec`",
        )
        .noting(tried),
    }
}
