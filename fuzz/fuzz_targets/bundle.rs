//! Bundles of single-file programs.
//!
//! The input is where the list of files begins, and the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soglia::program::{RuntimeConfig, bundle::runtime_config};

fuzz_target!(|bytes: &[u8]| {
    let Some((from, file)) = bytes.split_first_chunk() else {
        return;
    };
    if let Some(config) = runtime_config(file, u64::from_le_bytes(*from)) {
        assert!(file.as_ptr_range().contains(&config.as_ptr()) || config.is_empty());
        let _ = RuntimeConfig::parse(config);
    }
});
