//! Policy files, and policies and deadlines as the tool hands them to the engine.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soglia::policy::file;
use soglia_core::{deadline, policy::Policy};

fuzz_target!(|text: &str| {
    match file::parse(text) {
        Ok(contents) => {
            let encoded = contents.policy.encode();
            assert_eq!(Policy::decode(&encoded).as_ref(), Ok(&contents.policy));
            let encoded = deadline::encode(&contents.deadlines);
            let decoded = deadline::decode(&encoded).expect("it was encoded");
            assert_eq!(decoded, contents.deadlines);
        }
        Err(error) => {
            let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&error.line), "{error}");
            assert!(!error.message.is_empty());
            assert!(error.to_string().starts_with(&format!("{}: ", error.line)));
        }
    }
    if let Ok(policy) = Policy::decode(text) {
        assert_eq!(Policy::decode(&policy.encode()), Ok(policy));
    }
    if let Ok(deadlines) = deadline::decode(text) {
        let again = deadline::decode(&deadline::encode(&deadlines));
        assert_eq!(again.expect("it was encoded"), deadlines);
    }
});
