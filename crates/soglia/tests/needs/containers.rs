//! Attaching to programs in other namespaces, as containers have them, and of other users.
//!
//! Each program has its own mounts, processes and network, its own folder for temporary files, and
//! does not see the engine. It calls native code all the time.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
};

use soglia::launch::PROFILER_GUID;
use soglia_testing::needs::{Outcome, Unmet, require};

use crate::support::{
    Live, Report, SOGLIA, Space, bare_command, fixture, refusal, signal, text, until,
};

/// Own mounts, processes and network.
const NAMESPACES: &str = "-m -p -f -n";
/// No code can be loaded from what is made in any folder. The program's own files lie elsewhere.
const NO_CODE: &str = "for d in /dev/shm /var/tmp /run /tmp; do mount --rbind $d $d && \
                       mount -o remount,bind,noexec $d || exit; done; mount -o remount,noexec \"$1\" &&";

/// Whether a user can use the files and the folder that are its arguments.
const READABLE: &str = "test -x \"$1\" && test -r \"$2\" && test -x \"$3\" && test -r \"${4:-$2}\"";

/// A program in a container, and the tool outside of it.
struct Contained {
    space: Space,
    tool: PathBuf,
    live: Live,
    pid: u32,
}

impl Contained {
    /// Starts the program by `unshare OPTIONS`, after `script`, which has the folder for temporary
    /// files as `$1`, and by the command `as_user`.
    fn start(options: &str, script: &str, as_user: &str) -> Result<Self, Unmet> {
        let user = as_user.split_whitespace();
        let (file, before) = bare_command();
        // A strict file mode mask, or a folder that only its user may enter, are no fault.
        let permitted = Command::new("unshare")
            .args(options.split_whitespace())
            .args(["sh", "-c", "mount -t proc none /proc && exec \"$@\"", "sh"])
            .args(user.clone())
            .args(["sh", "-c", READABLE, "sh"])
            .args([&file, &fixture("served.dll"), &std::env::temp_dir()])
            .args(before.last())
            .stderr(Stdio::null())
            .status();
        let permitted = permitted.is_ok_and(|status| status.success());
        require(
            permitted,
            format!("`unshare {options} {as_user}` is not permitted, or cannot read the program"),
        )?;
        let space = Space::new();
        fs::set_permissions(space.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let tool = space.copied_tool();
        let tmp = space.path("tmp");
        fs::create_dir(&tmp).unwrap();
        let script = format!(
            "mount --make-rprivate / && mount -t proc none /proc && mount -t tmpfs none \"$0\" && \
             mount -t tmpfs -o mode=1777 none \"$1\" && {script} shift && exec \"$@\""
        );
        let mut command = space.command("unshare");
        command
            .args(options.split_whitespace())
            .args(["sh", "-c", &script])
            .args([tool.parent().unwrap(), &tmp])
            .args(user)
            .arg(file)
            .args(before)
            .arg(fixture("served.dll"))
            .arg("regular")
            .current_dir("/")
            .env("TMPDIR", &tmp)
            .env("HOME", "/absent")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("ORACLE_FILE")
            .stdin(Stdio::piped());
        let mut live = Live::start(&mut command);
        live.expect("ready");
        let pid = live.program().expect("the program in the container");
        Ok(Self {
            space,
            tool,
            live,
            pid,
        })
    }

    /// Attaches for a while. Returns how often the program called native code.
    fn calls(&self) -> u64 {
        let mut command = self.space.command(&self.tool);
        let pid = self.pid.to_string();
        let output = command
            .args(["attach", &pid, "--for", "500ms", "--format", "json"])
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        let report: Report = serde_json::from_slice(&output.stdout).expect(&said);
        report.calls("regular")
    }

    /// Records the program twice: the second time the engine is there. Then no copy of the engine
    /// may be left in its folders.
    fn must_be_recorded(mut self) {
        for _ in 0..2 {
            until("a call", || (self.calls() > 0).then_some(()));
        }
        let inside = |folder: PathBuf| {
            let folder = folder.strip_prefix("/").unwrap().to_owned();
            PathBuf::from(format!("/proc/{}/root", self.pid)).join(folder)
        };
        let folders = [self.space.path("tmp"), "/tmp".into(), "/dev/shm".into()];
        for folder in folders.map(inside) {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut names = entries.map(|entry| text(entry.file_name().as_encoded_bytes()));
            let left = names.find(|name| name.starts_with("libsoglia-"));
            assert_eq!(left, None, "{}", folder.display());
        }
        drop(self.live.input());
        assert!(self.live.wait().0.success());
    }
}

/// The engine is copied into its folder for temporary files.
pub fn a_program_in_a_container_is_recorded() -> Outcome {
    Contained::start(NAMESPACES, "", "")?.must_be_recorded();
    Ok(())
}

/// The engine is held open by a process that is made there.
pub fn a_program_that_can_load_no_file_is_recorded() -> Outcome {
    Contained::start(NAMESPACES, NO_CODE, "")?.must_be_recorded();
    Ok(())
}

/// The user who asks is root in there.
pub fn a_program_in_a_container_without_root_is_recorded() -> Outcome {
    let options = format!("-r {NAMESPACES}");
    Contained::start(&options, "", "")?.must_be_recorded();
    Contained::start(&options, NO_CODE, "")?.must_be_recorded();
    Ok(())
}

/// Its processes are seen from there, so the tool itself holds the engine open.
pub fn a_program_with_its_own_files_is_recorded() -> Outcome {
    Contained::start("-m -f", NO_CODE, "")?.must_be_recorded();
    Ok(())
}

pub fn a_program_of_another_user_is_recorded() -> Outcome {
    let other_user = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    Contained::start(NAMESPACES, "", other_user)?.must_be_recorded();
    Contained::start(NAMESPACES, NO_CODE, other_user)?.must_be_recorded();
    Contained::start("-m -f", NO_CODE, other_user)?.must_be_recorded();
    Ok(())
}

/// The message says what a user may not enter.
pub fn another_network_needs_root() -> Outcome {
    let other_user = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let contained = Contained::start(NAMESPACES, "", other_user)?;
    let mut command = contained.space.command("setpriv");
    command
        .args(other_user.split_whitespace().skip(1))
        .arg(&contained.tool)
        .args(["attach", &contained.pid.to_string()])
        .current_dir("/");
    let said = refusal(&mut command);
    assert!(
        said.contains("its network namespace is another one"),
        "{said}"
    );
    assert!(said.contains("run soglia as root"), "{said}");
    signal(contained.pid, "KILL");
    Ok(())
}

/// Where `/proc` shows a user no processes of others, they are still not called absent.
pub fn a_process_that_proc_hides_is_named() -> Outcome {
    let script = "mount -t proc -o hidepid=2 none /proc && exec setpriv --reuid 65534 --regid 65534 \
                  --clear-groups \"$@\"";
    let space = Space::new();
    fs::set_permissions(space.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let tool = space.copied_tool();
    let as_other = || {
        let mut command = space.command("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]).arg(&tool);
        command.current_dir("/");
        command
    };
    let permitted = as_other().arg("--version").stdout(Stdio::null()).status();
    let permitted = permitted.is_ok_and(|status| status.success());
    require(
        permitted,
        "`unshare -m` with another /proc is not permitted",
    )?;
    let pid = std::process::id().to_string();
    for command in ["attach", "stacks", "report"] {
        let said = refusal(as_other().args([command, &pid]));
        let wanted = format!("process {pid} belongs to another user");
        assert!(said.contains(&wanted), "{command}: {said}");
    }
    Ok(())
}

/// What an image for programs has, as distroless and chiselled ones do: the C library, .NET and the
/// program. There is no shell and no tool, and only two folders can be written.
const IMAGE: &str = "mount --make-rprivate / && mount --bind \"$0\" \"$0\" && cd \"$0\" && \
    mkdir -p proc tmp recordings usr/lib usr/lib64 \".$1\" && \
    mount --rbind /usr/lib usr/lib && ln -s usr/lib lib && \
    mount --rbind /usr/lib64 usr/lib64 && ln -s usr/lib64 lib64 && \
    mount --rbind \"$1\" \".$1\" && mount -t proc none proc && mount -t tmpfs none tmp && \
    mount --bind \"$2\" recordings && mount -o remount,bind,ro . && \
    shift 2 && exec chroot . \"$@\"";

/// The engine alone, by the variables that docs/containers.md gives an image.
pub fn a_program_in_an_image_without_a_shell_records_itself() -> Outcome {
    let permitted = Command::new("unshare")
        .args(NAMESPACES.split_whitespace())
        .args([
            "sh",
            "-c",
            "mount --make-rprivate / && mount -t proc none /proc && chroot / true",
        ])
        .stderr(Stdio::null())
        .status();
    let permitted = permitted.is_ok_and(|status| status.success());
    require(
        permitted,
        format!("`unshare {NAMESPACES}` with chroot is not permitted"),
    )?;

    let space = Space::new();
    let (image, recordings) = (space.path("image"), space.path("recordings"));
    for folder in ["image/app", "image/soglia", "recordings"] {
        fs::create_dir_all(space.path(folder)).unwrap();
    }
    let engine = space.copied_tool().with_file_name("libsoglia.so");
    fs::copy(engine, image.join("soglia/libsoglia.so")).unwrap();
    for entry in fs::read_dir(fixture("")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, image.join("app").join(path.file_name().unwrap())).unwrap();
        }
    }
    // A .NET without `dotnet` is started by a file that lies beside the program.
    let (starter, mut before) = bare_command();
    let root = crate::support::setup().root.path.clone();
    let starter = if starter.starts_with(&root) {
        starter
    } else {
        fs::copy(&starter, image.join("app/start")).unwrap();
        "/app/start".into()
    };
    before.push("/app/served.dll".into());

    let mut command = space.command("unshare");
    command
        .args(NAMESPACES.split_whitespace())
        .args(["sh", "-c", IMAGE])
        .args([&image, &root, &recordings])
        .arg(starter)
        .args(before)
        .arg("regular")
        .env("CORECLR_ENABLE_PROFILING", "1")
        .env("CORECLR_PROFILER", PROFILER_GUID)
        .env("CORECLR_PROFILER_PATH", "/soglia/libsoglia.so")
        .env("SOGLIA_RECORDING", "/recordings/%h-%p.soglia")
        .env("SOGLIA_MAX_SIZE", "64MiB")
        .env("TMPDIR", "/tmp")
        .env_remove("ORACLE_FILE")
        .stdin(Stdio::piped());
    let mut live = Live::start(&mut command);
    live.expect("ready");

    // It is the first process in there, and one of many here.
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let file = format!("recordings/{}-1.soglia", host.trim());
    let recording = space.recording(&file);
    assert!(
        recording.path.is_file(),
        "{:?}",
        fs::read_dir(&recordings).unwrap().count()
    );
    until("a call", || {
        (recording.report().calls("regular") > 0).then_some(())
    });
    let running = recording.json("");
    assert_eq!(running["ended"], "running", "{running}");
    drop(live.input());
    let (status, said) = live.wait();
    assert!(status.success(), "{said}");
    assert_eq!(said, "", "the engine says nothing");
    let ended = recording.json("");
    assert_eq!(
        (&ended["ended"], &ended["exit_code"]),
        (&"exit".into(), &0.into()),
        "{ended}"
    );
    Ok(())
}

/// The first process of a container is the parent of all that have lost theirs.
pub fn the_tool_is_the_first_process_of_a_container() -> Outcome {
    let space = Space::new();
    let contained = |script: &str| {
        let mut command = space.command("unshare");
        let first = "mount -t proc none /proc && exec \"$@\"";
        command.args(["-m", "-p", "-f", "sh", "-c", first, "sh"]);
        command.args(script.split_whitespace());
        command.current_dir(space.path(""));
        command
    };
    let permitted = contained("true").stderr(Stdio::null()).status();
    let permitted = permitted.is_ok_and(|status| status.success());
    require(permitted, "`unshare -m -p -f` is not permitted")?;
    // A subshell starts the program and ends, so that the program is an orphan. Its directory in
    // /proc stays until somebody has waited for it.
    let script = "#!/bin/sh\n\
        (sh -c 'echo $$ >pid; exec \"$@\"' sh \"$@\" &)\n\
        until [ -s pid ]; do sleep 0.05; done\n\
        for n in $(seq 600); do [ -d /proc/$(cat pid) ] || exit 3; sleep 0.05; done\n\
        echo 'the orphan stays'\n";
    fs::write(space.path("script"), script).unwrap();
    let (file, before) = bare_command();
    let mut command = contained(SOGLIA);
    command
        .args(["run", "--follow", "--format", "json", "-o", "a.soglia"])
        .args(["sh", "./script"])
        .arg(file)
        .args(before)
        .arg(fixture("semantics.dll"))
        .args(["exitcode", "7"]);
    let output = command.output().unwrap();
    assert_eq!(text(&output.stdout), "");
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(report["processes"][0]["exit_code"], 7, "{report}");
    Ok(())
}
