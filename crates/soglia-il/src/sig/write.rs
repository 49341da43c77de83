//! Signatures that the engine adds to modules.

use soglia_abi::ids::MdToken;

use super::{
    element::{CMOD_OPT, GENERIC, KIND_CDECL, KIND_INSTANCE, KIND_LOCALS, KIND_UNMANAGED, VOID},
    method::MethodSig,
    number::{put_type, put_unsigned, unsigned},
    variable::Variable,
};

/// How IL calls native code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unmanaged {
    /// The thread stays in cooperative mode.
    ///
    /// The call is some nanoseconds cheaper. The callee must neither block nor take long.
    Suppressed {
        /// The type `CallConvSuppressGCTransition`.
        modopt: MdToken,
    },
    /// The thread changes to preemptive mode and back, as for any C function.
    Cdecl,
}

/// The signature of a `calli` to a hook.
///
/// With [`Unmanaged::Suppressed`] it is `09 n 20 <modopt> ret params`: the convention "unmanaged",
/// which the modifier of the return type makes exact.
/// With [`Unmanaged::Cdecl`] it is `01 n ret params`.
///
/// Returns `None` if `modopt` is no type.
pub fn hook_signature(convention: Unmanaged, ret: &[u8], params: &[&[u8]]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    out.push(match convention {
        Unmanaged::Suppressed { .. } => KIND_UNMANAGED,
        Unmanaged::Cdecl => KIND_CDECL,
    });
    put_unsigned(&mut out, u32::try_from(params.len()).ok()?)?;
    if let Unmanaged::Suppressed { modopt } = convention {
        out.push(CMOD_OPT);
        put_type(&mut out, modopt)?;
    }
    out.extend(ret);
    out.extend(params.iter().copied().flatten());
    Some(out)
}

/// The signature of a method that is not generic, with an optional modifier of what it returns. Two
/// methods of one name can differ in that alone.
///
/// Returns `None` if `modopt` is no type, or `of` no such signature.
pub fn with_modifier(of: &[u8], modopt: MdToken) -> Option<Vec<u8>> {
    let (kind, rest) = of.split_first()?;
    if kind & GENERIC != 0 {
        return None;
    }
    let (_, size) = unsigned(rest)?;
    let mut out = of[..=size].to_vec();
    out.push(CMOD_OPT);
    put_type(&mut out, modopt)?;
    out.extend(&rest[size..]);
    Some(out)
}

/// The signature of local variables: `07 n types`.
///
/// Returns `None` if there are more than 65,534, the most that a method may have.
pub fn locals_signature(types: &[&[u8]]) -> Option<Vec<u8>> {
    let count = u16::try_from(types.len()).ok()?;
    if count == u16::MAX {
        return None;
    }
    let mut out = vec![KIND_LOCALS];
    put_unsigned(&mut out, count.into())?;
    out.extend(types.iter().copied().flatten());
    Some(out)
}

/// The signature of the local variables `of`, and behind them one more of the type `more`.
///
/// Returns `None` if `of` is no such signature, or if there are 65,534 already.
pub fn with_one_more_local(of: &[u8], more: u8) -> Option<Vec<u8>> {
    let types = of.strip_prefix(&[KIND_LOCALS])?;
    let (count, size) = unsigned(types)?;
    let mut out = vec![KIND_LOCALS];
    let count = count.checked_add(1)?;
    if count >= u16::MAX.into() {
        return None;
    }
    put_unsigned(&mut out, count)?;
    out.extend(&types[size..]);
    out.push(more);
    Some(out)
}

/// How many local variables a signature has.
///
/// Returns `None` if it is not the signature of local variables.
pub fn count_locals(of: &[u8]) -> Option<u16> {
    let (count, _) = unsigned(of.strip_prefix(&[KIND_LOCALS])?)?;
    u16::try_from(count).ok()
}

/// The signature of a static method that takes the parameters of `of`, and behind them one more of
/// the type `more`. The method has `generic` type parameters.
///
/// Returns `None` if a number is too great for a signature.
pub fn with_one_more(of: &MethodSig, generic: u32, more: u8) -> Option<Vec<u8>> {
    let mut out = vec![if generic > 0 { GENERIC } else { 0 }];
    if generic > 0 {
        put_unsigned(&mut out, generic)?;
    }
    let params = of.params();
    put_unsigned(&mut out, u32::try_from(params.len()).ok()?.checked_add(1)?)?;
    out.extend(of.ret());
    out.extend(params.flatten());
    out.push(more);
    Some(out)
}

/// The signature of a static method that takes these types and returns nothing.
///
/// Returns `None` if there are too many for a signature.
pub fn static_signature<'a>(types: impl Iterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let types: Vec<&[u8]> = types.collect();
    let mut out = vec![0];
    put_unsigned(&mut out, u32::try_from(types.len()).ok()?)?;
    out.push(VOID);
    out.extend(types.into_iter().flatten());
    Some(out)
}

/// The signature of an instance of a generic method: `0A n types`.
///
/// Returns `None` if the number of a type parameter is too great for a signature.
pub fn instance_signature(types: &[Variable]) -> Option<Vec<u8>> {
    let mut out = vec![KIND_INSTANCE];
    put_unsigned(&mut out, u32::try_from(types.len()).ok()?)?;
    for variable in types {
        variable.put(&mut out)?;
    }
    Some(out)
}
