//! Assemblies that the host provides.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    fs,
    ptr::null_mut,
    sync::{Arc, Mutex},
};

use soglia_abi::{
    HRESULT,
    hosting::{
        assembly::{
            AssemblyBindInfo, ICLRAssemblyReferenceList, ICLRAssemblyReferenceList_Impl,
            IHostAssemblyManager, IHostAssemblyManager_Impl, IHostAssemblyStore,
            IHostAssemblyStore_Impl, ModuleBindInfo,
        },
        com::{ISequentialStream, ISequentialStream_Impl},
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::{
        COR_E_BADIMAGEFORMAT, COR_E_FILENOTFOUND, E_ACCESSDENIED, E_NOINTERFACE, E_NOTIMPL,
        HOST_E_CLRNOTAVAILABLE, HOST_E_INVALIDOPERATION, S_FALSE, S_OK,
    },
    param::{In, Lent, Out, Wide},
};
use windows_core::{ComObject, IUnknown, Interface, implement};

use crate::{
    api::{Library, assembly, call, call_in, start},
    cases::{Case, case},
    domains::Domains,
    host::offers,
};

pub const CASES: &[Case] = &[
    case("a_host_provides_assemblies", a_host_provides_assemblies),
    case(
        "one_assembly_has_several_identities",
        one_assembly_has_several_identities,
    ),
    case(
        "a_host_does_not_provide_what_it_refuses",
        a_host_does_not_provide_what_it_refuses,
    ),
    case(
        "what_the_list_names_is_not_asked_for",
        what_the_list_names_is_not_asked_for,
    ),
    case("a_list_keeps_files_out", a_list_keeps_files_out),
    case(
        "a_list_that_fails_is_the_answer_to_the_control",
        a_list_that_fails_is_the_answer_to_the_control,
    ),
    case("odd_answers_of_a_store", odd_answers_of_a_store),
    case(
        "each_domain_gets_its_own_assemblies",
        each_domain_gets_its_own_assemblies,
    ),
    case(
        "what_is_missing_may_be_missing",
        what_is_missing_may_be_missing,
    ),
    case(
        "what_is_missing_may_be_missing_with_a_list",
        what_is_missing_may_be_missing_with_a_list,
    ),
];

const CLASS: &str = "Soglia.Hosted.Entry";

/// What a store answers.
#[derive(Clone)]
enum Answer {
    /// These bytes, and a number.
    Image(Vec<u8>, u64),
    Failure(HRESULT),
}

#[derive(Default)]
struct Told {
    /// The simple names that were asked for.
    asked: Vec<String>,
    /// Identities as they were asked for.
    identities: Vec<String>,
    /// The domains that asked.
    domains: Vec<u32>,
    /// The simple names that the list was asked about.
    looked_up: Vec<String>,
    /// Streams that are alive.
    streams: usize,
}

type Shared = Arc<Mutex<Told>>;

#[implement(IHostAssemblyManager)]
struct Manager {
    told: Shared,
    has: BTreeMap<&'static str, Answer>,
    /// What .NET looks for itself, or the answer when it is asked for.
    own: Result<Option<Vec<&'static str>>, HRESULT>,
}

impl IHostAssemblyManager_Impl for Manager_Impl {
    unsafe fn GetNonHostStoreAssemblies(&self, mut list: Out<'_, *mut c_void>) -> HRESULT {
        match &self.own {
            Ok(None) => list.write(null_mut()),
            Ok(Some(names)) => {
                let (told, names) = (self.told.clone(), names.clone());
                let object: ICLRAssemblyReferenceList =
                    ComObject::new(Own { told, names }).into_interface();
                list.write(object.into_raw())
            }
            Err(why) => *why,
        }
    }

    unsafe fn GetAssemblyStore(&self, mut store: Out<'_, *mut c_void>) -> HRESULT {
        let (told, has) = (self.told.clone(), self.has.clone());
        let object: IHostAssemblyStore = ComObject::new(Store { told, has }).into_interface();
        store.write(object.into_raw())
    }
}

#[implement(ICLRAssemblyReferenceList)]
struct Own {
    told: Shared,
    names: Vec<&'static str>,
}

fn simple(identity: Wide<'_>) -> String {
    let text = identity.to_text().unwrap();
    text.split(',').next().unwrap().to_owned()
}

impl ICLRAssemblyReferenceList_Impl for Own_Impl {
    unsafe fn IsStringAssemblyReferenceInList(&self, name: Wide<'_>) -> HRESULT {
        let name = simple(name);
        let is_own = self.names.contains(&&*name);
        self.told.lock().unwrap().looked_up.push(name);
        if is_own { S_OK } else { S_FALSE }
    }

    unsafe fn IsAssemblyReferenceInList(&self, _: Lent<'_, IUnknown>) -> HRESULT {
        E_NOTIMPL
    }
}

#[implement(IHostAssemblyStore)]
struct Store {
    told: Shared,
    has: BTreeMap<&'static str, Answer>,
}

impl IHostAssemblyStore_Impl for Store_Impl {
    unsafe fn ProvideAssembly(
        &self,
        wanted: In<'_, AssemblyBindInfo>,
        mut id: Out<'_, u64>,
        mut context: Out<'_, u64>,
        mut image: Out<'_, *mut c_void>,
        mut symbols: Out<'_, *mut c_void>,
    ) -> HRESULT {
        let wanted = wanted.get().unwrap();
        // SAFETY: the structure has zero-terminated texts that are alive during the call.
        let [referenced, post_policy] = [wanted.lpReferencedIdentity, wanted.lpPostPolicyIdentity]
            .map(|text| unsafe { std::mem::transmute::<*const u16, Wide<'_>>(text) });
        assert_eq!(referenced.to_text(), post_policy.to_text());
        assert_eq!(wanted.ePolicyLevel, 0);
        let name = simple(referenced);
        {
            let mut told = self.told.lock().unwrap();
            told.asked.push(name.clone());
            told.identities.push(referenced.to_text().unwrap());
            told.domains.push(wanted.dwAppDomainId);
        }
        assert_eq!(context.write(7), S_OK);
        assert_eq!(symbols.write(null_mut()), S_OK);
        match self.has.get(&*name) {
            Some(Answer::Image(bytes, number)) => {
                assert_eq!(id.write(*number), S_OK);
                self.told.lock().unwrap().streams += 1;
                let stream: ISequentialStream = ComObject::new(Stream {
                    told: self.told.clone(),
                    bytes: bytes.clone(),
                    at: Mutex::new(0),
                })
                .into_interface();
                image.write(stream.into_raw())
            }
            Some(Answer::Failure(why)) => *why,
            None => COR_E_FILENOTFOUND,
        }
    }

    unsafe fn ProvideModule(
        &self,
        _: In<'_, ModuleBindInfo>,
        _: Out<'_, u32>,
        _: Out<'_, *mut c_void>,
        _: Out<'_, *mut c_void>,
    ) -> HRESULT {
        panic!("no assembly has several modules")
    }
}

#[implement(ISequentialStream)]
struct Stream {
    told: Shared,
    bytes: Vec<u8>,
    at: Mutex<usize>,
}

impl ISequentialStream_Impl for Stream_Impl {
    unsafe fn Read(&self, into: *mut c_void, room: u32, mut read: Out<'_, u32>) -> HRESULT {
        let mut at = self.at.lock().unwrap();
        let part = &self.bytes[*at..];
        // Fewer than there is room for, which a stream may give.
        let part = &part[..part.len().min(room as usize).min(1000)];
        // SAFETY: the caller has room for so many bytes.
        unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), into.cast(), part.len()) };
        *at += part.len();
        assert_eq!(read.write(part.len() as u32), S_OK);
        if part.is_empty() { S_FALSE } else { S_OK }
    }

    unsafe fn Write(&self, _: *const c_void, _: u32, _: Out<'_, u32>) -> HRESULT {
        panic!("it is only read")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.told.lock().unwrap().streams -= 1;
    }
}

