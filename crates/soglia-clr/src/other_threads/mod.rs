//! What other threads are doing, and their stacks. Those threads do not notice, except that the
//! runtime is suspended for a moment.
//!
//! | module | what it gives |
//! | --- | --- |
//! | [`managed`] | managed frames, from the CLR's stack walker |
//! | [`native`] | native frames, from the loaded objects |
//! | [`proc`] | what the kernel says |

pub mod managed;
pub mod native;
pub mod proc;
