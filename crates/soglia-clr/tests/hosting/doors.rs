//! How hosts find a runtime.

use std::{ffi::c_void, ptr::null_mut};

use soglia_abi::{
    BOOL, GUID, HRESULT,
    hosting::{
        com::IEnumUnknown,
        metahost::{
            CLSID_CLRDebugging, CLSID_CLRMetaHost, CLSID_CLRMetaHostPolicy, ICLRMetaHost,
            ICLRMetaHostPolicy, ICLRRuntimeInfo, IID_ICLRDebugging,
            METAHOST_POLICY_APPLY_UPGRADE_POLICY, METAHOST_POLICY_FLAGS,
            METAHOST_POLICY_HIGHCOMPAT,
        },
        runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost, ICLRRuntimeHost4},
        types::STARTUP_CONCURRENT_GC,
    },
    hresult::*,
    param::{Buffer, In, InOut, Lent, Out, Wide},
};
use windows_core::{IUnknown, Interface};

use crate::api::{self, Library, call, get, start, text, version_of, wide};

const UNKNOWN: GUID = GUID::from_u128(0x01234567_89ab_cdef_0123_456789abcdef);
const FILE_NOT_FOUND: HRESULT = HRESULT(0x8007_0002_u32 as i32);
const BAD_IMAGE: HRESULT = HRESULT(0x8007_000b_u32 as i32);
const INSUFFICIENT_BUFFER: HRESULT = HRESULT(0x8007_007a_u32 as i32);

pub fn unknown_ids_and_null_pointers(library: &Library, version: &str) {
    let create = library.create();
    let mut object = std::ptr::dangling_mut::<c_void>();
    let mut ask = |class: &GUID, id: &GUID| {
        object = std::ptr::dangling_mut();
        // SAFETY: the object is alive, and safe code has made the parameters.
        let answer = unsafe { create(In::new(class), In::new(id), Out::new(&mut object)) };
        assert_eq!(object.is_null(), answer.is_err());
        if !object.is_null() {
            // SAFETY: with a reference for us.
            drop(unsafe { IUnknown::from_raw(object) });
        }
        answer
    };
    assert_eq!(ask(&CLSID_CLRMetaHost, &ICLRMetaHost::IID), S_OK);
    assert_eq!(ask(&CLSID_CLRMetaHost, &IUnknown::IID), S_OK);
    assert_eq!(
        ask(&CLSID_CLRMetaHost, &ICLRRuntimeInfo::IID),
        E_NOINTERFACE
    );
    assert_eq!(ask(&UNKNOWN, &ICLRMetaHost::IID), E_NOINTERFACE);
    assert_eq!(
        ask(&CLSID_CLRMetaHostPolicy, &ICLRMetaHostPolicy::IID),
        S_OK
    );
    assert_eq!(ask(&CLSID_CLRDebugging, &IID_ICLRDebugging), E_NOTIMPL);
    // SAFETY: the object is alive, and its methods check parameters for null.
    unsafe {
        let (class, id) = (In::new(&CLSID_CLRMetaHost), In::new(&ICLRMetaHost::IID));
        assert_eq!(create(class, id, Out::null()), E_POINTER);
        let mut create = |class, id| create(class, id, Out::new(&mut object));
        assert_eq!(create(class, In::null()), E_POINTER);
        assert_eq!(create(In::null(), id), E_POINTER);

        let meta = library.meta_host();
        let wanted = wide(version);
        let id = In::new(&ICLRRuntimeInfo::IID);
        assert_eq!(
            meta.GetRuntime(Wide::null(), id, Out::new(&mut object)),
            E_POINTER
        );
        assert_eq!(meta.GetRuntime(wanted.lent(), id, Out::null()), E_POINTER);
        assert_eq!(
            meta.GetRuntime(wanted.lent(), In::null(), Out::new(&mut object)),
            E_POINTER
        );
        assert_eq!(
            meta.GetRuntime(wanted.lent(), In::new(&UNKNOWN), Out::new(&mut object)),
            E_NOINTERFACE
        );
        assert_eq!(meta.EnumerateInstalledRuntimes(Out::null()), E_POINTER);
        assert_eq!(
            meta.EnumerateLoadedRuntimes(null_mut(), Out::null()),
            E_POINTER
        );
        assert_eq!(meta.RequestRuntimeLoadedNotification(None), E_NOTIMPL);
        assert_eq!(
            meta.QueryLegacyV2RuntimeBinding(In::new(&UNKNOWN), Out::new(&mut object)),
            E_NOTIMPL
        );

        let info = library.runtime(version);
        let (class, id) = (
            In::new(&CLSID_CLRRuntimeHost),
            In::new(&ICLRRuntimeHost::IID),
        );
        assert_eq!(info.GetInterface(class, id, Out::null()), E_POINTER);
        assert_eq!(
            info.GetInterface(In::null(), id, Out::new(&mut object)),
            E_POINTER
        );
        assert_eq!(
            info.GetInterface(class, In::null(), Out::new(&mut object)),
            E_POINTER
        );
        assert_eq!(
            info.GetInterface(In::new(&UNKNOWN), id, Out::new(&mut object)),
            CLASS_E_CLASSNOTAVAILABLE
        );
        assert_eq!(
            info.GetInterface(class, In::new(&UNKNOWN), Out::new(&mut object)),
            E_NOINTERFACE
        );
        assert!(object.is_null());
        assert_eq!(info.IsLoadable(Out::null()), E_POINTER);
        assert_eq!(info.IsLoaded(null_mut(), Out::null()), E_POINTER);
        assert_eq!(info.IsStarted(Out::null(), Out::null()), E_POINTER);
        assert_eq!(info.BindAsLegacyV2Runtime(), E_NOTIMPL);
        assert_eq!(
            info.LoadErrorString(1, Buffer::null(), InOut::null(), 0),
            E_NOTIMPL
        );

        let host = library.function::<api::GetHost>("GetCLRRuntimeHost");
        assert_eq!(host(In::new(&ICLRRuntimeHost::IID), Out::null()), E_POINTER);
        assert_eq!(host(In::null(), Out::new(&mut object)), E_POINTER);
        let answer = host(In::new(&UNKNOWN), Out::new(&mut object));
        assert_eq!(answer, E_NOINTERFACE);
    }
}

