//! What the engine has found out so far.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`modules`] | the modules that are loaded |
//! | [`names`] | the numbers of texts, frames and stacks |
//! | [`targets`] | the targets that were called, and what is bound to each |

pub mod modules;
pub mod names;
pub mod targets;
