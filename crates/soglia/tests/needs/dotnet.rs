//! What depends on how .NET is installed.

use soglia_testing::needs::{Outcome, Unmet, require};

use crate::support::{Space, fixture, refusal, setup, text};

/// The `dotnet` command can be the program. It starts the assembly in the same process.
pub fn the_command_can_be_the_program() -> Outcome {
    let Some(muxer) = &setup().root.muxer else {
        return Err(Unmet::new("the .NET root has no `dotnet` command"));
    };
    let space = Space::new();
    let mut command = space.soglia("run -q -o a.soglia");
    let output = command
        .arg(muxer)
        .arg(fixture("semantics.dll"))
        .arg("plain")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), "plain(1) = 2\n".into())
    );
    assert_eq!(space.recording("a.soglia").report().calls("plain"), 1);
    Ok(())
}

/// `run` says what to do, and `doctor` lists each place.
pub fn no_dotnet_at_all() -> Outcome {
    let space = Space::new();
    let here = space.path("");
    let env = |name: &str| match name {
        "DOTNET_ROOT" | "HOME" => Some(here.clone().into_os_string()),
        "PATH" => Some("/bin".into()),
        _ => None,
    };
    let nowhere = soglia::dotnet::Search::run(&env).roots.is_empty();
    require(nowhere, "a .NET is installed where every program finds it")?;
    // Beside the tool that the tests build, `make demo` may have put a .NET.
    let tool = space.copied_tool();
    let command = |verb: &str| {
        let mut command = space.command(&tool);
        command.arg(verb).arg(fixture("hello.dll"));
        for name in ["DOTNET_ROOT", "HOME", "PATH"] {
            command.env(name, env(name).unwrap());
        }
        command
    };
    let message = refusal(&mut command("run"));
    let begin = "no .NET found by DOTNET_ROOT, PATH, /etc/dotnet or in the usual places: ";
    assert!(
        message.starts_with(begin) && message.contains("set DOTNET_ROOT"),
        "{message}"
    );
    let output = command("doctor").output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for line in [
        "FAIL  .NET             no .NET 8 or later; looked at\n",
        "DOTNET_ROOT_X64: not set\n",
        "bin/dotnet-root (beside soglia): absent\n",
        "-> install .NET 8 or later (https://dotnet.microsoft.com/download), or set DOTNET_ROOT",
    ] {
        assert!(said.contains(line), "{said}");
    }
    Ok(())
}
