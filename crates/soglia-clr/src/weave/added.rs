//! What was added to modules, for those who come upon it: by their rows in the table of methods.

use std::{
    collections::{HashMap, HashSet},
    sync::{PoisonError, RwLock},
};

use soglia_abi::ids::{MdToken, ModuleId};

static ADDED: RwLock<Option<HashMap<ModuleId, Added>>> = RwLock::new(None);

/// What was added to one module.
#[derive(Default)]
struct Added {
    methods: HashSet<u32>,
    /// The P/Invokes inside of wrappers, by the wrappers.
    inside: HashMap<u32, u32>,
    wrappers: HashMap<u32, u32>,
    /// The new bodies of callbacks by the callbacks, and the other way round.
    bodies: HashMap<u32, u32>,
    callbacks: HashMap<u32, u32>,
}

/// What a method is to what was woven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It was added.
    Added,
    /// The P/Invoke inside of this wrapper.
    Inside { of: MdToken },
    /// A P/Invoke that is a wrapper now.
    Wrapper,
    /// The body of this callback.
    Body { of: MdToken },
    /// A callback, whose body is this method now.
    Callback { body: MdToken },
}

fn write(module: ModuleId, add: impl FnOnce(&mut Added)) {
    let mut all = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    add(all.get_or_insert_default().entry(module).or_default());
}

fn read<T>(module: ModuleId, read: impl FnOnce(&Added) -> Option<T>) -> Option<T> {
    let all = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    read(all.as_ref()?.get(&module)?)
}

const fn method(row: u32) -> MdToken {
    MdToken(0x0600_0000 | row)
}

/// A method was added.
pub(super) fn add(module: ModuleId, method: MdToken) {
    write(module, |added| {
        added.methods.insert(method.row());
    });
}

/// A wrapper was made, which calls this P/Invoke.
pub(super) fn add_inside(module: ModuleId, wrapper: MdToken, inside: MdToken) {
    write(module, |added| {
        added.inside.insert(wrapper.row(), inside.row());
        added.wrappers.insert(inside.row(), wrapper.row());
    });
}

/// A callback has its body in this method now.
pub(super) fn add_body(module: ModuleId, callback: MdToken, body: MdToken) {
    write(module, |added| {
        added.bodies.insert(callback.row(), body.row());
        added.callbacks.insert(body.row(), callback.row());
    });
}

/// A module is about to be unloaded.
pub(super) fn forget(module: ModuleId) {
    let mut all = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    all.get_or_insert_default().remove(&module);
}

/// The P/Invoke inside of a wrapper.
pub(super) fn inside(module: ModuleId, wrapper: MdToken) -> Option<MdToken> {
    read(module, |added| {
        added.inside.get(&wrapper.row()).map(|row| method(*row))
    })
}

/// What a method is to what was woven; `None`: nothing.
pub(super) fn part(module: ModuleId, token: MdToken) -> Option<Part> {
    let row = token.row();
    read(module, |added| {
        let body = added.bodies.get(&row).map(|body| Part::Callback {
            body: method(*body),
        });
        let callback = added.callbacks.get(&row);
        let wrapper = added.wrappers.get(&row);
        body.or_else(|| callback.map(|of| Part::Body { of: method(*of) }))
            .or_else(|| wrapper.map(|of| Part::Inside { of: method(*of) }))
            .or_else(|| added.inside.contains_key(&row).then_some(Part::Wrapper))
            .or_else(|| added.methods.contains(&row).then_some(Part::Added))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_is_known_until_its_module_goes() {
        let (module, other) = (ModuleId(0x7_0001), ModuleId(0x7_0002));
        let [wrapper, inside, callback, body, own, helper] = [1, 11, 2, 12, 3, 13].map(method);
        for added in [inside, body, helper] {
            add(module, added);
        }
        add_inside(module, wrapper, inside);
        add_body(module, callback, body);
        assert_eq!(super::inside(module, wrapper), Some(inside));
        assert_eq!(super::inside(module, own), None);
        let all = [wrapper, inside, callback, body, own, helper];
        let parts = all.map(|token| part(module, token));
        assert_eq!(
            parts,
            [
                Some(Part::Wrapper),
                Some(Part::Inside { of: wrapper }),
                Some(Part::Callback { body }),
                Some(Part::Body { of: callback }),
                None,
                Some(Part::Added)
            ]
        );
        assert_eq!(part(other, wrapper), None);
        forget(module);
        assert_eq!(part(module, wrapper), None);
    }
}
