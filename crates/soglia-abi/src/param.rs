//! Parameters of COM methods that are pointers in C.
//!
//! Each type has the layout of one pointer and says what a method may do with it. A method checks
//! for null and reads or writes without `unsafe`, because the argument for it is made once, here:
//!
//! * Safe code makes these values from references, which live as long as the value does, or as
//!   null.
//! * Everything else is [`from_raw`](Out::from_raw), whose caller promises the same of its pointer.
//! * A method gets them from its caller. The methods of COM interfaces are `unsafe` to call and to
//!   reach through a vtable, so their caller, in any language, promises what the C signature means:
//!   a pointer is null, or it is valid and aligned for the whole call. The lifetimes of these types
//!   end with the call, so that a method cannot keep them.
//!
//! | C | Rust | meaning |
//! | --- | --- | --- |
//! | `T *pOut` | [`Out`] | room for one value, which the method writes |
//! | `T *pInOut` | [`InOut`] | one value, which the method reads and changes |
//! | `const T *p` | [`In`] | one value, which the method reads |
//! | `IUnknown *p` | [`Lent`] | an object without a reference for the method |
//! | `LPCWSTR` | [`Wide`] | a UTF-16 text with a final zero |
//! | `const T *p, DWORD n` | [`Array`] | as many values as another parameter says |
//! | `T *buffer, DWORD n` | [`Buffer`] | room for as many values as another parameter says |
//!
//! windows-core has `Ref` and `OutRef` for interfaces and for its own types. They serve other types
//! only by traits that its documentation hides, and each null costs an `Error` where COM wants an
//! `HRESULT`.

use core::ffi::c_void;
use core::fmt;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};

use windows_core::{HRESULT, Interface};

use crate::hresult::{E_POINTER, S_OK};

/// Room for one `T`, which the method writes; null if the caller does not want it.
///
/// Objects come out as `Out<*mut c_void>`: a pointer with a reference that the caller owns.
#[repr(transparent)]
pub struct Out<'a, T>(*mut T, PhantomData<&'a mut T>);

impl<'a, T> Out<'a, T> {
    /// Room in that place.
    pub const fn new(place: &'a mut T) -> Self {
        Self(place, PhantomData)
    }

    /// No room: the caller does not want the value.
    pub const fn null() -> Self {
        Self(null_mut(), PhantomData)
    }

    /// # Safety
    /// `place` is null, or valid for writes of a `T` and aligned, as long as `'a`.
    pub const unsafe fn from_raw(place: *mut T) -> Self {
        Self(place, PhantomData)
    }

    /// Whether the caller does not want the value.
    pub const fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The pointer, for another function.
    pub const fn as_ptr(&self) -> *mut T {
        self.0
    }

    /// The same room for a shorter time, for another method.
    pub const fn reborrow(&mut self) -> Out<'_, T> {
        Out(self.0, PhantomData)
    }

    /// Writes a value. `E_POINTER` if there is no room.
    ///
    /// It does not drop the value that was there, which may not be initialised.
    #[must_use = "the method's result"]
    pub fn write(&mut self, value: T) -> HRESULT {
        if self.0.is_null() {
            return E_POINTER;
        }
        // SAFETY: not null, so valid for a write as long as `'a`, by the way this value was made:
        // see the module. `&mut self` keeps other safe code from using the place meanwhile.
        unsafe { self.0.write(value) };
        S_OK
    }

    /// Writes a value that the caller may leave out by passing null.
    pub fn write_if_wanted(&mut self, value: T) {
        let _ = self.write(value);
    }

    /// Writes the result of `value`, or returns its failure.
    ///
    /// `E_POINTER`, without a call of `value`, if there is no room.
    pub fn fill(mut self, value: impl FnOnce() -> Result<T, HRESULT>) -> HRESULT {
        if self.is_null() {
            return E_POINTER;
        }
        match value() {
            Ok(value) => self.write(value),
            Err(why) => why,
        }
    }
}

/// One `T`, which the method reads and changes; may be null.
#[repr(transparent)]
pub struct InOut<'a, T>(*mut T, PhantomData<&'a mut T>);

