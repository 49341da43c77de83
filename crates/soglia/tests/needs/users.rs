//! Programs of other users, which only root can make.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use soglia_testing::needs::{Outcome, require};

use crate::support::{Space, text};

/// A set-user-ID program drops the variables by which the engine comes into it.
pub fn a_program_of_another_user_is_not_started() -> Outcome {
    let space = Space::new();
    space.script("", "");
    let file = space.path("script");
    let run = || {
        let mut command = space.soglia("run --quiet --deny libc!system ./script");
        command.output().unwrap()
    };
    let set_user_id = || fs::set_permissions(&file, fs::Permissions::from_mode(0o4755)).unwrap();
    set_user_id();
    assert!(run().status.success(), "the program of its own user");
    let given = chown(&file, Some(12345), None).is_ok();
    require(given, "only root can give a file to another user")?;
    // The change of the owner has taken the bit away.
    set_user_id();
    let output = run();
    let (said, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(
        (output.status.code(), said),
        (Some(2), String::new()),
        "{errors}"
    );
    assert!(errors.contains("runs as another user or group"), "{errors}");
    Ok(())
}
