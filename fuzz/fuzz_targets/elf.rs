//! ELF executables, with the bundle that may follow them.
//!
//! The input is a [packed](soglia_fuzz::packed) file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use soglia::program::{
    RuntimeConfig, bundle,
    elf::{Host, check},
};
use soglia_fuzz::packed;

fuzz_target!(|packed: &[u8]| {
    let file = packed::unpack(packed);
    match check(Path::new("app"), &file[..]) {
        Ok(Host::SingleFile(list)) => {
            if let Some(config) = bundle::runtime_config(&file[..], list) {
                let _ = RuntimeConfig::parse(config);
            }
        }
        Ok(_) => {}
        Err(error) => assert!(error.to_string().contains("app")),
    }
});
