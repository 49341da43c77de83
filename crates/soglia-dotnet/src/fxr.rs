//! The C interface of `libhostfxr.so`, as `hostfxr.h` declares it for Linux.

use std::ffi::{c_char, c_int, c_void};

/// `hostfxr_handle`.
pub type Handle = *mut c_void;

/// `hostfxr_initialize_parameters`.
#[repr(C)]
#[derive(Debug)]
pub struct InitializeParameters {
    /// The size of this structure, in bytes.
    pub size: usize,
    /// The file of the program that hosts .NET.
    pub host_path: *const c_char,
    /// The .NET root.
    pub dotnet_root: *const c_char,
}

/// `hostfxr_initialize_for_dotnet_command_line`.
pub type InitializeForCommandLine = unsafe extern "C" fn(
    c_int,
    *const *const c_char,
    *const InitializeParameters,
    *mut Handle,
) -> i32;

/// `hostfxr_initialize_for_runtime_config`.
pub type InitializeForRuntimeConfig =
    unsafe extern "C" fn(*const c_char, *const InitializeParameters, *mut Handle) -> i32;

/// `hostfxr_run_app`.
pub type RunApp = unsafe extern "C" fn(Handle) -> i32;

/// `hostfxr_get_runtime_property_value`.
pub type GetRuntimeProperty =
    unsafe extern "C" fn(Handle, *const c_char, *mut *const c_char) -> i32;

/// `hostfxr_set_runtime_property_value`.
pub type SetRuntimeProperty = unsafe extern "C" fn(Handle, *const c_char, *const c_char) -> i32;

/// `hostfxr_get_runtime_delegate`, which starts the runtime if it does not run yet.
pub type GetRuntimeDelegate = unsafe extern "C" fn(Handle, c_int, *mut *mut c_void) -> i32;

/// `hostfxr_close`.
pub type Close = unsafe extern "C" fn(Handle) -> i32;

/// `hdt_get_function_pointer`: a [`GetFunctionPointer`].
pub const GET_FUNCTION_POINTER: c_int = 6;
/// `hdt_load_assembly`: a [`LoadAssembly`]. .NET 8 and later.
pub const LOAD_ASSEMBLY: c_int = 7;
/// `hdt_load_assembly_bytes`: a [`LoadAssemblyBytes`]. .NET 8 and later.
pub const LOAD_ASSEMBLY_BYTES: c_int = 8;

/// In place of the name of a delegate type: the method is an `UnmanagedCallersOnly` one.
pub const UNMANAGED_CALLERS_ONLY: *const c_char = usize::MAX as *const c_char;

/// Type, method, delegate type, load context, reserved, where the function goes.
pub type GetFunctionPointer = unsafe extern "system" fn(
    *const c_char,
    *const c_char,
    *const c_char,
    *mut c_void,
    *mut c_void,
    *mut *mut c_void,
) -> i32;

/// The assembly's file, load context, reserved.
pub type LoadAssembly = unsafe extern "system" fn(*const c_char, *mut c_void, *mut c_void) -> i32;

/// The assembly's bytes and their number, symbols and their number, load context, reserved.
pub type LoadAssemblyBytes = unsafe extern "system" fn(
    *const c_void,
    usize,
    *const c_void,
    usize,
    *mut c_void,
    *mut c_void,
) -> i32;
