//! Wrapped parameters: a pointer each, checked for null, the same to both sides of a vtable.
#![expect(unsafe_code, reason = "plays a host in C, which calls through vtables")]

use std::cell::RefCell;
use std::ffi::c_void;
use std::mem::{align_of, offset_of, size_of, transmute};
use std::ptr::{null, null_mut};

use soglia_abi::hosting::com::{IEnumUnknown, IEnumUnknown_Impl, ISequentialStream};
use soglia_abi::hosting::metahost::{ICLRMetaHost, ICLRMetaHost_Impl, ICLRMetaHost_Vtbl};
use soglia_abi::hosting::{metahost::RuntimeLoadedCallbackFnPtr, types::HANDLE};
use soglia_abi::hresult::{E_FAIL, E_NOTIMPL, E_POINTER, S_FALSE, S_OK};
use soglia_abi::param::{Array, Buffer, In, InOut, Lent, Out, Wide, WideString};
use soglia_abi::{GUID, HRESULT};
use windows_core::{ComObject, IUnknown, Interface, implement};

#[test]
fn each_is_one_pointer() {
    const POINTER: usize = size_of::<*mut c_void>();
    macro_rules! pointers {
        ($($type:ty),*) => {$(
            assert_eq!(size_of::<$type>(), POINTER, stringify!($type));
            assert_eq!(align_of::<$type>(), POINTER, stringify!($type));
        )*};
    }
    pointers! {
        Out<'_, u8>, Out<'_, [u64; 9]>, InOut<'_, u8>, In<'_, GUID>, Lent<'_, IUnknown>, Wide<'_>,
        Array<'_, Wide<'_>>, Buffer<'_, u16>
    }
}

#[test]
fn null_is_no_place_and_no_value() {
    let mut asked = false;
    let ask = || {
        asked = true;
        Ok(1)
    };
    assert_eq!(Out::<u32>::null().write(1), E_POINTER);
    assert_eq!(Out::<u32>::null().fill(ask), E_POINTER);
    assert!(!asked, "nothing to ask for without a place");
    Out::<u32>::null().write_if_wanted(1);
    assert_eq!(InOut::<u32>::null().get(), None);
    assert_eq!(In::<u32>::null().get(), None);
    assert!(Lent::<IUnknown>::null().get().is_none());
    assert!(Lent::<IUnknown>::null().cloned().is_none());
    assert_eq!(Wide::null().units(), None);
    assert_eq!(Wide::null().to_text(), None);
    // SAFETY: there are no values and no places, whatever the number.
    unsafe {
        assert_eq!(Array::<u32>::null().get(0), Some(&[][..]));
        assert_eq!(Array::<u32>::null().get(3), None);
        assert!(Buffer::<u16>::null().places(3).is_none());
    }
}

#[test]
fn a_place_is_written() {
    let mut number = 0_u32;
    assert_eq!(Out::new(&mut number).write(1), S_OK);
    assert_eq!(number, 1);
    assert_eq!(Out::new(&mut number).fill(|| Ok(2)), S_OK);
    assert_eq!(number, 2);
    assert_eq!(Out::new(&mut number).fill(|| Err(E_FAIL)), E_FAIL);
    assert_eq!(number, 2, "a failure leaves the place alone");
    let mut place = Out::new(&mut number);
    place.reborrow().write_if_wanted(3);
    place.write_if_wanted(place.as_ptr() as usize as u32);
    assert_eq!(number, &raw const number as usize as u32);
    let mut value = InOut::new(&mut number);
    *value.get().unwrap() = 4;
    assert_eq!(value.into_out().write(5), S_OK);
    assert_eq!(number, 5);
    assert_eq!(In::new(&number).get(), Some(&5));
}

