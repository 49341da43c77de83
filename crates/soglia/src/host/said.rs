//! Messages of hostfxr when it does not start a runtime.
//!
//! hostfxr writes them to standard error, or passes them to a function that a program has set.

#![allow(unsafe_code, reason = "hostfxr takes a function")]

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::path::Path;

use soglia_dotnet::library::Library;

type Writer = extern "C" fn(*const c_char);
type SetWriter = unsafe extern "C" fn(Option<Writer>) -> Option<Writer>;

thread_local! {
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

extern "C" fn write(line: *const c_char) {
    if line.is_null() {
        return;
    }
    // SAFETY: hostfxr passes a C string that lives until this function returns.
    let line = unsafe { CStr::from_ptr(line) }.to_string_lossy();
    SAID.with_borrow_mut(|said| {
        said.push_str(line.trim_end());
        said.push('\n');
    });
}

/// Keeps the messages of this thread while it lives.
pub(super) struct Said {
    set: Option<(SetWriter, Option<Writer>)>,
}

impl Said {
    pub fn listen(hostfxr: &Path) -> Self {
        SAID.take();
        let library = Library::open(hostfxr).ok();
        let set = library.and_then(|library| {
            // SAFETY: hostfxr.h declares the function with this signature.
            let set: SetWriter = unsafe { library.function(c"hostfxr_set_error_writer") }.ok()?;
            // SAFETY: the function may be called at any time, and `write` lives as long as the
            // program.
            Some((set, unsafe { set(Some(write)) }))
        });
        Self { set }
    }

    /// The messages.
    pub fn finish(self) -> String {
        drop(self);
        SAID.take().trim().to_owned()
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if let Some((set, before)) = self.set {
            // SAFETY: hostfxr returned this function as the one that was set before.
            unsafe { set(before) };
        }
    }
}
