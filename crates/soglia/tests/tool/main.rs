//! The tool on a real runtime: fixtures are recorded. What soglia reports is compared with what is
//! documented, with what native code counted itself, and with the same program without soglia.
//!
//! There is one test program for all topics, so that the fixtures and the engine are built once and
//! tests run side by side. Every CLR is in a process of its own.

mod advice;
mod answers;
mod arguments;
mod attach;
mod attach_callbacks;
mod attach_counts;
mod attach_modules;
mod attach_routes;
mod attach_sessions;
mod attachable;
mod attached_reports;
mod attaching;
mod bad_input;
mod bad_recordings;
mod callers;
mod case;
mod causes;
mod check;
mod components;
mod crash;
mod deadline;
mod delegates;
mod diff;
mod endings;
mod export;
mod facts;
mod failures;
mod last_calls;
mod last_seen;
mod libraries;
mod lines;
mod modules;
mod newcomers;
mod outputs;
mod page;
mod passing;
mod picture;
mod pointers;
mod policy;
mod programs;
mod refused;
mod required;
mod room;
mod routes;
mod running;
mod sampled;
mod schema;
mod semantics;
mod slots;
mod sources;
mod stacks;
mod stuck;
mod support;
mod threads;
mod timeline;
mod trimmed;
mod turns;
mod unattachable;
mod verify;
mod widths;
mod window;
mod woven;