impl<'a, T> InOut<'a, T> {
    /// That value.
    pub const fn new(value: &'a mut T) -> Self {
        Self(value, PhantomData)
    }

    /// No value.
    pub const fn null() -> Self {
        Self(null_mut(), PhantomData)
    }

    /// # Safety
    /// `value` is null, or a valid `T` that nothing else reads or writes as long as `'a`.
    pub const unsafe fn from_raw(value: *mut T) -> Self {
        Self(value, PhantomData)
    }

    /// Whether there is no value.
    pub const fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The pointer, for another function.
    pub const fn as_ptr(&self) -> *mut T {
        self.0
    }

    /// The value; `None` if it is null.
    pub const fn get(&mut self) -> Option<&mut T> {
        // SAFETY: null, or valid and not used otherwise as long as `'a`, by the way this value was
        // made: see the module. The result borrows `self`, so there is one at a time.
        unsafe { self.0.as_mut() }
    }

    /// As room for a result, where the method does not read the value.
    pub const fn into_out(self) -> Out<'a, T> {
        Out(self.0, PhantomData)
    }
}

/// One `T`, which the method reads; may be null.
#[repr(transparent)]
pub struct In<'a, T>(*const T, PhantomData<&'a T>);

impl<T> Clone for In<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for In<'_, T> {}

impl<'a, T> In<'a, T> {
    /// That value.
    pub const fn new(value: &'a T) -> Self {
        Self(value, PhantomData)
    }

    /// No value.
    pub const fn null() -> Self {
        Self(null(), PhantomData)
    }

    /// # Safety
    /// `value` is null, or a valid `T` that nothing changes as long as `'a`.
    pub const unsafe fn from_raw(value: *const T) -> Self {
        Self(value, PhantomData)
    }

    /// Whether there is no value.
    pub const fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The pointer, for another function.
    pub const fn as_ptr(self) -> *const T {
        self.0
    }

    /// The value; `None` if it is null.
    pub const fn get(self) -> Option<&'a T> {
        // SAFETY: null, or valid and unchanged as long as `'a`, by the way this value was made: see
        // the module.
        unsafe { self.0.as_ref() }
    }
}

/// An object that the caller lends for the call: the method takes a reference of its own if it
/// keeps the object. May be null.
#[repr(transparent)]
pub struct Lent<'a, I: Interface>(*mut c_void, PhantomData<&'a I>);

impl<I: Interface> Clone for Lent<'_, I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I: Interface> Copy for Lent<'_, I> {}

impl<'a, I: Interface> Lent<'a, I> {
    /// That object.
    pub fn new(object: &'a I) -> Self {
        Self(object.as_raw(), PhantomData)
    }

    /// No object.
    pub const fn null() -> Self {
        Self(null_mut(), PhantomData)
    }

    /// # Safety
    /// `object` is null, or an object with the interface `I` that is alive as long as `'a`.
    pub const unsafe fn from_raw(object: *mut c_void) -> Self {
        Self(object, PhantomData)
    }

    /// Whether there is no object.
    pub const fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The pointer, for another function.
    pub const fn as_ptr(&self) -> *mut c_void {
        self.0
    }

    /// The object; `None` if it is null.
    pub fn get(&self) -> Option<&I> {
        // SAFETY: null, or alive with this interface as long as `'a`, by the way this value was
        // made: see the module. The result borrows `self`, which ends no later than `'a`.
        unsafe { I::from_raw_borrowed(&self.0) }
    }

    /// The object with a reference of its own; `None` if it is null.
    pub fn cloned(&self) -> Option<I> {
        self.get().cloned()
    }
}

/// A UTF-16 text with a final zero; may be null.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Wide<'a>(*const u16, PhantomData<&'a [u16]>);

impl<'a> Wide<'a> {
    /// No text.
    pub const fn null() -> Self {
        Self(null(), PhantomData)
    }

    /// # Safety
    /// `text` is null, or a text with a final zero that nothing changes as long as `'a`.
    pub const unsafe fn from_raw(text: *const u16) -> Self {
        Self(text, PhantomData)
    }

    /// Whether there is no text.
    pub const fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The pointer, for another function.
    pub const fn as_ptr(self) -> *const u16 {
        self.0
    }

