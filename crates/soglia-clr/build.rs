//! Links the engine so that it is never unloaded: code that the runtime has compiled, thread-local
//! destructors and handlers of forks hold addresses in it for as long as the process lives.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