fn image(name: &str) -> Vec<u8> {
    fs::read(assembly().with_file_name(name)).unwrap()
}

/// The fixture and its library, as the host has them.
fn both() -> BTreeMap<&'static str, Answer> {
    BTreeMap::from([
        ("hosted", Answer::Image(image("hosted.dll"), 1)),
        (
            "hosted.library",
            Answer::Image(image("hosted.library.dll"), 2),
        ),
    ])
}

/// Gives the host's manager to the CLR. Returns the answer of `SetHostControl`.
fn give(
    host: &ICLRRuntimeHost4,
    has: BTreeMap<&'static str, Answer>,
    own: Result<Option<Vec<&'static str>>, HRESULT>,
) -> (HRESULT, Shared) {
    let told = Shared::default();
    let manager: IHostAssemblyManager = ComObject::new(Manager {
        told: told.clone(),
        has,
        own,
    })
    .into_interface();
    let control = offers([(IHostAssemblyManager::IID, manager.into())]);
    // SAFETY: the host and the control are alive during the call.
    (unsafe { host.SetHostControl(Lent::new(&control)) }, told)
}

fn served(host: &ICLRRuntimeHost4, name: &str, argument: &str) -> Result<i32, HRESULT> {
    call_in(host, "hosted", CLASS, name, argument)
}

