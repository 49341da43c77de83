//! Reading the CLR's metadata.
//!
//! | module | what it reads |
//! | --- | --- |
//! | [`scope`] | names of methods and types, and which methods cross |
//! | [`before`] | copies of a method, of its import and of its attributes |
//! | [`find`] | types and methods by their names |

pub mod before;
pub mod find;
mod scope;

pub use scope::{CALLBACK, Method, Scope, string};
