//! Objects that hosts get, and that they may release too often: .NET Framework's managers were
//! statics, whose `Release` did nothing, and hosts have been written against those.
//!
//! A host's references are counted, and never below none. An object whose last reference is gone is
//! *buried*: it works on, until so many others were buried after it ([`ROOM`]). One that is *held*
//! is never buried: what there is one of in a process, and the task of a thread that runs.

use std::{
    collections::VecDeque,
    ffi::c_void,
    ops::Deref,
    ptr::{NonNull, null_mut},
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

use soglia_abi::{
    GUID, HRESULT,
    hresult::{E_NOINTERFACE, E_NOTIMPL, E_POINTER, S_OK},
    param::{In, Out},
};
use windows_core::{ComObject, ComObjectInner, IUnknown, IUnknownImpl, Interface};

use crate::boundary::fence;

/// So many buried objects are kept.
pub const ROOM: usize = 256;

/// What is in an object of one interface and those that it derives from; see [`class`].
pub trait Class: Sized + 'static {
    /// The interface.
    type Interface: Interface;
    /// Its methods, for [`Object`] of this.
    const METHODS: &'static <Self::Interface as Interface>::Vtable;

    /// Whether this is the interface, or one that it derives from, other than `IUnknown`.
    fn is(id: &GUID) -> bool;

    /// An interface of another object that is a part of this one, with a reference for the caller.
    /// Asked first.
    fn part(_this: &Object<Self>, _id: &GUID) -> Option<*mut c_void> {
        None
    }
}

/// Makes a class of a type whose objects are named: `class!(Debug, Debug_Impl, ICLRDebugManager,
/// ICLRDebugManager_Vtbl)`.
macro_rules! class {
    ($class:ident, $object:ident, $interface:ident, $methods:ident $(, $part:item)?) => {
        #[allow(non_camel_case_types, reason = "as windows-core names them")]
        type $object = $crate::com::Object<$class>;

        impl $crate::com::Class for $class {
            type Interface = $interface;
            const METHODS: &'static $methods = &$methods::new::<$object, 0>();

            fn is(id: &soglia_abi::GUID) -> bool {
                $methods::matches(id)
            }

            $($part)?
        }
    };
}

pub(crate) use class;

/// An object: to the host, a pointer to a pointer to its methods.
#[repr(C)]
pub struct Object<T: Class> {
    methods: &'static <T::Interface as Interface>::Vtable,
    /// References of others.
    count: AtomicU32,
    is_held: AtomicBool,
    is_buried: AtomicBool,
    value: T,
}

/// Gives out an interface of an object, as `QueryInterface` does.
pub fn interface_of<I: Interface>(
    object: &I,
    id: In<'_, GUID>,
    interface: Out<'_, *mut c_void>,
) -> HRESULT {
    // SAFETY: both pointers are null or valid for the call, which is what the wrappers promise.
    unsafe { object.query(id.as_ptr(), interface.as_ptr()) }
}

/// The hold on an object, which goes on as others count when this is gone.
pub struct Held<T: Class>(NonNull<Object<T>>);

impl<T: Class> Object<T> {
    fn boxed(value: T, count: u32) -> *mut Self {
        Box::into_raw(Box::new(Self {
            methods: T::METHODS,
            count: AtomicU32::new(count),
            is_held: AtomicBool::new(count == 0),
            is_buried: AtomicBool::new(false),
            value,
        }))
    }

    /// One that stays as long as the process.
    pub fn forever(value: T) -> &'static Self {
        // SAFETY: just made, and never freed: it is held.
        unsafe { &*Self::boxed(value, 0) }
    }

    /// One that stays as long as what is answered here, or longer if others count.
    pub fn held(value: T) -> Held<T> {
        let object = Self::boxed(value, 0);
        // SAFETY: a box is not null.
        Held(unsafe { NonNull::new_unchecked(object) })
    }

    /// One for the caller, who has the first reference.
    pub fn counted(value: T) -> T::Interface {
        // SAFETY: an object of that interface, with a reference.
        unsafe { T::Interface::from_raw(Self::boxed(value, 1).cast()) }
    }

    /// The pointer that hosts know, lent.
    pub fn as_raw(&self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The same, with a reference for the caller.
    pub fn give(&self) -> *mut c_void {
        self.AddRef();
        self.as_raw()
    }

    /// Has it stay as long as the process from now on.
    pub fn keep(&self) {
        self.is_held.store(true, Release);
    }

    /// The object that a host's pointer is, if it is one of this class.
    ///
    /// # Safety
    /// A live object of any interface.
    pub unsafe fn of<'a>(object: *mut c_void) -> Option<&'a Self> {
        // SAFETY: every object begins with a pointer to its methods.
        let methods = unsafe { *object.cast::<*const c_void>() };
        let own = std::ptr::from_ref(T::METHODS).cast();
        // SAFETY: only objects of this class have those methods.
        (methods == own).then(|| unsafe { &*object.cast::<Self>() })
    }

    /// Gives out an interface of this object, as `QueryInterface` does.
    pub fn interface(&self, id: In<'_, GUID>, mut interface: Out<'_, *mut c_void>) -> HRESULT {
        let Some(id) = id.get().filter(|_| !interface.is_null()) else {
            return E_POINTER;
        };
        let own = || (*id == IUnknown::IID || T::is(id)).then(|| self.give());
        let found = T::part(self, id).or_else(own);
        interface.write_if_wanted(found.unwrap_or(null_mut()));
        if found.is_some() { S_OK } else { E_NOINTERFACE }
    }

    fn is_in_use(&self) -> bool {
        self.is_held.load(Acquire) || self.count.load(Acquire) > 0
    }
}

