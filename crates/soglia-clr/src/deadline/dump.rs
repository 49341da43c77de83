//! A core dump of this process, by the program that the runtime brings for that.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::objects;

/// Writes a core dump to this file. The process stands still meanwhile.
///
/// # Errors
/// Why there is none, for people.
pub fn write(file: &Path) -> Result<(), String> {
    let folder = objects::runtime_folder()
        .ok_or("the runtime is inside the program's own file, and brings no createdump")?;
    let createdump = folder.join("createdump");
    if !createdump.is_file() {
        return Err(format!("there is no {}", createdump.display()));
    }
    // The first try fails if it looks at this process before it is allowed to.
    run(&createdump, file).or_else(|_| run(&createdump, file))
}

fn run(createdump: &Path, file: &Path) -> Result<(), String> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", createdump.display());
    let mut child = Command::new(createdump)
        .arg("--name")
        // It replaces sequences that begin with %.
        .arg(file.to_string_lossy().replace('%', "%%"))
        .arg("--withheap")
        .arg(std::process::id().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&error))?;
    // Kernels with Yama allow only ancestors to trace a process, and the one that the process
    // names. Other kernels answer with an error, which does no harm. SAFETY: the call takes plain
    // numbers.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, child.id() as libc::c_ulong, 0, 0, 0) };
    let mut said = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        // Its output is needed only if it fails, and is not always text.
        let mut bytes = Vec::new();
        let _ = stderr.read_to_end(&mut bytes);
        said = String::from_utf8_lossy(&bytes).into_owned();
    }
    let status = child.wait();
    let last = || said.lines().map(str::trim).rfind(|line| !line.is_empty());
    match status {
        Ok(status) if status.success() && file.is_file() => Ok(()),
        // The program has waited for all its children, and so for this one.
        Err(_) if file.is_file() => Ok(()),
        Ok(status) => Err(failed(
            &last().map_or_else(|| status.to_string(), Into::into),
        )),
        Err(error) => Err(failed(
            &last().map_or_else(|| error.to_string(), Into::into),
        )),
    }
}

/// A name for a dump that no file has yet: beside the recording if that has a name, and otherwise
/// in the folder for temporary files.
pub fn name(recording: &Path, temporary: &Path) -> PathBuf {
    let pid = std::process::id();
    let named = !recording.starts_with("/proc");
    let name = |n: u32| match recording.file_name().filter(|_| named) {
        Some(file) => {
            let mut name = file.to_owned();
            name.push(format!(".{pid}.{n}.core"));
            recording.with_file_name(name)
        }
        None => temporary.join(format!("soglia.{pid}.{n}.core")),
    };
    let free = (1..1000)
        .map(name)
        .find(|path| !fs::exists(path).unwrap_or(true));
    free.unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_lie_beside_recordings() {
        let pid = std::process::id();
        let temporary = Path::new("/no/such/tmp");
        assert_eq!(
            name(Path::new("/no/such/a.soglia"), temporary),
            PathBuf::from(format!("/no/such/a.soglia.{pid}.1.core"))
        );
        assert_eq!(
            name(Path::new("/proc/17/fd/5"), temporary),
            PathBuf::from(format!("/no/such/tmp/soglia.{pid}.1.core"))
        );
    }
}