pub fn a_host_provides_assemblies(library: &Library, version: &str) {
    let host = library.host(version);
    let (answer, told) = give(&host, both(), Ok(None));
    assert_eq!(answer, S_OK);
    start(&host);
    assert!(told.lock().unwrap().asked.is_empty());
    assert_eq!(served(&host, "Length", "abc"), Ok(3));
    assert_eq!(served(&host, "Dependency", "abc"), Ok(6));
    assert_eq!(served(&host, "Dependency", "ab"), Ok(4));
    let told = told.lock().unwrap();
    // Each once, and nothing of the framework.
    assert_eq!(told.asked, ["hosted", "hosted.library"]);
    for (identity, begins) in [(0, "hosted, Culture="), (1, "hosted.library, Version=")] {
        let identity = &told.identities[identity];
        assert!(identity.starts_with(begins), "{identity}");
    }
    assert_eq!(told.streams, 0, "all are released");
}

pub fn one_assembly_has_several_identities(library: &Library, version: &str) {
    let host = library.host(version);
    let (_, told) = give(&host, both(), Ok(None));
    start(&host);
    let other = "hosted, Culture=neutral, PublicKeyToken=null";
    let length = |identity| call_in(&host, identity, CLASS, "Length", "abcd");
    assert_eq!((length("hosted"), length(other)), (Ok(4), Ok(4)));
    assert_eq!(told.lock().unwrap().streams, 0);
}

pub fn a_host_does_not_provide_what_it_refuses(library: &Library, version: &str) {
    let host = library.host(version);
    let mut has = both();
    has.insert("hosted.library", Answer::Failure(E_ACCESSDENIED));
    has.insert("broken", Answer::Image(vec![0x4D; 3000], 3));
    has.insert("empty", Answer::Image(Vec::new(), 4));
    let (_, told) = give(&host, has, Ok(None));
    start(&host);
    assert_eq!(served(&host, "Length", "abc"), Ok(3));
    assert_eq!(served(&host, "Dependency", "a"), Err(E_ACCESSDENIED));
    let found = |name| call_in(&host, name, CLASS, "Length", "");
    assert_eq!(found("broken"), Err(COR_E_BADIMAGEFORMAT));
    assert_eq!(found("empty"), Err(COR_E_BADIMAGEFORMAT));
    assert_eq!(found("absent"), Err(COR_E_FILENOTFOUND));
    assert_eq!(told.lock().unwrap().streams, 0);
}

/// What is not in the list is the host's alone.
pub fn what_the_list_names_is_not_asked_for(library: &Library, version: &str) {
    let host = library.host(version);
    let (_, told) = give(&host, BTreeMap::new(), Ok(Some(vec!["hosted.library"])));
    start(&host);
    // From its file, with what lies beside it.
    assert_eq!(call(&host, "Dependency", "abc"), Ok(6));
    assert_eq!(told.lock().unwrap().asked.len(), 0);
    assert!(
        told.lock()
            .unwrap()
            .looked_up
            .contains(&"hosted.library".into())
    );
    let absent = call_in(&host, "absent", CLASS, "Length", "");
    assert_eq!(absent, Err(COR_E_FILENOTFOUND));
    assert_eq!(told.lock().unwrap().asked, ["absent"]);
}

