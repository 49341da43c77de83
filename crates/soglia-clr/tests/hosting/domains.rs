//! Domains that a host makes, and code in them.

use std::{ffi::c_void, ptr::null_mut};

use soglia_abi::{
    HRESULT,
    hosting::runtime_host::ICLRRuntimeHost4,
    hresult::*,
    param::{Array, Out, Wide, WideString},
};

use crate::{
    api::{Library, assembly, call, call_in, start, wide},
    cases::{Case, case},
    script::wait_for,
};

pub const CASES: &[Case] = &[
    case("each_domain_has_its_own", each_domain_has_its_own),
    case("a_domain_finds_assemblies", a_domain_finds_assemblies),
    case("calls_in_a_domain_fail", calls_in_a_domain_fail),
    case("odd_wishes_for_a_domain", odd_wishes_for_a_domain),
    case("a_domain_has_a_manager", a_domain_has_a_manager),
];

pub const CLASS: &str = "Soglia.Hosted.Domains";

type Execute =
    unsafe extern "system" fn(u32, Wide<'_>, Wide<'_>, Wide<'_>, Wide<'_>, Out<'_, u32>) -> HRESULT;

/// A host that makes domains, started.
pub struct Domains {
    pub host: ICLRRuntimeHost4,
    execute: Execute,
}

impl Domains {
    pub fn start(library: &Library, version: &str) -> Self {
        let host = library.host(version);
        start(&host);
        Self::of(library, host)
    }

    pub fn of(library: &Library, host: ICLRRuntimeHost4) -> Self {
        // SAFETY: soglia.h declares the function with this type.
        let execute = unsafe { library.function("SogliaExecuteInAppDomain") };
        Self { host, execute }
    }

    /// Makes a domain with these properties.
    pub fn make(&self, name: &str, properties: &[(&str, &str)]) -> Result<u32, HRESULT> {
        self.managed(name, properties, None)
    }

    /// The same, with the assembly and the type of a manager.
    pub fn managed(
        &self,
        name: &str,
        properties: &[(&str, &str)],
        manager: Option<(&str, &str)>,
    ) -> Result<u32, HRESULT> {
        let texts: Vec<_> = properties
            .iter()
            .map(|(name, value)| (wide(name), wide(value)))
            .collect();
        let names: Vec<_> = texts.iter().map(|(name, _)| name.lent()).collect();
        let values: Vec<_> = texts.iter().map(|(_, value)| value.lent()).collect();
        let manager = manager.map(|(assembly, class)| (wide(assembly), wide(class)));
        let lent = |text: Option<&WideString>| text.map_or(0, |text| text.lent().as_ptr() as usize);
        let [assembly, class] = [
            lent(manager.as_ref().map(|(assembly, _)| assembly)),
            lent(manager.as_ref().map(|(_, class)| class)),
        ]
        // SAFETY: null, or a text that lives until the end of this method.
        .map(|text| unsafe { Wide::from_raw(text as *const u16) });
        let mut id = 0;
        // SAFETY: the object is alive, and there are as many names as values.
        let answer = unsafe {
            self.host.CreateAppDomainWithManager(
                wide(name).lent(),
                0,
                assembly,
                class,
                names.len() as i32,
                Array::new(&names),
                Array::new(&values),
                Out::new(&mut id),
            )
        };
        assert_eq!(id == 0, answer != S_OK);
        if answer == S_OK { Ok(id) } else { Err(answer) }
    }

    /// Calls a method of an assembly in a domain.
    pub fn run_in(
        &self,
        domain: u32,
        assembly: &str,
        class: &str,
        method: &str,
        argument: &str,
    ) -> Result<i32, HRESULT> {
        let [assembly, class, method, argument] = [assembly, class, method, argument].map(wide);
        let mut result = 0xdead;
        // SAFETY: soglia.h declares the function with this type; texts end with a zero.
        let answer = unsafe {
            (self.execute)(
                domain,
                assembly.lent(),
                class.lent(),
                method.lent(),
                argument.lent(),
                Out::new(&mut result),
            )
        };
        assert_eq!(result == 0xdead, answer != S_OK);
        if answer == S_OK {
            Ok(result as i32)
        } else {
            Err(answer)
        }
    }

    /// Calls `static int method(string)` of the fixture in a domain.
    pub fn run(&self, domain: u32, method: &str, argument: &str) -> Result<i32, HRESULT> {
        let path = assembly();
        self.run_in(domain, path.to_str().unwrap(), CLASS, method, argument)
    }

    /// The pointer to a method of the fixture in a domain.
    pub fn pointer(&self, domain: u32, method: &str) -> Result<isize, HRESULT> {
        let path = wide(assembly().to_str().unwrap());
        let (class, method) = (wide(CLASS), wide(method));
        let mut address = 0;
        // SAFETY: the object is alive, and safe code has made the parameters.
        let answer = unsafe {
            self.host.CreateDelegate(
                domain,
                path.lent(),
                class.lent(),
                method.lent(),
                Out::new(&mut address),
            )
        };
        assert_eq!(address == 0, answer != S_OK);
        if answer == S_OK {
            Ok(address)
        } else {
            Err(answer)
        }
    }

    pub fn current(&self) -> u32 {
        let mut id = 0;
        // SAFETY: the object is alive, and safe code has made the parameters.
        unsafe { assert_eq!(self.host.GetCurrentAppDomainId(Out::new(&mut id)), S_OK) };
        id
    }

    /// Runs `body` in a domain, by `ExecuteInAppDomain`.
    pub fn inside(&self, domain: u32, mut body: impl FnMut()) -> HRESULT {
        unsafe extern "system" fn run(cookie: *mut c_void) -> HRESULT {
            // SAFETY: `inside` passes this, and waits.
            let body = unsafe { &mut *cookie.cast::<&mut dyn FnMut()>() };
            body();
            S_FALSE
        }
        let mut body: &mut dyn FnMut() = &mut body;
        // SAFETY: the object is alive, and the callback gets what it expects.
        unsafe {
            self.host
                .ExecuteInAppDomain(domain, Some(run), (&raw mut body).cast())
        }
    }
}

pub fn each_domain_has_its_own(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    assert_eq!(domains.make("first", &[]), Ok(2));
    assert_eq!(domains.make("the second", &[]), Ok(3));
    let count = |domain| domains.run(domain, "Count", "").unwrap();
    assert_eq!([count(1), count(1), count(1)], [1, 2, 3]);
    assert_eq!([count(2), count(2)], [1, 2]);
    assert_eq!([count(3), count(2), count(1)], [1, 3, 4]);
    for domain in [2, 3] {
        assert_eq!(domains.run(domain, "HasOwnLibrary", ""), Ok(1));
        assert_eq!(domains.run(domain, "IsContextual", ""), Ok(1));
    }
    assert_eq!(domains.run(1, "IsReflectionFree", ""), Ok(1));
    assert_eq!(domains.run(2, "NameLength", ""), Ok(5));
    assert_eq!(domains.run(3, "NameLength", ""), Ok(10));
    // Inside a domain, the default one is still the first.
    let path = assembly();
    let in_default = |method| call_in(&domains.host, path.to_str().unwrap(), CLASS, method, "");
    let answer = domains.inside(3, || {
        assert_eq!(domains.current(), 3);
        assert_eq!(in_default("Count"), Ok(5));
        assert_eq!(in_default("IsReflectionFree"), Ok(1));
        assert_eq!(
            domains.inside(1, || assert_eq!(domains.current(), 1)),
            S_FALSE
        );
        assert_eq!(
            domains.inside(2, || assert_eq!(domains.current(), 2)),
            S_FALSE
        );
        assert_eq!(domains.current(), 3);
    });
    assert_eq!((answer, domains.current()), (S_FALSE, 1));
}

/// By properties, by identities, and beside each other.
pub fn a_domain_finds_assemblies(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let path = assembly();
    let folder = path.parent().unwrap().to_str().unwrap();
    let library_file = path.with_file_name("hosted.library.dll");
    let list = format!("{}:{}", path.display(), library_file.display());
    let nowhere = "/nowhere:/nowhere/else";
    let identity = "hosted, Version=0.0.0.0";
    for (name, value) in [
        ("TRUSTED_PLATFORM_ASSEMBLIES", &*list),
        ("APP_PATHS", &*format!("{nowhere}:{folder}")),
        ("APPBASE", folder),
    ] {
        let domain = domains.make(name, &[("OTHER", "property"), (name, value)]);
        let run = |assembly, method| domains.run_in(domain.unwrap(), assembly, CLASS, method, "");
        assert_eq!(run("hosted", "Count"), Ok(1), "{name}");
        assert_eq!(run(identity, "Count"), Ok(2), "{name}");
        assert_eq!(run("hosted", "HasOwnLibrary"), Ok(1), "{name}");
    }
    // What the first domain has is no other one's.
    assert_eq!(domains.run(1, "Count", ""), Ok(1));
    let empty = domains.make("empty", &[("APP_PATHS", nowhere)]).unwrap();
    let missing = domains.run_in(empty, "hosted", CLASS, "Count", "");
    assert_eq!(missing, Err(COR_E_FILENOTFOUND));
    // It has the framework, and what was loaded there from a file.
    assert_eq!(domains.run(empty, "Load", "System.Text.Json"), Ok(16));
    assert_eq!(domains.run(empty, "Load", "hosted.library"), Ok(14));
    assert_eq!(
        domains.run(empty, "Load", "absent"),
        Err(COR_E_FILENOTFOUND)
    );
    let found = domains.run_in(empty, "hosted", CLASS, "Count", "");
    assert_eq!(found, Ok(1), "it is there now");
    // The code that looks for a type decides whether a missing assembly is an error.
    for name in [
        "Some.Type, absent",
        "Soglia.Hosting.Managed, soglia.hosting",
    ] {
        let entry = "Soglia.Hosted.Entry";
        let found = domains.run_in(empty, path.to_str().unwrap(), entry, "Optional", name);
        assert_eq!(found, Ok(0), "{name}");
    }
}

pub fn calls_in_a_domain_fail(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let domain = domains.make("failing", &[]).unwrap();
    let path = assembly();
    let file = path.to_str().unwrap();
    let run = |assembly, class, method| domains.run_in(domain, assembly, class, method, "why");
    let entry = "Soglia.Hosted.Entry";
    assert_eq!(run(file, entry, "Length"), Ok(3));
    assert_eq!(
        run("/nowhere.dll", entry, "Length"),
        Err(COR_E_FILENOTFOUND)
    );
    assert_eq!(
        run("/proc/version", entry, "Length"),
        Err(COR_E_BADIMAGEFORMAT)
    );
    assert_eq!(run(file, "Absent", "Length"), Err(COR_E_TYPELOAD));
    for method in ["Absent", "WrongResult", "WrongArgument", "Instance"] {
        assert_eq!(
            run(file, entry, method),
            Err(COR_E_MISSINGMETHOD),
            "{method}"
        );
    }
    assert_eq!(run(file, entry, "Throw"), Err(COR_E_INVALIDOPERATION));
    // An E_FAIL of the program's takes nothing out of use.
    assert_eq!(run(file, entry, "ThrowFailure"), Err(E_FAIL));
    assert_eq!(run(file, entry, "Length"), Ok(3));
    for unknown in [0, 7, u32::MAX] {
        let answer = domains.run(unknown, "Count", "");
        assert_eq!(answer, Err(HOST_E_INVALIDOPERATION), "{unknown}");
        assert_eq!(
            domains.pointer(unknown, "CountFromNative"),
            Err(HOST_E_INVALIDOPERATION)
        );
        assert_eq!(
            domains.inside(unknown, || panic!()),
            HOST_E_INVALIDOPERATION
        );
    }
    let text = wide("text");
    let (text, mut result, mut address) = (text.lent(), 0, 0);
    // SAFETY: the function and the object are alive, and check parameters for null.
    unsafe {
        for [assembly, class, method] in [
            [Wide::null(), text, text],
            [text, Wide::null(), text],
            [text, text, Wide::null()],
        ] {
            let execute = domains.execute;
            let result = Out::new(&mut result);
            let answer = execute(domain, assembly, class, method, text, result);
            assert_eq!(answer, E_POINTER);
            let address = Out::new(&mut address);
            let answer = domains
                .host
                .CreateDelegate(domain, assembly, class, method, address);
            assert_eq!(answer, E_POINTER);
        }
        let file = wide(file);
        let (class, method) = (wide(CLASS), wide("CountFromNative"));
        let (file, class, method) = (file.lent(), class.lent(), method.lent());
        let answer = domains
            .host
            .CreateDelegate(domain, file, class, method, Out::null());
        assert_eq!(answer, E_POINTER);
        let answer = domains.host.ExecuteInAppDomain(domain, None, null_mut());
        assert_eq!(answer, E_POINTER);
    }
    for (method, answer) in [
        ("Absent", COR_E_MISSINGMETHOD),
        ("NotForNative", COR_E_INVALIDOPERATION),
    ] {
        assert_eq!(domains.pointer(domain, method), Err(answer));
    }
}

pub fn odd_wishes_for_a_domain(library: &Library, version: &str) {
    let host = library.host(version);
    let name = wide("name");
    let (text, null) = (name.lent(), Wide::null());
    let two = [text, text];
    let half = [text, null];
    let (texts, halves, no_texts) = (Array::new(&two), Array::new(&half), Array::null());
    let mut id = 77;
    let mut create = |name, [assembly, class]: [Wide<'_>; 2], count, names, values, wants| {
        let id = match wants {
            true => Out::new(&mut id),
            false => Out::null(),
        };
        // SAFETY: the object is alive, and there are no fewer texts than `count` says.
        unsafe {
            host.CreateAppDomainWithManager(name, 0, assembly, class, count, names, values, id)
        }
    };
    let mut answer =
        |name, manager, count, names, values| create(name, manager, count, names, values, true);
    let none = [null, null];
    let unavailable = answer(text, none, 0, no_texts, no_texts);
    assert_eq!(unavailable, HOST_E_CLRNOTAVAILABLE);
    start(&host);
    assert_eq!(answer(null, none, 0, no_texts, no_texts), E_POINTER);
    assert_eq!(answer(text, none, 2, texts, no_texts), E_POINTER);
    assert_eq!(answer(text, none, 2, no_texts, texts), E_POINTER);
    assert_eq!(answer(text, none, 2, halves, texts), E_INVALIDARG);
    assert_eq!(answer(text, none, 2, texts, halves), E_INVALIDARG);
    assert_eq!(answer(text, none, -1, texts, texts), E_INVALIDARG);
    assert_eq!(
        answer(text, [text, null], 0, no_texts, no_texts),
        E_INVALIDARG
    );
    assert_eq!(
        answer(text, [null, text], 0, no_texts, no_texts),
        E_INVALIDARG
    );
    let without_place = create(text, none, 0, no_texts, no_texts, false);
    assert_eq!(without_place, E_POINTER);
    // None of that has used up a number.
    let answer = create(text, none, 2, texts, texts, true);
    assert_eq!((answer, id), (S_OK, 2));
}

pub fn a_domain_has_a_manager(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let path = assembly();
    let file = path.to_str().unwrap();
    let folder = path.parent().unwrap().to_str().unwrap();
    let make = |assembly: &str, class: &str| {
        let properties = [("APPBASE", folder)];
        domains.managed("managed", &properties, Some((assembly, class)))
    };
    assert_eq!(make(file, "Soglia.Hosted.Manager"), Ok(2));
    assert_eq!(call(&domains.host, "Property", "manager"), Ok(7));
    assert_eq!(make("hosted", "Soglia.Hosted.Manager"), Ok(3));
    for (class, why) in [
        ("FailingManager", COR_E_NOTSUPPORTED),
        ("DemandingManager", COR_E_MISSINGMETHOD),
        ("Absent", COR_E_TYPELOAD),
    ] {
        let answer = make(file, &format!("Soglia.Hosted.{class}"));
        assert_eq!(answer, Err(why), "{class}");
    }
    assert_eq!(make("absent", "Any"), Err(COR_E_FILENOTFOUND));
    // The numbers of those are gone.
    assert_eq!(make(file, "Soglia.Hosted.Manager"), Ok(8));
    wait_for(|| domains.run(4, "Count", "") == Err(COR_E_APPDOMAINUNLOADED));
    assert_eq!(domains.run(3, "Count", ""), Ok(1));
}
