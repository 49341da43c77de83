//! `NAME.runtimeconfig.json` and `NAME.deps.json`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use soglia::program::{Asked, RuntimeConfig};

fuzz_target!(|text: &str| {
    let parsed = RuntimeConfig::parse(text);
    if let Ok(Value::Object(_)) = serde_json::from_str(text) {
        let plain = parsed.expect("it is a JSON object");
        // What hostfxr allows around the object changes nothing.
        let around = format!("\u{feff}// a\n/* b */ {text} trailing");
        assert_eq!(RuntimeConfig::parse(&around), Ok(plain));
    }
    if let Some(asked) = Asked::of_deps(text) {
        assert_eq!(asked.name, "Microsoft.NETCore.App");
    }
});
