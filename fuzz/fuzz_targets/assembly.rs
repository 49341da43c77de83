//! PE files: whether one is an assembly that can be started here.
//!
//! The input is a [packed](soglia_fuzz::packed) file.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use soglia::assembly::check;
use soglia_fuzz::packed;

fuzz_target!(|packed: &[u8]| {
    if let Err(error) = check(Path::new("app.dll"), &packed::unpack(packed)[..]) {
        assert!(error.to_string().contains("app.dll"));
    }
});