pub fn a_list_keeps_files_out(library: &Library, version: &str) {
    let host = library.host(version);
    let (_, told) = give(&host, BTreeMap::new(), Ok(Some(Vec::new())));
    start(&host);
    // The library lies beside the file, and the host does not have it.
    assert_eq!(call(&host, "Dependency", "abc"), Err(COR_E_FILENOTFOUND));
    assert_eq!(told.lock().unwrap().asked, ["hosted.library"]);
}

/// As without a host, it is the caller who decides whether a missing assembly is an error.
fn is_missing(library: &Library, version: &str, own: Option<Vec<&'static str>>) {
    let host = library.host(version);
    let (_, told) = give(&host, both(), Ok(own));
    start(&host);
    let found = |name| served(&host, "Optional", name);
    assert_eq!(found("Some.Type, absent"), Ok(0));
    assert_eq!(found("Soglia.Hosted.Library, hosted.library"), Ok(1));
    let told = told.lock().unwrap();
    assert_eq!(told.asked, ["hosted", "absent", "hosted.library"]);
}

pub fn what_is_missing_may_be_missing(library: &Library, version: &str) {
    is_missing(library, version, None);
}

pub fn what_is_missing_may_be_missing_with_a_list(library: &Library, version: &str) {
    is_missing(library, version, Some(Vec::new()));
}

pub fn a_list_that_fails_is_the_answer_to_the_control(library: &Library, version: &str) {
    let host = library.host(version);
    let (answer, _) = give(&host, both(), Err(HOST_E_INVALIDOPERATION));
    assert_eq!(answer, HOST_E_INVALIDOPERATION);
}

/// Answers that the documents do not know.
pub fn odd_answers_of_a_store(library: &Library, version: &str) {
    let host = library.host(version);
    let has = BTreeMap::from([
        ("nothing", Answer::Failure(S_OK)),
        ("strange", Answer::Failure(E_NOINTERFACE)),
        ("last", Answer::Failure(soglia_abi::hresult::E_FAIL)),
    ]);
    let (_, told) = give(&host, has, Ok(None));
    start(&host);
    let found = |name| call_in(&host, name, CLASS, "Length", "");
    assert_eq!(found("nothing"), Err(soglia_abi::hresult::E_POINTER));
    assert_eq!(found("strange"), Err(E_NOINTERFACE));
    assert_eq!(told.lock().unwrap().asked, ["nothing", "strange"]);
    let _ = found("last");
    assert_eq!(found("strange"), Err(HOST_E_CLRNOTAVAILABLE));
}

pub fn each_domain_gets_its_own_assemblies(library: &Library, version: &str) {
    let host = library.host(version);
    let (_, told) = give(&host, both(), Ok(None));
    start(&host);
    let domains = Domains::of(library, host);
    let names = ["a", "b"].map(|name| domains.make(name, &[]).unwrap());
    let class = "Soglia.Hosted.Domains";
    for domain in [1, names[0], names[1]] {
        let run = |method| domains.run_in(domain, "hosted", class, method, "");
        assert_eq!([run("Count"), run("Count")], [Ok(1), Ok(2)]);
        assert_eq!(run("HasOwnLibrary"), Ok(1));
    }
    let absent = domains.run_in(names[0], "absent", class, "Count", "");
    assert_eq!(absent, Err(COR_E_FILENOTFOUND));
    let told = told.lock().unwrap();
    let asked: Vec<_> = told.domains.iter().zip(&told.asked).collect();
    let asked: Vec<_> = asked
        .iter()
        .map(|(domain, name)| format!("{domain} {name}"))
        .collect();
    let expected = [
        "1 hosted",
        "1 hosted.library",
        "2 hosted",
        "2 hosted.library",
        "3 hosted",
        "3 hosted.library",
        "2 absent",
    ];
    assert_eq!(asked, expected);
    // SAFETY: the object is alive, and its method takes no pointers.
    let answer = unsafe { domains.host.UnloadAppDomain(names[0], true.into()) };
    assert_eq!((answer, told.streams), (S_OK, 0));
}