#[test]
fn texts_end_at_their_zero() {
    let text = WideString::new("a\u{10400}b");
    assert_eq!(text.with_zero(), [97, 0xD801, 0xDC00, 98, 0]);
    assert_eq!(text.lent().units(), Some(&[97, 0xD801, 0xDC00, 98][..]));
    assert_eq!(text.lent().to_text().unwrap(), "a\u{10400}b");
    assert_eq!(WideString::new("").lent().units(), Some(&[][..]));
    let lone = [0xD801_u16, 120, 0];
    // SAFETY: a text with a zero, which stays for this test.
    let lone = unsafe { Wide::from_raw(lone.as_ptr()) };
    assert_eq!(lone.to_text().unwrap(), "\u{FFFD}x");
}

#[test]
fn arrays_and_buffers_have_as_many_as_is_said() {
    let texts = ["one", "two"].map(WideString::new);
    let lent = texts.each_ref().map(WideString::lent);
    let array = Array::new(&lent);
    // SAFETY: the array was made of two texts.
    let read = unsafe { array.get(2) }.unwrap();
    assert_eq!(read[1].to_text().unwrap(), "two");
    let mut numbers = [1_u16, 2, 3];
    // SAFETY: the buffer was made of three places.
    let places = unsafe { Buffer::new(&mut numbers).places(2) }.unwrap();
    for place in places {
        place.write(9);
    }
    assert_eq!(numbers, [9, 9, 3]);
}

/// Remembers what it was called with, and answers by wrappers.
#[implement(ICLRMetaHost)]
#[derive(Default)]
struct MetaHost(RefCell<Vec<String>>);

impl MetaHost {
    fn note(&self, what: impl std::fmt::Debug) {
        self.0.borrow_mut().push(format!("{what:?}"));
    }
}

impl ICLRMetaHost_Impl for MetaHost_Impl {
    unsafe fn GetRuntime(
        &self,
        version: Wide<'_>,
        id: In<'_, GUID>,
        runtime: Out<'_, *mut c_void>,
    ) -> HRESULT {
        self.note((version.to_text(), id.get()));
        runtime.fill(|| Ok(0x1234 as *mut c_void))
    }

    unsafe fn GetVersionFromFile(
        &self,
        path: Wide<'_>,
        buffer: Buffer<'_, u16>,
        mut length: InOut<'_, u32>,
    ) -> HRESULT {
        self.note((path.to_text(), buffer.is_null()));
        match length.get() {
            Some(length) => *length += 1,
            None => return E_POINTER,
        }
        S_OK
    }

    unsafe fn EnumerateInstalledRuntimes(&self, _: Out<'_, *mut c_void>) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn EnumerateLoadedRuntimes(&self, _: HANDLE, _: Out<'_, *mut c_void>) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn RequestRuntimeLoadedNotification(
        &self,
        _: Option<RuntimeLoadedCallbackFnPtr>,
    ) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn QueryLegacyV2RuntimeBinding(
        &self,
        _: In<'_, GUID>,
        _: Out<'_, *mut c_void>,
    ) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn ExitProcess(&self, _: i32) -> HRESULT {
        E_NOTIMPL
    }
}

