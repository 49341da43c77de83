//! Code that runs in domains: on threads, by pointers, and as programs.

use std::{
    ffi::c_void,
    path::Path,
    ptr::null_mut,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst},
};

use soglia_abi::{
    hosting::runtime_host::ICLRRuntimeHost,
    hresult::*,
    param::{Array, In, Out, Wide, WideString},
};
use windows_core::Interface;

use crate::{
    api::{self, Library, assembly, start, wide},
    cases::{Case, case},
    domains::{CLASS, Domains},
    script::{Told, script, set_control},
};

pub const CASES: &[Case] = &[
    case("threads_know_their_domain", threads_know_their_domain),
    case("pointers_lead_into_domains", pointers_lead_into_domains),
    case("programs_run_in_domains", programs_run_in_domains),
    case(
        "crossings_in_domains_are_told",
        crossings_in_domains_are_told,
    ),
];

/// What native code sees that a domain calls.
static SEEN: AtomicU32 = AtomicU32::new(0);

extern "C" fn ask() -> i32 {
    let mut host = null_mut();
    let mut id = 0;
    // SAFETY: the library is loaded, and the runtime runs.
    unsafe {
        let address = std::ptr::with_exposed_provenance_mut(GET_HOST.load(SeqCst) as usize);
        let get: api::GetHost = std::mem::transmute::<*mut c_void, api::GetHost>(address);
        assert_eq!(
            get(In::new(&ICLRRuntimeHost::IID), Out::new(&mut host)),
            S_OK
        );
        let host = ICLRRuntimeHost::from_raw(host);
        assert_eq!(host.GetCurrentAppDomainId(Out::new(&mut id)), S_OK);
    }
    SEEN.fetch_add(1, SeqCst);
    id as i32
}

static GET_HOST: AtomicU64 = AtomicU64::new(0);

/// The address of a function that says which domain it is called from, as a text.
fn asked(library: &Library) -> String {
    // SAFETY: the export is a function, whose address is a number here.
    GET_HOST.store(
        unsafe { library.function::<usize>("GetCLRRuntimeHost") } as u64,
        SeqCst,
    );
    (ask as *const () as usize).to_string()
}

pub fn threads_know_their_domain(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let address = asked(library);
    let [second, third] = ["a", "b"].map(|name| domains.make(name, &[]).unwrap());
    for domain in [1, second, third] {
        for method in ["Ask", "AskOnThread", "AskOnPool"] {
            let answer = domains.run(domain, method, &address);
            assert_eq!(answer, Ok(domain as i32), "{method}");
        }
    }
    assert_eq!(SEEN.load(SeqCst), 9);
    assert_eq!(domains.current(), 1);
    assert_eq!(
        domains.run(7, "Ask", &address),
        Err(HOST_E_INVALIDOPERATION)
    );
    assert_eq!(domains.current(), 1);
    let path = Path::new("/nowhere.dll").to_str().unwrap();
    assert!(
        domains
            .run_in(second, path, CLASS, "Ask", &address)
            .is_err()
    );
    assert_eq!(domains.current(), 1);
}

#[repr(C)]
#[derive(Debug, PartialEq)]
struct Large([i64; 3]);

type Many = extern "C" fn(i32, i32, i32, i32, i32, i32, f64, i32, i32, i32, i32) -> i64;

pub fn pointers_lead_into_domains(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let address: isize = asked(library).parse().unwrap();
    let [second, third] = ["a", "b"].map(|name| domains.make(name, &[]).unwrap());
    let pointer = |domain, method| domains.pointer(domain, method).unwrap();
    // SAFETY: the methods have these signatures.
    unsafe {
        type Count = extern "C" fn() -> i32;
        let count =
            |domain| std::mem::transmute::<isize, Count>(pointer(domain, "CountFromNative"));
        let counts = [1, second, third].map(count);
        assert_eq!(counts.map(|count| count()), [1, 1, 1]);
        assert_eq!([counts[1](), counts[1](), counts[2]()], [2, 3, 2]);
        assert_eq!(domains.run(second, "Count", ""), Ok(4));
        // The same method has the same pointer.
        assert_eq!(count(second) as usize, counts[1] as usize);
        assert_ne!(count(third) as usize, counts[1] as usize);

        for domain in [1, second, third] {
            let ask: extern "C" fn(isize) -> i32 =
                std::mem::transmute(pointer(domain, "AskFromNative"));
            assert_eq!(ask(address), domain as i32);
            // On a thread that the runtime does not know yet, too.
            let there = std::thread::spawn(move || ask(address)).join().unwrap();
            assert_eq!(there, domain as i32);
            let many: Many = std::mem::transmute(pointer(domain, "Many"));
            assert_eq!(many(1, 2, 3, 4, 5, 6, 7.5, 8, 9, 10, 11), 91 + 7 + 366);
            let turn: extern "C" fn(Large, i32) -> Large =
                std::mem::transmute(pointer(domain, "Turn"));
            assert_eq!(turn(Large([1, 2, 3]), 10), Large([12, 13, 11]));
        }
    }
}

