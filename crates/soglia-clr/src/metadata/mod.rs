//! Reading the CLR's metadata.
//!
//! | module | what it reads |
//! | --- | --- |
//! | [`scope`] | names of methods and types, and which methods cross |
//! | [`mod@body`] | the code of methods |
//! | [`before`] | copies of a method, of its import and of its attributes |
//! | [`constants`](mod@constants) | the names of the values of enumerations |
//! | [`find`] | types and methods by their names |
//! | [`references`] | what the references in a module's code mean |
//! | [`signature`] | the types of P/Invokes |

pub mod before;
mod body;
mod constants;
pub mod find;
pub mod references;
mod scope;
mod signature;

pub use body::body;
pub use constants::constants;
pub use scope::{CALLBACK, ImportNames, Method, Scope, class_name, string};
