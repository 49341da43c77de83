//! What hostfxr has to say when it does not start a runtime: it writes to standard error, or to whoever asks for it.

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
    // SAFETY: a C string of hostfxr's, for as long as this runs.
    let line = unsafe { CStr::from_ptr(line) }.to_string_lossy();
    SAID.with_borrow_mut(|said| {
        said.push_str(line.trim_end());
        said.push('\n');
    });
}

/// Has what is said on this thread kept, for as long as this lives.
pub(super) struct Said {
    set: Option<(SetWriter, Option<Writer>)>,
}

impl Said {
    pub fn listen(hostfxr: &Path) -> Self {
        SAID.take();
        let library = Library::open(hostfxr).ok();
        let set = library.and_then(|library| {
            // SAFETY: hostfxr.h declares it with this signature.
            let set: SetWriter = unsafe { library.function(c"hostfxr_set_error_writer") }.ok()?;
            // SAFETY: a function that may be called at any time on this thread.
            Some((set, unsafe { set(Some(write)) }))
        });
        Self { set }
    }

    /// What was said.
    pub fn finish(self) -> String {
        drop(self);
        SAID.take().trim().to_owned()
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if let Some((set, before)) = self.set {
            // SAFETY: as above; the one before is hostfxr's or its caller's.
            unsafe { set(before) };
        }
    }
}
