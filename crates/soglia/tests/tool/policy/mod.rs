//! Policies: what a denied call throws, what is called instead, what is only counted, and that
//! everything else stays as it was.

mod common;
mod denied;
mod given;
mod redirected;
mod reported;
