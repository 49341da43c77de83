//! What managed code reads: messages of exceptions, paths.

use std::env;

use soglia_abi::{HRESULT, hresult::*};

use crate::{
    acting::One,
    api::{self, Library, call_in, start},
    script::Told,
};

/// What the program reads of a refusal.
pub fn refusals_say_what(library: &Library, version: &str) {
    let (acting, one) = One::acting(library, version);
    let says = |kind: &str, target: &str, answer: HRESULT, text: &str| {
        let path = api::assembly();
        let path = path.to_str().unwrap().replace("hosted", "turns");
        let code = answer.0.cast_unsigned();
        let words = format!("{kind} {code:08X} the host denied {target}: {text}");
        let class = "Soglia.Turns.Entry";
        let answer = call_in(&acting.host, &path, class, "Says", &words);
        assert_eq!(answer, Ok(1), "{words}");
    };
    let texts = [
        (
            HOST_E_TIMEOUT,
            "it took longer than the host waits (HOST_E_TIMEOUT, 0x80131024)",
        ),
        (
            HOST_E_NOT_OWNER,
            "the task does not own what it gives back (HOST_E_NOT_OWNER, 0x80131025)",
        ),
        (
            HOST_E_ABANDONED,
            "the last owner of what the task got has died (HOST_E_ABANDONED, 0x80131026)",
        ),
        (
            E_UNEXPECTED,
            "that was not expected now (E_UNEXPECTED, 0x8000FFFF)",
        ),
        (HRESULT(0x8A5C_0001_u32.cast_signed()), "0x8A5C0001"),
    ];
    for (answer, text) in texts {
        for told in [Told::Leave(0), Told::Enter] {
            one.say(told, answer);
            says("plain", "acting!plain", answer, text);
            says("pointer", "libacting.so!plain", answer, text);
            says("callback", "acting!call_back", answer, text);
        }
        one.say(Told::ReverseEnter, answer);
        says("callback", "acting!call_back", answer, text);
    }
    // What .NET has a type for has .NET's text.
    one.say(Told::Leave(0), E_OUTOFMEMORY);
    assert_eq!(
        acting.attempt("plain"),
        Err("OutOfMemoryException 8007000E".into())
    );
}

/// However a host writes the path of an assembly, managed code sees one without `..`.
pub fn paths_have_no_dots(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let path = api::assembly();
    let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap());
    let above = folder.join("..").join(folder.file_name().unwrap());
    let dotted = above.join(".").join(name);
    let dotted = dotted.to_str().unwrap().replace("hosted", "turns");
    let clean = dotted.replace("/turns/../turns/.", "/turns");
    // The case's own path has some.
    let clean = std::fs::canonicalize(clean).unwrap();
    let class = "Soglia.Turns.Entry";
    let is_at = |path: &str| call_in(&host, path, class, "IsAt", clean.to_str().unwrap());
    assert_eq!(is_at(&dotted), Ok(1));
    env::set_current_dir(clean.parent().unwrap()).unwrap();
    assert_eq!(is_at("../turns/turns.dll"), Ok(1));
    assert_eq!(is_at("turns.dll"), Ok(1));
    let base = env::current_exe().unwrap();
    let base = format!("{}/", base.parent().unwrap().display());
    let is_base = call_in(&host, clean.to_str().unwrap(), class, "IsBase", &base);
    assert_eq!(is_base, Ok(1));
}
