//! Tables of the engine: what it has found out so far.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`modules`] | modules that are loaded |
//! | [`names`] | the numbers of texts, frames and stacks |
//! | [`targets`] | who was called, and what is bound to each target |

pub mod modules;
pub mod names;
pub mod targets;
