//! ReadyToRun images: what precompiled code assumes about P/Invokes and inlined methods.
//!
//! Precompiled code calls some P/Invokes without the method that the engine wraps: it fetches the
//! address of the native function by a *fixup* that names the P/Invoke.
//! Once the P/Invoke has a body in IL, that fixup makes the runtime crash.
//! So the runtime must compile a method with such a fixup again, and need not compile others.
//!
//! ```text
//! PE header -> CLI header -> ReadyToRun header -> sections
//!     method entry points   sparse array, by row of MethodDef
//!                           -> an entry: which code, and a list of cells, in nibbles
//!     instance entry points hash table -> the signature of an instance, and the same
//!     import sections       cells -> each has a signature: its kind, and for a P/Invoke the token
//!     inlining              hash table -> a method, and those that have inlined it
//! ```
//!
//! The format is described in dotnet/runtime, `docs/design/coreclr/botr/readytorun-format.md`.
//! Only what lies in the image's sections is read: nothing need be mapped between them.

mod header;
mod image;
mod inlining;
mod instances;
mod mapped;
mod native;
mod precompiled;

pub use image::{Image, Inlined};
pub use instances::Generic;
pub use mapped::image_size;
pub use precompiled::Precompiled;
