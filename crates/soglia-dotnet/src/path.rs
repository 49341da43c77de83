//! Paths, as .NET and the system see them.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The absolute path, without `.` and `..` in it.
///
/// Links in it stay, except before a `..`, where they are followed as the system does. A path
/// through a folder that does not exist stays as it is.
pub fn full_path(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    if !climbs(&full) {
        return full;
    }
    let resolved = match (full.parent(), full.file_name()) {
        (Some(folder), Some(name)) => folder.canonicalize().map(|folder| folder.join(name)),
        _ => full.canonicalize(),
    };
    resolved.unwrap_or(full)
}

/// Whether `path` is a file with an execute permission, for its owner or others.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_path_climbs_as_the_system_does() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().canonicalize().unwrap();
        fs::create_dir_all(folder.join("real/deep")).unwrap();
        std::os::unix::fs::symlink(folder.join("real/deep"), folder.join("link")).unwrap();
        let full = |path: &str| full_path(&folder.join(path));
        assert_eq!(full("link/a.dll"), folder.join("link/a.dll"));
        assert_eq!(full("./real/.//a.dll"), folder.join("real/a.dll"));
        assert_eq!(full("real/../a.dll"), folder.join("a.dll"));
        assert_eq!(full("link/../a.dll"), folder.join("real/a.dll"));
        assert_eq!(full("absent/../a.dll"), folder.join("absent/../a.dll"));
    }
}
