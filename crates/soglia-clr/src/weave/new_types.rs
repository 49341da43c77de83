//! Adds the types in which new methods lie.

use soglia_abi::{
    ids::MdToken,
    profiler::metadata_flags::{
        mdMemberAccessMask, mdPublic, tdAbstract, tdBeforeFieldInit, tdNestedPublic, tdPublic,
        tdSealed,
    },
};

use super::{
    emit::{Emitter, GLOBAL},
    home::{Home, Types},
};
use crate::metadata::before::{Before, Error, check, wide};

/// A class that only holds methods.
const FLAGS: u32 = tdAbstract | tdSealed | tdBeforeFieldInit;

impl Emitter<'_> {
    /// Whether the module is in use, so that its own types and methods must stay as they are.
    pub(super) const fn is_in_use(&self) -> bool {
        matches!(self.home, Home::New(_))
    }

    /// The type for a method that uses what every method may use.
    pub(super) fn apart(&mut self) -> Result<MdToken, Error> {
        let Home::New(types) = &self.home else {
            return Ok(GLOBAL);
        };
        if let Some(apart) = types.apart {
            return Ok(apart);
        }
        let name = wide(&Types::name(types.number));
        let object = self.type_of_corelib("System.Object")?;
        let (none, mut token) = (MdToken::default(), MdToken::default());
        // SAFETY: the name ends with a zero, the list of interfaces is empty and ends with a nil
        // token, and the pointer is to a local.
        let code = unsafe {
            self.emit.DefineTypeDef(
                name.as_ptr(),
                FLAGS | tdPublic,
                object,
                &raw const none,
                &raw mut token,
            )
        };
        check("DefineTypeDef", code)?;
        if let Home::New(types) = &mut self.home {
            types.apart = Some(token);
        }
        Ok(token)
    }

    /// The type for a method that calls this one, which may be private.
    pub(super) fn beside(&mut self, method: &Before) -> Result<MdToken, Error> {
        let Home::New(types) = &self.home else {
            return Ok(GLOBAL);
        };
        if method.class == GLOBAL {
            // `<Module>` encloses no types.
            if method.flags & mdMemberAccessMask != mdPublic {
                return Err(Error::HIDDEN);
            }
            return self.apart();
        }
        if let Some(nested) = types.nested.get(&method.class) {
            return Ok(*nested);
        }
        let name = wide(&Types::name(types.number));
        let object = self.type_of_corelib("System.Object")?;
        let (none, mut token) = (MdToken::default(), MdToken::default());
        // SAFETY: the name ends with a zero, the list of interfaces is empty and ends with a nil
        // token, the class is of this module, and the pointer is to a local.
        let code = unsafe {
            self.emit.DefineNestedType(
                name.as_ptr(),
                FLAGS | tdNestedPublic,
                object,
                &raw const none,
                method.class,
                &raw mut token,
            )
        };
        check("DefineNestedType", code)?;
        if let Home::New(types) = &mut self.home {
            types.nested.insert(method.class, token);
        }
        Ok(token)
    }
}