pub fn runtimes_by_version(library: &Library, version: &str) {
    let meta = library.meta_host();
    let installed: IEnumUnknown =
        // SAFETY: a place for the answer.
        get(|_, object| unsafe { meta.EnumerateInstalledRuntimes(object) }).unwrap();
    let mut versions = Vec::new();
    loop {
        let (mut object, mut number) = (null_mut(), 7);
        // SAFETY: the object is alive, and the buffer has the one place that it is said to have.
        let answer = unsafe {
            installed.Next(
                1,
                Buffer::new(std::slice::from_mut(&mut object)),
                Out::new(&mut number),
            )
        };
        if answer == S_FALSE {
            assert_eq!(number, 0);
            break;
        }
        assert_eq!((answer, number), (S_OK, 1));
        // SAFETY: with a reference for us.
        let info: ICLRRuntimeInfo = unsafe { IUnknown::from_raw(object) }.cast().unwrap();
        versions.push(version_of(&info));
    }
    let own = format!("v{version}");
    assert!(versions.contains(&own), "{versions:?}");
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe {
        assert_eq!(installed.Skip(1), S_FALSE);
        assert_eq!(installed.Reset(), S_OK);
        assert_eq!(installed.Skip(versions.len() as u32), S_OK);
    }
    let newest = versions.last().unwrap();

    let (major, _) = version.split_once('.').unwrap();
    for (asked, given) in [
        (version.to_owned(), &own),
        (own.clone(), &own),
        (format!("v{major}.0"), &own),
        ("v4.0.30319".into(), newest),
        ("v2.0.50727".into(), newest),
    ] {
        assert_eq!(&version_of(&library.runtime(&asked)), given, "{asked}");
    }
    for absent in ["", "v1.1.4322", "v99.0", "10", "newest", "v8.0.0.0"] {
        let text = wide(absent);
        let answer: Result<ICLRRuntimeInfo, HRESULT> =
            // SAFETY: the object is alive, and safe code has made the parameters.
            get(|id, object| unsafe { meta.GetRuntime(text.lent(), id, object) });
        if absent != "10" || !version.starts_with("10.") {
            let answer = answer.map(|info| version_of(&info));
            assert!(
                answer == Err(CLR_E_SHIM_RUNTIMELOAD) || absent == "10",
                "{absent}: {answer:?}"
            );
        }
    }

    let info = library.runtime(version);
    // SAFETY: the object is alive, and safe code has made the parameters.
    unsafe {
        let directory = text(|buffer, length| info.GetRuntimeDirectory(buffer, length));
        assert!(directory.ends_with(&format!("/{version}/")), "{directory}");
        let (mut buffer, mut length) = ([0; 3], 3);
        assert_eq!(
            info.GetVersionString(Buffer::new(&mut buffer), InOut::new(&mut length)),
            INSUFFICIENT_BUFFER
        );
        assert_eq!(length as usize, own.len() + 1);
        assert_eq!(
            info.GetVersionString(Buffer::new(&mut buffer), InOut::null()),
            E_POINTER
        );
        let mut yes = BOOL(7);
        assert_eq!(info.IsLoadable(Out::new(&mut yes)), S_OK);
        assert_eq!(yes.0, 1);
        assert_eq!(info.IsLoaded(null_mut(), Out::new(&mut yes)), S_OK);
        assert_eq!(yes.0, 0);
        let mut module = null_mut();
        let name = wide("libSystem.Native.so");
        assert_eq!(info.LoadLibrary(name.lent(), Out::new(&mut module)), S_OK);
        assert!(!module.is_null());
        assert!(
            info.LoadLibrary(wide("libabsent.so").lent(), Out::new(&mut module))
                .is_err()
        );
        assert!(module.is_null());
        let mut address = null_mut();
        assert_eq!(
            info.GetProcAddress(c"coreclr_initialize".as_ptr(), Out::new(&mut address)),
            S_OK
        );
        assert!(!address.is_null());
        assert_eq!(
            info.GetProcAddress(c"absent".as_ptr(), Out::new(&mut address)),
            CLR_E_SHIM_RUNTIMEEXPORT
        );
        // The runtime's own would not know of host controls.
        assert_eq!(
            info.GetProcAddress(c"GetCLRRuntimeHost".as_ptr(), Out::new(&mut address)),
            S_OK
        );
        assert_eq!(address, library.function("GetCLRRuntimeHost"));

        let tell = library.function::<api::Tell>("GetCORVersion");
        let mut buffer = [0; 64];
        let answer = tell(Buffer::new(&mut buffer), 64, Out::new(&mut length));
        assert_eq!(answer, S_OK);
        assert_eq!(
            String::from_utf16_lossy(&buffer[..length as usize - 1]),
            own
        );
    }
    // A loaded runtime that is not started yet can still be started.
    let host = library.host(version);
    start(&host);
}

