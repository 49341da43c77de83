//! What a C host has from `mscoree.h`: functions, and texts of 16 bits.

use std::{
    ffi::{CString, c_char, c_void},
    path::{Path, PathBuf},
    ptr::null_mut,
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        control::ICLRControl,
        metahost::{CLSID_CLRMetaHost, ICLRMetaHost, ICLRRuntimeInfo},
        runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost, ICLRRuntimeHost4},
    },
    hresult::S_OK,
    param::{Buffer, In, InOut, Out, Wide, WideString},
};
use windows_core::Interface;

/// The library, loaded.
pub struct Library {
    handle: *mut c_void,
    path: PathBuf,
}

pub type Create =
    unsafe extern "system" fn(In<'_, GUID>, In<'_, GUID>, Out<'_, *mut c_void>) -> HRESULT;
pub type Bind = unsafe extern "system" fn(
    Wide<'_>,
    Wide<'_>,
    u32,
    In<'_, GUID>,
    In<'_, GUID>,
    Out<'_, *mut c_void>,
) -> HRESULT;
pub type GetHost = unsafe extern "system" fn(In<'_, GUID>, Out<'_, *mut c_void>) -> HRESULT;
pub type Tell = unsafe extern "system" fn(Buffer<'_, u16>, u32, Out<'_, u32>) -> HRESULT;

impl Library {
    pub fn load(path: &str) -> Self {
        let name = CString::new(path).unwrap();
        // SAFETY: a C string; the library is the one under test.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null());
        Self {
            handle,
            path: path.into(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it lies, and other native libraries with it.
    pub fn folder(&self) -> PathBuf {
        self.path.parent().unwrap().to_owned()
    }

    /// # Safety
    /// `F` is the type of a pointer to that function.
    pub unsafe fn function<F: Copy>(&self, name: &str) -> F {
        let name = CString::new(name).unwrap();
        // SAFETY: an open library and a C string; the caller vouches for the type.
        unsafe {
            let address = libc::dlsym(self.handle, name.as_ptr().cast::<c_char>());
            assert!(!address.is_null(), "{name:?} is exported");
            std::mem::transmute_copy(&address)
        }
    }

    pub fn create(&self) -> Create {
        // SAFETY: mscoree.h declares the function with this type.
        unsafe { self.function("CLRCreateInstance") }
    }

    pub fn meta_host(&self) -> ICLRMetaHost {
        get(|id, object| {
            // SAFETY: the library under test stays loaded until the process ends.
            unsafe { self.create()(In::new(&CLSID_CLRMetaHost), id, object) }
        })
        .unwrap()
    }

    /// As a host does it: the runtime's version, then its host object.
    pub fn runtime(&self, version: &str) -> ICLRRuntimeInfo {
        let version = wide(version);
        get(|id, object| {
            // SAFETY: the object is alive while it is used here.
            unsafe { self.meta_host().GetRuntime(version.lent(), id, object) }
        })
        .unwrap()
    }

    pub fn host(&self, version: &str) -> ICLRRuntimeHost4 {
        let runtime = self.runtime(version);
        // A host of the old days knows the first interface only.
        let host: ICLRRuntimeHost = get(|id, object| {
            // SAFETY: the object is alive while it is used here.
            unsafe { runtime.GetInterface(In::new(&CLSID_CLRRuntimeHost), id, object) }
        })
        .unwrap();
        host.cast().unwrap()
    }
}

/// The object that `ask` gives.
pub fn get<T: Interface>(
    ask: impl FnOnce(In<'_, GUID>, Out<'_, *mut c_void>) -> HRESULT,
) -> Result<T, HRESULT> {
    let mut object = null_mut();
    match ask(In::new(&T::IID), Out::new(&mut object)) {
        answer if answer.0 == 0 => {
            assert!(!object.is_null());
            // SAFETY: the library has stored an object of the interface that it was asked for, with
            // a reference for the caller.
            Ok(unsafe { T::from_raw(object) })
        }
        answer => Err(answer),
    }
}

pub fn control(host: &ICLRRuntimeHost4) -> ICLRControl {
    // SAFETY: the object is alive while it is used here.
    get(|_, object| unsafe { host.GetCLRControl(object) }).unwrap()
}

pub fn manager<T: Interface>(control: &ICLRControl) -> Result<T, HRESULT> {
    // SAFETY: the object is alive while it is used here.
    get(|id, object| unsafe { control.GetCLRManager(id, object) })
}

pub fn wide(text: &str) -> WideString {
    WideString::new(text)
}

/// A text that is answered as `pcchBuffer` methods do.
pub fn text(mut ask: impl FnMut(Buffer<'_, u16>, InOut<'_, u32>) -> HRESULT) -> String {
    let mut length = 0;
    assert_eq!(ask(Buffer::null(), InOut::new(&mut length)).0, 0);
    let mut buffer = vec![0; length as usize];
    let answer = ask(Buffer::new(&mut buffer), InOut::new(&mut length));
    assert_eq!(answer.0, 0);
    assert_eq!(buffer.pop(), Some(0));
    String::from_utf16(&buffer).unwrap()
}

/// The assembly with what hosts call.
pub fn assembly() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fixtures/managed/hosted/hosted.dll"
    ))
}

/// Calls `static int name(string)` of the fixture.
pub fn call(host: &ICLRRuntimeHost4, name: &str, argument: &str) -> Result<i32, HRESULT> {
    let path = assembly();
    call_in(
        host,
        path.to_str().unwrap(),
        "Soglia.Hosted.Entry",
        name,
        argument,
    )
}

pub fn call_in(
    host: &ICLRRuntimeHost4,
    path: &str,
    class: &str,
    name: &str,
    argument: &str,
) -> Result<i32, HRESULT> {
    let [path, class, name, argument] = [path, class, name, argument].map(wide);
    let mut result = 0xdead_u32;
    // SAFETY: the object is alive while it is used here.
    let answer = unsafe {
        host.ExecuteInDefaultAppDomain(
            path.lent(),
            class.lent(),
            name.lent(),
            argument.lent(),
            Out::new(&mut result),
        )
    };
    if answer.0 == 0 {
        Ok(result as i32)
    } else {
        assert_eq!(result, 0xdead, "the result is set by success alone");
        Err(answer)
    }
}

pub fn start(host: &ICLRRuntimeHost4) {
    // SAFETY: the object is alive while it is used here.
    assert_eq!(unsafe { host.Start() }, S_OK);
}

pub unsafe extern "system" fn answer_of(cookie: *mut c_void) -> HRESULT {
    HRESULT(cookie as isize as i32)
}

pub fn version_of(info: &ICLRRuntimeInfo) -> String {
    // SAFETY: the object is alive, and `text` says how long its buffer is.
    text(|buffer, length| unsafe { info.GetVersionString(buffer, length) })
}
