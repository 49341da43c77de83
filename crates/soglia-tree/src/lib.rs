//! Reads the source tree, for the tests of this package: what must hold for the tree as a whole.
//!
//! | test | what it checks |
//! | --- | --- |
//! | `floors` | imports never run in a circle, and go down in the engine |
//! | `links` | links between documents, and their names in code, lead somewhere |
//! | `quotes` | documents show programs word for word as they are |
//! | `language` | the width of prose and comments, and phrases that stay out |
//! | `skips` | no test returns early, and none is ignored without a reason |
//! | `size` | no source file grows beyond what a reader can hold |

pub mod files;
pub mod imports;