pub fn a_policy_chooses_the_runtime(library: &Library, version: &str) {
    let policy: ICLRMetaHostPolicy = get(|id, object| {
        // SAFETY: the object is alive, and safe code has made the parameters.
        unsafe { library.create()(In::new(&CLSID_CLRMetaHostPolicy), id, object) }
    })
    .unwrap();
    let newest = version_of(&library.runtime("v4.0.30319"));
    let own = format!("v{version}");
    let path = api::assembly();
    let binary = wide(path.to_str().unwrap());
    let upgrade = METAHOST_POLICY_APPLY_UPGRADE_POLICY;
    // The runtime's version, as it is and as it is reported, and the binary's.
    let choose = |flags, binary: Wide<'_>, wanted: &str| {
        let (mut buffer, mut length) = ([0_u16; 64], 64);
        buffer[..wanted.len()].copy_from_slice(&wide(wanted).with_zero()[..wanted.len()]);
        let (mut image, mut image_length, mut config) = ([0_u16; 64], 64, 7);
        let info: ICLRRuntimeInfo = get(|id, object| {
            // SAFETY: the object is alive, and each buffer has as much room as its length says.
            unsafe {
                policy.GetRequestedRuntime(
                    flags,
                    binary,
                    Lent::null(),
                    Buffer::new(&mut buffer),
                    InOut::new(&mut length),
                    Buffer::new(&mut image),
                    InOut::new(&mut image_length),
                    Out::new(&mut config),
                    id,
                    object,
                )
            }
        })?;
        let text =
            |buffer: &[u16], length: u32| String::from_utf16_lossy(&buffer[..length as usize - 1]);
        assert_eq!(config, 0);
        assert_eq!(version_of(&info), text(&buffer, length));
        Ok((text(&buffer, length), text(&image, image_length)))
    };
    let plain = METAHOST_POLICY_HIGHCOMPAT;
    let of = |runtime: &str, image: &str| Ok::<_, HRESULT>((runtime.to_owned(), image.to_owned()));
    assert_eq!(choose(plain, binary.lent(), ""), of(&newest, "v4.0.30319"));
    assert_eq!(choose(plain, binary.lent(), &own), of(&own, "v4.0.30319"));
    assert_eq!(choose(plain, Wide::null(), &own), of(&own, &own));
    assert_eq!(choose(plain, Wide::null(), ""), of(&newest, &newest));
    assert_eq!(
        choose(plain, Wide::null(), "v1.1.4322"),
        Err(CLR_E_SHIM_RUNTIMELOAD)
    );
    assert_eq!(
        choose(upgrade, Wide::null(), "v1.1.4322"),
        of(&newest, &newest)
    );
    let odd = METAHOST_POLICY_FLAGS(1);
    assert_eq!(choose(odd, Wide::null(), ""), Err(E_INVALIDARG));
    let absent = wide("/absent.dll");
    assert_eq!(choose(plain, absent.lent(), ""), Err(FILE_NOT_FOUND));
    // What is not asked for need not have a place, but a place needs its size.
    let ask = |flags, buffer: Buffer<'_, u16>, length: InOut<'_, u32>| {
        get::<ICLRRuntimeInfo>(|id, object| {
            // SAFETY: the object is alive, and the buffer has as much room as its length says.
            unsafe {
                policy.GetRequestedRuntime(
                    flags,
                    Wide::null(),
                    Lent::null(),
                    buffer,
                    length,
                    Buffer::null(),
                    InOut::null(),
                    Out::null(),
                    id,
                    object,
                )
            }
        })
        .map(|info| version_of(&info))
    };
    let (mut buffer, mut length) = ([0_u16; 2], 2);
    let nothing = || (Buffer::null(), InOut::null());
    let (none, zero) = nothing();
    assert_eq!(ask(plain, none, zero).as_deref(), Ok(&*newest));
    let some = Buffer::new(&mut buffer);
    assert_eq!(ask(plain, some, InOut::null()), Err(E_POINTER));
    let (none, zero) = nothing();
    assert_eq!(ask(upgrade, none, zero), Err(CLR_E_SHIM_RUNTIMELOAD));
    let short = HRESULT(0x8007_007a_u32 as i32);
    let (some, two) = (Buffer::new(&mut buffer), InOut::new(&mut length));
    assert_eq!(ask(plain, some, two), Err(short));
    assert_eq!(length as usize, newest.len() + 1);
}

