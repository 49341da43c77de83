//! Services on ASP.NET, whose shared framework is not in every .NET root.

use soglia_testing::needs::{Outcome, Unmet};

use crate::support::{Setup, Space, setup, text};

/// ASP.NET compiles a method for each handler of a minimal API, at run time.
pub fn handlers_are_called_by_what_was_made_for_them() -> Outcome {
    let framework = "Microsoft.AspNetCore.App";
    let Setup {
        root,
        major,
        fixtures,
    } = setup();
    let installed = std::fs::read_dir(root.path.join("shared").join(framework));
    let versions = installed.into_iter().flatten().flatten();
    let names = versions.map(|version| version.file_name().to_string_lossy().into_owned());
    let fits = |name: &String| name.split('.').next() == Some(&*major.to_string());
    let Some(version) = names.into_iter().find(fits) else {
        return Err(Unmet::new(format!(
            "the .NET root has no {framework} {major}"
        )));
    };
    for source in ["transitions", "woven"] {
        let space = Space::new();
        for file in ["callers.dll", "libsemantics.so"] {
            std::fs::copy(fixtures.join(file), space.path(file)).unwrap();
        }
        let config = serde_json::json!({ "runtimeOptions": {
            "tfm": format!("net{major}.0"),
            "framework": { "name": framework, "version": version },
        }});
        let path = space.path("callers.runtimeconfig.json");
        std::fs::write(path, config.to_string()).unwrap();
        let options = format!("run -q --source {source} -o a.soglia callers.dll minimal-api");
        let output = space.soglia(&options).output().unwrap();
        assert_eq!(
            text(&output.stdout),
            "minimal-api: 1\n",
            "{}",
            text(&output.stderr)
        );
        let report = space.recording("a.soglia").report();
        let mut rows = report.targets.iter();
        let row = rows
            .find(|row| row.entry.as_deref() == Some("plain"))
            .unwrap();
        let [handler, answer, made, ..] = &row.first_caller[..] else {
            panic!("{:?}", row.first_caller)
        };
        assert_eq!(handler, "Soglia.Callers.Plain.Handler");
        assert!(answer.contains("<MinimalApi>g__Answer|"), "{answer}");
        assert!(
            made.starts_with("[made at run time: lambda_method"),
            "{made}"
        );
    }
    Ok(())
}