pub fn programs_run_in_domains(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let domain = domains.make("programs", &[]).unwrap();
    let run = |domain, file: &str, arguments: &[&str]| {
        let texts: Vec<_> = arguments.iter().map(|text| wide(text)).collect();
        let argv: Vec<_> = texts.iter().map(WideString::lent).collect();
        let mut code = 0xdead;
        // SAFETY: the object is alive, and there are so many arguments.
        let answer = unsafe {
            domains.host.ExecuteAssembly(
                domain,
                wide(file).lent(),
                argv.len() as i32,
                Array::new(&argv),
                Out::new(&mut code),
            )
        };
        if answer == S_OK {
            Ok(code)
        } else {
            Err(answer)
        }
    };
    let path = assembly();
    let file = path.to_str().unwrap();
    let library_file = path.with_file_name("hosted.library.dll");
    assert_eq!(run(domain, file, &["a", "b", "c"]), Ok(103));
    assert_eq!(run(domain, file, &[]), Ok(100));
    let without_main = run(domain, library_file.to_str().unwrap(), &[]);
    assert_eq!(without_main, Err(COR_E_MISSINGMETHOD));
    assert_eq!(run(domain, "/nowhere.dll", &[]), Err(COR_E_FILENOTFOUND));
    assert_eq!(run(7, file, &[]), Err(HOST_E_INVALIDOPERATION));
    let (file, null) = (wide(file), [Wide::null()]);
    // SAFETY: the object is alive, and checks its parameters.
    unsafe {
        let run = |count, argv| {
            let mut code = 0;
            let code = Out::new(&mut code);
            domains
                .host
                .ExecuteAssembly(domain, file.lent(), count, argv, code)
        };
        assert_eq!(run(-1, Array::null()), E_INVALIDARG);
        assert_eq!(run(1, Array::null()), E_POINTER);
        assert_eq!(run(1, Array::new(&null)), E_POINTER);
    }
    // What the last program has returned is the exit code of the domain.
    let mut code = 0;
    // SAFETY: the object is alive, and safe code has made the parameters.
    let answer = unsafe {
        domains
            .host
            .UnloadAppDomain2(domain, true.into(), Out::new(&mut code))
    };
    assert_eq!((answer, code), (S_OK, 100));
}

/// With the engine in the runtime.
pub fn crossings_in_domains_are_told(library: &Library, version: &str) {
    static LEFT_FROM: AtomicU32 = AtomicU32::new(0);
    asked(library);
    let host = library.host(version);
    let script = script(|_, told| {
        if matches!(told, Told::Leave(_)) {
            LEFT_FROM.store(ask() as u32, SeqCst);
        }
        S_OK
    });
    set_control(&host, &script);
    start(&host);
    let domains = Domains::of(library, host);
    let domain = domains.make("told", &[]).unwrap();
    let path = assembly();
    let call = |times| {
        let (file, class) = (path.to_str().unwrap(), "Soglia.Hosted.Entry");
        domains.run_in(domain, file, class, "Call", times)
    };
    script.lines();
    assert_eq!(call("3"), Ok(3));
    let [leave, enter, ..] = script.counted();
    assert_eq!((leave, enter), (3, 3));
    assert_eq!(LEFT_FROM.load(SeqCst), domain);
    // SAFETY: the object is alive, and its method takes no pointers.
    let answer = unsafe { domains.host.UnloadAppDomain(domain, true.into()) };
    assert_eq!(answer, S_OK);
}
