//! Bodies without protected blocks, whose code can be put into another body.

use soglia_abi::ids::MdToken;

use super::{instruction::Instructions, layout::Layout};
use crate::opcode::{CALL, CALLI, CALLVIRT, NEWOBJ, RET, THROW};

/// A body in which nothing is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    /// The code: without its return if [`plain`] made this, with all its returns if [`whole`] did.
    pub code: &'a [u8],
    /// The greatest stack that the code needs.
    pub stack: u16,
    /// The signature of the local variables, if there are any.
    pub locals: Option<MdToken>,
}

impl Plain<'_> {
    /// Whether the code calls `method`, other than as a virtual method.
    pub fn calls(&self, method: MdToken) -> bool {
        // Code that cannot be read ends the search.
        Instructions::new(self.code)
            .map_while(|instruction| instruction)
            .any(|instruction| instruction.opcode() == CALL && instruction.token() == Some(method))
    }
}

/// Takes a body apart in which nothing is protected. Its code keeps its returns, and is not read.
///
/// Returns `None` if something is protected, or if the header cannot be read.
pub fn whole(body: &[u8]) -> Option<Plain<'_>> {
    let layout = Layout::read(body)?;
    (!layout.has_sections).then(|| Plain {
        code: layout.code(),
        stack: layout.stack,
        locals: layout.locals,
    })
}

/// Takes a body apart in which nothing is protected and which returns once, at its end.
///
/// Returns `None` for any other body, and for one that cannot be read.
pub fn plain(body: &[u8]) -> Option<Plain<'_>> {
    let whole = whole(body)?;
    let mut instructions = Instructions::new(whole.code);
    loop {
        let instruction = instructions.next()??;
        let is_last = instruction.end() == whole.code.len();
        match (instruction.opcode(), is_last) {
            (RET, true) => {
                return Some(Plain {
                    code: &whole.code[..instruction.at()],
                    ..whole
                });
            }
            (RET, false) | (_, true) => return None,
            _ => {}
        }
    }
}

/// The signature of the local variables of a body, if it has any.
///
/// Returns `None` if the body cannot be read.
pub fn locals(body: &[u8]) -> Option<Option<MdToken>> {
    Layout::read(body).map(|layout| layout.locals)
}

/// Whether a body calls others or throws, so that its method may be in stack traces.
///
/// Returns `true` if the body cannot be read.
pub fn leads_on(body: &[u8]) -> bool {
    let Some(layout) = Layout::read(body) else {
        return true;
    };
    layout.instructions().any(|instruction| {
        instruction.is_none_or(|instruction| {
            matches!(
                instruction.opcode(),
                CALL | CALLI | CALLVIRT | NEWOBJ | THROW
            )
        })
    })
}
