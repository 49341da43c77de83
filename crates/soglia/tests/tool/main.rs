//! The tool on a real runtime: fixtures are recorded. What soglia reports is compared with what is
//! documented, with what native code counted itself, and with the same program without soglia.
//!
//! There is one test program for all topics, so that the fixtures and the engine are built once and
//! tests run side by side. Every CLR is in a process of its own.

mod bad_input;
mod bad_recordings;
mod callers;
mod case;
mod causes;
mod check;
mod components;
mod deadline;
mod delegates;
mod endings;
mod last_seen;
mod lines;
mod modules;
mod newcomers;
mod outputs;
mod passing;
mod picture;
mod pointers;
mod policy;
mod programs;
mod refused;
mod required;
mod room;
mod routes;
mod schema;
mod semantics;
mod slots;
mod sources;
mod support;
mod threads;
mod trimmed;
mod turns;
mod verify;
mod woven;
