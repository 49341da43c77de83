//! The arguments of slow, failed and denied calls, and of open ones, as texts.
//!
//! The wrapper of a call still has the arguments when the call is over. Where the call turns out to
//! be worth it, the wrapper calls a method of its own, which hands them over one by one
//! (`weave/arguments`). So other calls cost nothing. For functions that the user names, it does so
//! before each call too. Then the recording keeps the arguments for as long as the call is open.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`plan`] | which parameters are handed over, by the number of the call |
//! | [`details`] | the names and types of the parameters, read when they are first needed |
//! | [`given`] | what a wrapper hands over, as text |
//! | [`handing`] | what this thread is being handed |
//! | [`delegated`] | what calls through delegates pass, which have no wrapper |
//! | [`request`] | what the thread is working on |

mod delegated;
mod details;
mod given;
mod handing;
mod plan;
pub mod request;

pub use delegated::{Delegate, Delegated, add as add_delegate, keeps, passed};
pub use given::{ERROR, FORM_AT, FORM_NUMBER, FORM_TEXT, RETURNED};
pub use handing::{begin, end, forget, give, wants_request};
pub use plan::{MOST_PARAMETERS, Plan, Subject, add};