    /// The text without its zero; `None` if it is null.
    pub fn units(self) -> Option<&'a [u16]> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not null, so readable up to its zero and unchanged as long as `'a`, by the way
        // this value was made: see the module. The loop reads nothing behind the zero.
        unsafe {
            let length = (0..).take_while(|at| *self.0.add(*at) != 0).count();
            Some(core::slice::from_raw_parts(self.0, length))
        }
    }

    /// The text; `None` if it is null. A lone surrogate becomes U+FFFD.
    pub fn to_text(self) -> Option<String> {
        self.units().map(String::from_utf16_lossy)
    }
}

/// A UTF-16 text with a final zero, to be lent as [`Wide`].
///
/// It has no default and no way to change it, so the zero is always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WideString(Vec<u16>);

impl WideString {
    /// The text and a zero. A zero inside the text ends it for the other side.
    pub fn new(text: &str) -> Self {
        Self(text.encode_utf16().chain([0]).collect())
    }

    /// The text as a parameter.
    pub fn lent(&self) -> Wide<'_> {
        Wide(self.0.as_ptr(), PhantomData)
    }

    /// The units of the text, with the final zero.
    pub fn with_zero(&self) -> &[u16] {
        &self.0
    }
}

/// As many `T` as another parameter of the method says, which the method reads; may be null.
#[repr(transparent)]
pub struct Array<'a, T>(*const T, PhantomData<&'a [T]>);

impl<T> Clone for Array<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Array<'_, T> {}

impl<'a, T> Array<'a, T> {
    /// Those values.
    pub const fn new(values: &'a [T]) -> Self {
        Self(values.as_ptr(), PhantomData)
    }

    /// No values.
    pub const fn null() -> Self {
        Self(null(), PhantomData)
    }

    /// Whether the pointer is null.
    pub const fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// The values; `None` if the pointer is null and `count` is not 0.
    ///
    /// # Safety
    /// `count` is what the caller of the method passed as the number of these values.
    pub const unsafe fn get(self, count: usize) -> Option<&'a [T]> {
        if count == 0 {
            Some(&[])
        } else if self.0.is_null() {
            None
        } else {
            // SAFETY: not null, and the caller of the method has passed as many valid values as
            // `count` says, which live as long as `'a`.
            Some(unsafe { core::slice::from_raw_parts(self.0, count) })
        }
    }
}

/// Room for as many `T` as another parameter of the method says, which the method writes; null if
/// the caller wants only their number.
#[repr(transparent)]
pub struct Buffer<'a, T>(*mut T, PhantomData<&'a mut [T]>);

impl<'a, T> Buffer<'a, T> {
    /// Room in those places.
    pub const fn new(places: &'a mut [T]) -> Self {
        Self(places.as_mut_ptr(), PhantomData)
    }

    /// No room.
    pub const fn null() -> Self {
        Self(null_mut(), PhantomData)
    }

    /// # Safety
    /// `places` is null, or valid for writes of as many `T` as another parameter says, as long as
    /// `'a`.
    pub const unsafe fn from_raw(places: *mut T) -> Self {
        Self(places, PhantomData)
    }

    /// Whether there is no room.
    pub const fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The pointer, for another function.
    pub const fn as_ptr(&self) -> *mut T {
        self.0
    }

    /// The places; `None` if the pointer is null.
    ///
    /// # Safety
    /// `count` is at most what the caller of the method passed as the number of these places.
    pub const unsafe fn places(self, count: usize) -> Option<&'a mut [MaybeUninit<T>]> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: not null, and the caller of the method has room there for at least `count`
        // values, which nothing else uses as long as `'a`.
        Some(unsafe { core::slice::from_raw_parts_mut(self.0.cast(), count) })
    }
}

macro_rules! debug {
    ($($name:ident<$($parameter:ident $(: $bound:path)?)?>)*) => {$(
        impl$(<$parameter $(: $bound)?>)? fmt::Debug for $name<'_, $($parameter)?> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:p})"), self.0)
            }
        }
    )*};
}
debug! { Out<T> InOut<T> In<T> Lent<I: Interface> Wide<> Array<T> Buffer<T> }