/// A host in C knows raw pointers and numbers of slots.
#[test]
fn a_vtable_takes_raw_pointers() {
    type GetRuntime = unsafe extern "system" fn(
        *mut c_void,
        *const u16,
        *const GUID,
        *mut *mut c_void,
    ) -> HRESULT;
    type GetVersionFromFile =
        unsafe extern "system" fn(*mut c_void, *const u16, *mut u16, *mut u32) -> HRESULT;
    const SLOT: usize = size_of::<usize>();
    assert_eq!(offset_of!(ICLRMetaHost_Vtbl, GetRuntime) / SLOT, 3);
    assert_eq!(offset_of!(ICLRMetaHost_Vtbl, GetVersionFromFile) / SLOT, 4);

    let object = ComObject::new(MetaHost::default());
    let host: ICLRMetaHost = object.to_interface();
    let this = host.as_raw();
    let text: Vec<u16> = "v10.0\0".encode_utf16().collect();
    // SAFETY: the object begins with the address of its vtable, whose slots 3 and 4 have these
    // types in C. All pointers are null or valid for the calls.
    unsafe {
        let methods = *this.cast::<*const [*const c_void; 10]>();
        let get_runtime: GetRuntime = transmute((*methods)[3]);
        let get_version: GetVersionFromFile = transmute((*methods)[4]);
        let mut runtime = null_mut();
        let id = ICLRMetaHost::IID;
        assert_eq!(get_runtime(this, text.as_ptr(), &id, &mut runtime), S_OK);
        assert_eq!(runtime, 0x1234 as *mut c_void);
        assert_eq!(get_runtime(this, null(), null(), null_mut()), E_POINTER);
        let mut length = 6;
        let answer = get_version(this, text.as_ptr(), null_mut(), &mut length);
        assert_eq!((answer, length), (S_OK, 7));
        let answer = get_version(this, null(), &mut 0, null_mut());
        assert_eq!(answer, E_POINTER);
    }
    let noted = object.0.borrow().clone();
    assert_eq!(
        noted,
        [
            format!("(Some(\"v10.0\"), Some({:?}))", ICLRMetaHost::IID),
            "(None, None)".to_owned(),
            "(Some(\"v10.0\"), true)".to_owned(),
            "(None, false)".to_owned(),
        ]
    );
}

/// The same through the methods that Rust hosts call.
#[test]
fn a_method_takes_references() {
    let host: ICLRMetaHost = ComObject::new(MetaHost::default()).into_interface();
    let (version, mut runtime, mut length) = (WideString::new("v8.0"), null_mut(), 1);
    // SAFETY: a live object, and parameters that safe code has made.
    let answers = unsafe {
        let id = In::new(&ICLRMetaHost::IID);
        [
            host.GetRuntime(version.lent(), id, Out::new(&mut runtime)),
            host.GetVersionFromFile(Wide::null(), Buffer::null(), InOut::new(&mut length)),
        ]
    };
    assert_eq!(answers, [S_OK; 2]);
    assert_eq!((runtime, length), (0x1234 as *mut c_void, 2));
}

/// Gives out itself.
#[implement(IEnumUnknown)]
struct Objects;

impl IEnumUnknown_Impl for Objects_Impl {
    unsafe fn Next(
        &self,
        number: u32,
        into: Buffer<'_, *mut c_void>,
        mut fetched: Out<'_, u32>,
    ) -> HRESULT {
        // SAFETY: the method's first parameter is the number of places.
        let Some(places) = (unsafe { into.places(number as usize) }) else {
            return E_POINTER;
        };
        for place in places.iter_mut() {
            place.write(null_mut());
        }
        fetched.write_if_wanted(number);
        S_FALSE
    }

    unsafe fn Skip(&self, _: u32) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn Reset(&self) -> HRESULT {
        E_NOTIMPL
    }

    unsafe fn Clone(&self, _: Out<'_, *mut c_void>) -> HRESULT {
        E_NOTIMPL
    }
}

#[test]
fn objects_are_lent_and_kept() {
    let objects: IEnumUnknown = ComObject::new(Objects).into_interface();
    let references = |object: &IEnumUnknown| {
        // SAFETY: a live object; each AddRef has its Release.
        unsafe {
            let count = (object.vtable().base__.AddRef)(object.as_raw()) - 1;
            (object.vtable().base__.Release)(object.as_raw());
            count
        }
    };
    let lent = Lent::new(&objects);
    assert_eq!(lent.get(), Some(&objects));
    assert_eq!(references(&objects), 1, "lending counts nothing");
    let kept = lent.cloned();
    assert_eq!(references(&objects), 2);
    drop(kept);
    assert_eq!(references(&objects), 1);

    let mut places = [std::ptr::dangling_mut::<c_void>(); 2];
    let mut fetched = 0;
    // SAFETY: a live object, and a number that fits the buffer.
    let answer = unsafe { objects.Next(2, Buffer::new(&mut places), Out::new(&mut fetched)) };
    assert_eq!((answer, fetched, places), (S_FALSE, 2, [null_mut(); 2]));
    assert!(objects.cast::<ISequentialStream>().is_err());
}
