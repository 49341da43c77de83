//! Copies parameters and attributes of one method to another of the same module.

use soglia_abi::ids::MdToken;

use super::emit::Emitter;
use crate::metadata::before::{
    Error, Parameter, attributes, bytes, check, marshalling, parameters,
};

/// Flags of a parameter: it has a default value or marshalling.
const HAS_DEFAULT_OR_MARSHAL: u32 = 0x3000;
/// Flags of a parameter: what is marshalled goes in, or comes out.
const IN: u32 = 1;
const OUT: u32 = 2;
/// A flag of a parameter: it has marshalling.
const HAS_MARSHAL: u32 = 0x2000;

impl Emitter<'_> {
    /// Copies the parameters of a method. Their marshalling belongs to them; that of the result
    /// belongs to parameter 0.
    pub(super) fn copy_parameters(&self, from: MdToken, to: MdToken) -> Result<(), Error> {
        self.copy_parameters_unlike(from, to, &[])
    }

    /// The same for a P/Invoke that must not share the CLR's marshalling code with the original.
    /// The CLR shares it between P/Invokes that are declared alike. So the parameters with these
    /// numbers, of which the flag has no other meaning, differ in `In`.
    pub(super) fn copy_parameters_unlike(
        &self,
        from: MdToken,
        to: MdToken,
        unlike: &[u32],
    ) -> Result<(), Error> {
        for parameter in parameters(&self.import, from) {
            let about = Parameter::of(&self.import, parameter)?;
            let mut copy = MdToken::default();
            let is_unlike = unlike.contains(&about.sequence) && about.flags & OUT == 0;
            let other = if is_unlike { IN } else { 0 };
            // SAFETY: the method was made by this emitter, the name ends with a zero, there is no
            // constant, and the pointer is to a local.
            let code = unsafe {
                self.emit.DefineParam(
                    to,
                    about.sequence,
                    about.name.as_ptr(),
                    (about.flags ^ other) & !HAS_DEFAULT_OR_MARSHAL,
                    0,
                    std::ptr::null(),
                    0,
                    &raw mut copy,
                )
            };
            check("DefineParam", code)?;
            if about.flags & HAS_MARSHAL != 0
                && let Some(marshalling) = marshalling(&self.import, parameter)
            {
                // SAFETY: this emitter made the parameter, and the bytes are as many as said.
                let code = unsafe {
                    let size = marshalling.len() as u32;
                    self.emit.SetFieldMarshal(copy, marshalling.as_ptr(), size)
                };
                check("SetFieldMarshal", code)?;
            }
            self.copy_attributes(parameter, copy)?;
        }
        Ok(())
    }

    /// Copies the custom attributes of a method or a parameter.
    pub(super) fn copy_attributes(&self, from: MdToken, to: MdToken) -> Result<(), Error> {
        for attribute in attributes(&self.import, from) {
            let (mut owner, mut constructor) = (MdToken::default(), MdToken::default());
            let (mut value, mut size) = (std::ptr::null(), 0);
            // SAFETY: the enumeration gave this attribute of the module. The pointers are to
            // locals.
            let code = unsafe {
                self.import.GetCustomAttributeProps(
                    attribute,
                    &raw mut owner,
                    &raw mut constructor,
                    &raw mut value,
                    &raw mut size,
                )
            };
            check("GetCustomAttributeProps", code)?;
            // Defining something may move the metadata, so the value is copied first.
            // SAFETY: the CLR has just given this address and size, and nothing was defined since.
            let value = unsafe { bytes(value.cast(), size) };
            self.attribute(to, constructor, &value)?;
        }
        Ok(())
    }
}
