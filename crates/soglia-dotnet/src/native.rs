//! Where the runtime and the loader of glibc find a native library, without loading it.
//!
//! The runtime tries several names of a library in several folders, and has the loader open each.
//! The loader looks in folders of its own, and opens what the file depends on.
//!
//! | part | holds |
//! | --- | --- |
//! | `names` | the names that the runtime tries, and names that are for other systems |
//! | `file` | what is read of an ELF file |
//! | `loader` | where the loader looks |
//! | `probe` | where the runtime looks |

mod file;
mod loader;
mod names;
mod probe;

pub use file::{Broken, NativeFile};
pub use loader::{Loader, Missing};
pub use names::{other_system, variations};
pub use probe::{Attempt, Found, Place, Probe};
