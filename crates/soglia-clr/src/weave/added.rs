//! Which methods the weaver added to each module, by their rows in the table of methods.

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
    /// The P/Invokes inside wrappers, by the wrappers' rows.
    inside: HashMap<u32, u32>,
    wrappers: HashMap<u32, u32>,
    /// The new bodies of callbacks by the callbacks' rows, and the callbacks by their bodies' rows.
    bodies: HashMap<u32, u32>,
    callbacks: HashMap<u32, u32>,
}

/// The part that a method has in what was woven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// An added method without another part.
    Added,
    /// The P/Invoke inside the wrapper `of`.
    Inside { of: MdToken },
    /// A P/Invoke of the program that is a wrapper now.
    Wrapper,
    /// The body of the callback `of`.
    Body { of: MdToken },
    /// A callback of the program, whose body is now the method `body`.
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

/// Notes that a method was added.
pub(super) fn add(module: ModuleId, method: MdToken) {
    write(module, |added| {
        added.methods.insert(method.row());
    });
}

/// Notes that `inside` was added, and that `wrapper` calls it.
pub(super) fn add_inside(module: ModuleId, wrapper: MdToken, inside: MdToken) {
    write(module, |added| {
        added.inside.insert(wrapper.row(), inside.row());
        added.wrappers.insert(inside.row(), wrapper.row());
    });
}

/// Notes that `body` was added, and that it is the body of `callback`.
pub(super) fn add_body(module: ModuleId, callback: MdToken, body: MdToken) {
    write(module, |added| {
        added.bodies.insert(callback.row(), body.row());
        added.callbacks.insert(body.row(), callback.row());
    });
}

/// Forgets a module that is about to be unloaded.
pub(super) fn forget(module: ModuleId) {
    let mut all = ADDED.write().unwrap_or_else(PoisonError::into_inner);
    all.get_or_insert_default().remove(&module);
}

/// The P/Invoke inside a wrapper.
pub(super) fn inside(module: ModuleId, wrapper: MdToken) -> Option<MdToken> {
    read(module, |added| {
        added.inside.get(&wrapper.row()).map(|row| method(*row))
    })
}

/// The part that a method has in what was woven. `None`: it has none.
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