impl<T: Class> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Class> Deref for Held<T> {
    type Target = Object<T>;

    fn deref(&self) -> &Object<T> {
        // SAFETY: not freed while it is held.
        unsafe { self.0.as_ref() }
    }
}

impl<T: Class> Drop for Held<T> {
    fn drop(&mut self) {
        self.is_held.store(false, Release);
        if !self.is_in_use() {
            bury(self.0);
        }
    }
}

/// An object without users, and what frees it if it still has none.
struct Grave {
    object: *mut c_void,
    free: unsafe fn(*mut c_void),
}

// SAFETY: objects may be used on any thread, as the hosting API has it; these have no users.
unsafe impl Send for Grave {}

static GRAVES: Mutex<VecDeque<Grave>> = Mutex::new(VecDeque::new());

fn bury<T: Class>(object: NonNull<Object<T>>) {
    /// # Safety
    /// A buried object of that class, taken out of the graves.
    unsafe fn free<T: Class>(object: *mut c_void) {
        let object = object.cast::<Object<T>>();
        // SAFETY: not freed before: no other code takes it out.
        unsafe {
            (*object).is_buried.store(false, Release);
            // A host has gone on using it, against the rules: it lives on, until it is released
            // again.
            if !(*object).is_in_use() {
                drop(Box::from_raw(object));
            }
        }
    }
    fence((), || {
        // SAFETY: alive until it was buried, and so many others were.
        if unsafe { object.as_ref() }.is_buried.swap(true, AcqRel) {
            return;
        }
        let grave = Grave {
            object: object.as_ptr().cast(),
            free: free::<T>,
        };
        let oldest = {
            let mut graves = GRAVES.lock().unwrap_or_else(PoisonError::into_inner);
            graves.push_back(grave);
            (graves.len() > ROOM).then(|| graves.pop_front()).flatten()
        };
        // What is in there may be released with it, and be buried itself.
        if let Some(grave) = oldest {
            // SAFETY: only this code has taken it out of the graves, so it is freed once.
            unsafe { (grave.free)(grave.object) };
        }
    });
}

impl<T: Class> IUnknownImpl for Object<T> {
    type Impl = T;

    fn get_impl(&self) -> &T {
        &self.value
    }

    fn get_impl_mut(&mut self) -> &mut T {
        &mut self.value
    }

    fn into_inner(self) -> T {
        self.value
    }

    unsafe fn QueryInterface(&self, id: *const GUID, interface: *mut *mut c_void) -> HRESULT {
        // SAFETY: the caller of a COM method passes pointers that are null or valid for the call.
        unsafe { self.interface(In::from_raw(id), Out::from_raw(interface)) }
    }

    fn AddRef(&self) -> u32 {
        self.count.fetch_add(1, Relaxed) + 1
    }

    unsafe fn Release(this: *mut Self) -> u32 {
        // SAFETY: alive, by COM's rules; or buried, if the host has released it too often.
        let object = unsafe { &*this };
        let one_less = |count: u32| count.checked_sub(1);
        match object.count.fetch_update(AcqRel, Acquire, one_less) {
            Ok(1) => {
                if let Some(this) = NonNull::new(this).filter(|_| !object.is_in_use()) {
                    bury(this);
                }
                0
            }
            Ok(before) => before - 1,
            Err(_none) => 0,
        }
    }

    fn is_reference_count_one(&self) -> bool {
        self.count.load(Acquire) == 1
    }

    /// Of WinRT.
    unsafe fn GetTrustLevel(&self, _value: *mut i32) -> HRESULT {
        E_NOTIMPL
    }

