//! In which types the new methods of a module lie.

use std::collections::HashMap;

use soglia_abi::ids::MdToken;

/// The types in which new methods of a module lie.
#[derive(Default)]
pub(super) enum Home {
    /// `<Module>`: the module is being loaded, so the CLR has not looked at its types yet.
    #[default]
    Global,
    /// New types: the CLR does not look again at the types that it has loaded.
    New(Types),
}

/// The new types of a module.
pub(super) struct Types {
    /// Tells them from those that the module got before.
    pub(super) number: u32,
    pub(super) apart: Option<MdToken>,
    /// By the type that encloses them.
    pub(super) nested: HashMap<MdToken, MdToken>,
}

impl Types {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            apart: None,
            nested: HashMap::new(),
        }
    }

    /// The name of these types.
    pub(super) fn name(number: u32) -> String {
        format!("<soglia>{number}")
    }
}