pub fn a_file_has_a_version(library: &Library, _: &str) {
    let meta = library.meta_host();
    let version = |path: &str| {
        let path = wide(path);
        let (mut buffer, mut length) = ([0; 32], 32);
        // SAFETY: the object is alive, and safe code has made the parameters.
        let answer = unsafe {
            meta.GetVersionFromFile(
                path.lent(),
                Buffer::new(&mut buffer),
                InOut::new(&mut length),
            )
        };
        let text = String::from_utf16_lossy(&buffer);
        answer
            .ok()
            .map(|()| text.trim_end_matches('\0').to_owned())
            .map_err(|e| e.code())
    };
    let assembly = api::assembly();
    assert_eq!(
        version(assembly.to_str().unwrap()).as_deref(),
        Ok("v4.0.30319")
    );
    assert_eq!(version("/absent.dll"), Err(FILE_NOT_FOUND));
    assert_eq!(version("/proc/self/exe"), Err(BAD_IMAGE));
    // SAFETY: the object is alive, and its methods check parameters for null.
    unsafe {
        let mut length = 0;
        assert_eq!(
            meta.GetVersionFromFile(Wide::null(), Buffer::null(), InOut::new(&mut length)),
            E_POINTER
        );
        let path = wide("x");
        assert_eq!(
            meta.GetVersionFromFile(path.lent(), Buffer::null(), InOut::null()),
            E_POINTER
        );
    }
}

pub fn the_old_door_opens_too(library: &Library, version: &str) {
    // SAFETY: the headers declare the function with this type.
    let bind = unsafe { library.function::<api::Bind>("CorBindToRuntimeEx") };
    let flavor = wide("wks");
    let bind = |version: &str, class: &GUID| -> Result<ICLRRuntimeHost4, HRESULT> {
        let version = wide(version);
        // SAFETY: the object is alive, and safe code has made the parameters.
        get(|id, object| unsafe {
            bind(
                version.lent(),
                flavor.lent(),
                STARTUP_CONCURRENT_GC,
                In::new(class),
                id,
                object,
            )
        })
    };
    assert_eq!(
        bind("v1.0.3705", &CLSID_CLRRuntimeHost).err(),
        Some(CLR_E_SHIM_RUNTIMELOAD)
    );
    assert_eq!(
        bind("v2.0.50727", &UNKNOWN).err(),
        Some(CLASS_E_CLASSNOTAVAILABLE)
    );
    let host = bind(&format!("v{version}"), &CLSID_CLRRuntimeHost).unwrap();
    start(&host);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
    // Without a version: the one that is here.
    let same: ICLRRuntimeHost = get(|id, object| {
        // SAFETY: its type, and valid pointers.
        unsafe { library.function::<api::GetHost>("GetCLRRuntimeHost")(id, object) }
    })
    .unwrap();
    start(&same.cast().unwrap());
}

pub fn a_process_ends_without_a_runtime(library: &Library, _: &str) {
    // SAFETY: the object is alive, and its method takes no pointers.
    let answer = unsafe { library.meta_host().ExitProcess(3) };
    panic!("still here: {answer:?}");
}