    fn to_object(&self) -> ComObject<T>
    where
        T: ComObjectInner<Outer = Self>,
    {
        self.AddRef();
        // SAFETY: alive, with a reference for what is answered.
        unsafe { ComObject::from_raw(NonNull::from(self)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_abi::hosting::com::{IEnumUnknown, IEnumUnknown_Impl, IEnumUnknown_Vtbl};
    use soglia_abi::param::Buffer;
    use std::sync::{Arc, MutexGuard};

    /// What is in it goes with it.
    struct Probe(#[expect(dead_code, reason = "is dropped")] Arc<()>);

    class!(Probe, Probe_Impl, IEnumUnknown, IEnumUnknown_Vtbl);

    impl IEnumUnknown_Impl for Probe_Impl {
        unsafe fn Next(&self, _: u32, _: Buffer<'_, *mut c_void>, _: Out<'_, u32>) -> HRESULT {
            S_OK
        }
        unsafe fn Skip(&self, number: u32) -> HRESULT {
            HRESULT(number as i32)
        }
        unsafe fn Reset(&self) -> HRESULT {
            S_OK
        }
        unsafe fn Clone(&self, _: Out<'_, *mut c_void>) -> HRESULT {
            S_OK
        }
    }

    /// These tests count the same graves. Each test of this crate that releases an object calls
    /// this first.
    fn alone() -> MutexGuard<'static, ()> {
        static ALONE: Mutex<()> = Mutex::new(());
        ALONE.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(object: *mut c_void) -> IUnknown {
        // SAFETY: an object of the tests' own, with a reference.
        unsafe { IUnknown::from_raw(object) }
    }

    fn release(object: *mut c_void) -> u32 {
        // SAFETY: an object of the tests' own.
        unsafe { Probe_Impl::Release(object.cast()) }
    }

    fn works(object: *mut c_void) -> bool {
        // SAFETY: the tests keep their objects alive, counted or buried.
        let object = unsafe { IEnumUnknown::from_raw_borrowed(&object) }.unwrap();
        // SAFETY: the method takes any number.
        unsafe { object.Skip(7) }.0 == 7
    }

    fn bury_others(number: usize) {
        for _ in 0..number {
            drop(Object::counted(Probe(Arc::default())));
        }
    }

    #[test]
    fn an_object_lives_on_for_a_while() {
        let _alone = alone();
        let inside = Arc::new(());
        let object = Object::counted(Probe(inside.clone())).into_raw();
        for _ in 0..3 {
            assert_eq!(release(object), 0);
        }
        bury_others(ROOM - 1);
        assert!(works(object));
        // It is in use once more, so its user keeps it.
        let again: IUnknown = {
            // SAFETY: an object of this test's own.
            let lent = unsafe { IEnumUnknown::from_raw_borrowed(&object) }.unwrap();
            lent.cast().unwrap()
        };
        bury_others(ROOM);
        assert!(works(object) && Arc::strong_count(&inside) == 2);
        drop(again);
        bury_others(ROOM);
        assert_eq!(Arc::strong_count(&inside), 1);
    }

    #[test]
    fn an_object_that_is_held_stays() {
        let _alone = alone();
        let inside = Arc::new(());
        let held = Object::held(Probe(inside.clone()));
        let object = held.as_raw();
        for _ in 0..3 {
            assert_eq!(release(object), 0);
        }
        let counted = unknown(held.give());
        assert_eq!(release(object), 0);
        // Counted too little: what is left is not counted below none.
        drop(counted);
        bury_others(2 * ROOM);
        assert!(works(object));
        let counted = unknown(held.give());
        drop(held);
        bury_others(2 * ROOM);
        assert!(works(object));
        drop(counted);
        bury_others(ROOM);
        assert_eq!(Arc::strong_count(&inside), 1);
        let forever = Object::forever(Probe(inside.clone()));
        assert_eq!(release(forever.as_raw()), 0);
        bury_others(2 * ROOM);
        assert!(works(forever.as_raw()));
    }

    #[test]
    fn an_object_has_its_interfaces() {
        let _alone = alone();
        let object: IEnumUnknown = Object::counted(Probe(Arc::default()));
        let identity: IUnknown = object.cast().unwrap();
        assert_eq!(identity.as_raw(), object.as_raw());
        assert!(identity.cast::<IEnumUnknown>().is_ok());
        let none = object.cast::<soglia_abi::hosting::gc::ICLRGCManager>();
        assert_eq!(none.unwrap_err().code(), E_NOINTERFACE);
        // SAFETY: an object of this class.
        assert!(unsafe { Probe_Impl::of(object.as_raw()) }.is_some());
    }
}
