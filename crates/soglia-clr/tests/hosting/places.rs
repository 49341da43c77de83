//! A host is asked about the function that lies at an address, not about one that lay there before.

use std::{
    path::Path,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
};

use soglia_abi::hresult::S_OK;

use crate::{
    api::{Library, call_in},
    role::UNMET,
    script::{Acting, Told, symbol},
};

/// Checks the questions and notifications about functions, which have their names of that moment.
/// `wanted`: the host wants notifications of all, or of all except the first.
fn check(library: &Library, version: &str, case: &str, wanted: bool) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let lines = told.clone();
    let acting = Acting::new(library, version, move |script, what| {
        let mut lines = lines.lock().unwrap();
        match what {
            Told::Needs(target) => {
                lines.push(format!("N({})", symbol(target)));
                script.needs.store(true, Relaxed);
            }
            Told::Leave(target) => lines.push(format!("L({})", symbol(target))),
            _ => {}
        }
        S_OK
    });
    acting.script.needs.store(wanted, Relaxed);
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/managed/places/places.dll");
    let folder = library.folder();
    let sum = call_in(
        &acting.host,
        path.to_str().unwrap(),
        "Soglia.Places.Program",
        "Hosted",
        &format!("{case} {}", folder.display()),
    );
    if sum == Ok(-1) {
        println!("{UNMET}{case}: the kernel has put the second library elsewhere");
        return;
    }
    assert_eq!(sum, Ok(13));
    let calls = if wanted { 3 } else { 0 };
    let both = [once_asked(FIRST, calls), once_asked(SECOND, 5)].concat();
    assert_eq!(*told.lock().unwrap(), both);
}

const FIRST: &str = "(first@libplaces_first.so)";
const SECOND: &str = "(second@libplaces_second.so)";

/// Asked about, then called so often.
fn once_asked(of: &str, calls: usize) -> Vec<String> {
    let asked = std::iter::once(format!("N{of}"));
    asked
        .chain(std::iter::repeat_n(format!("L{of}"), calls))
        .collect()
}

pub fn a_pointer_is_asked_again(library: &Library, version: &str) {
    check(library, version, "pointer", true);
}

pub fn an_import_is_asked_again(library: &Library, version: &str) {
    check(library, version, "import", true);
}

pub fn an_unwanted_is_asked_again(library: &Library, version: &str) {
    check(library, version, "import", false);
}
