//! Recordings on a disk that is full.

use std::process::Stdio;

use soglia_testing::needs::{Outcome, Unmet, require};

use crate::support::{Report, SOGLIA, Space, fixture, text};

/// Where there is no room on the disk the program goes on, and what fitted can be read.
pub fn a_disk_that_fills_up_costs_records_and_nothing_else() -> Outcome {
    let space = Space::new();
    let disk = small_disk(&space, "512k")?;
    let mut command = space.command("unshare");
    let script = format!(
        "{disk} \"$1\" run --record events -o full/a.soglia -q \"$2\" spin 1 || exit; \
                          \"$1\" report --format json full/a.soglia; \"$1\" report --all full/a.soglia >&2"
    );
    let semantics = fixture("semantics.dll");
    command
        .args(["-rm", "sh", "-c", &script, "sh", SOGLIA])
        .arg(semantics);
    let output = command.current_dir(space.path("")).output().unwrap();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let json = stdout
        .strip_prefix("spinning\ndone\n")
        .unwrap_or_else(|| panic!("{stdout}{stderr}"));
    let report: Report = serde_json::from_str(json).unwrap();
    assert_eq!((report.ended.as_str(), report.exit_code), ("exit", Some(0)));
    assert!(report.dropped > 0);
    assert_eq!(
        report.calls("plain"),
        space.oracle_calls("plain"),
        "{stderr}"
    );
    Ok(())
}

pub fn a_full_disk_is_found_before_the_program_starts() -> Outcome {
    let space = Space::new();
    let disk = small_disk(&space, "64k")?;
    let mut command = space.command("unshare");
    let script = format!("{disk} exec \"$1\" run -o full/a.soglia \"$2\"");
    let hello = fixture("hello.dll");
    command
        .args(["-rm", "sh", "-c", &script, "sh", SOGLIA])
        .arg(hello);
    let output = command.current_dir(space.path("")).output().unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(2), String::new())
    );
    let wanted = "soglia: cannot write the recording full/a.soglia: give another -o FILE: \
                  No space left on device (os error 28)\n";
    assert_eq!(text(&output.stderr), wanted);
    Ok(())
}

/// The shell words that put a file system of this size at `full`, in a mount namespace of its own.
fn small_disk(space: &Space, size: &str) -> Result<String, Unmet> {
    std::fs::create_dir(space.path("full")).unwrap();
    let mount = format!("mount -t tmpfs -o size={size} none full &&");
    let mut command = space.command("unshare");
    command
        .args(["-rm", "sh", "-c", &format!("{mount} true")])
        .current_dir(space.path(""));
    let permitted = command.stderr(Stdio::null()).status().unwrap().success();
    require(permitted, "this user may not mount a tmpfs")?;
    Ok(mount)
}
