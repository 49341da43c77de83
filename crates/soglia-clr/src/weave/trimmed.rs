//! What CoreLib lacks in a program that trimmed it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::done;
use crate::{
    engine::Engine,
    metadata::{Scope, find},
};

/// Whether CoreLib lacks a method: a trimmed program has only the methods that it uses. Methods are
/// compared by name and number of parameters.
pub(super) fn lacks(engine: &Engine, class: &'static str, name: &str, signature: &[u8]) -> bool {
    static KNOWN: Mutex<BTreeMap<(&str, String), bool>> = Mutex::new(BTreeMap::new());
    let key = (class, name.to_owned());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.entry(key).or_insert_with(|| {
        let there = done::corelib().and_then(|module| {
            let scope = Scope::of_module(&engine.info, module)?;
            let import = scope.itself();
            let methods =
                find::class(import, class).map(|class| find::methods(import, class, name));
            Some(methods.is_some_and(|all| all.iter().any(|(_, s)| s[..2] == signature[..2])))
        });
        there == Some(false)
    })
}
