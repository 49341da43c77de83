//! Runs a method or a program in a domain.

use std::path::Path;

use soglia_abi::{
    HRESULT,
    hresult::{E_INVALIDARG, E_POINTER},
    param::{Array, Out, Wide, WideString},
};
use soglia_dotnet::full_path;

use super::{
    assemblies,
    clr::{Clr, DOMAIN},
    domains, execution, exported, managed,
    method::answer,
    starts::started,
};
use crate::host::task;

/// `ExecuteInDefaultAppDomain`, and the same in another domain: calls `static int METHOD(string)`.
pub fn execute(
    domain: u32,
    [assembly, class, name, argument]: [Wide<'_>; 4],
    mut result: Out<'_, u32>,
) -> HRESULT {
    let clr = match started() {
        Ok(clr) => clr,
        Err(why) => return why,
    };
    let Some(place) = Place::of(domain, assembly) else {
        return E_POINTER;
    };
    if class.is_null() || name.is_null() {
        return E_POINTER;
    }
    let inside = match task::inside() {
        Ok(inside) => inside,
        Err(why) => return why,
    };
    let entered = match domains::enter(domain) {
        Ok(entered) => entered,
        Err(why) => return why,
    };
    if domain == DOMAIN
        && let Place::File(path) = &place
    {
        clr.load(Path::new(path));
    }
    let path = place.text();
    if domain == DOMAIN && !managed::is_there() {
        // SAFETY: the runtime is alive, and checks the pointers for null.
        return unsafe {
            clr.host()
                .ExecuteInDefaultAppDomain(path.lent(), class, name, argument, result)
        };
    }
    drop(inside);
    let executed = execution::controlled(|execution| {
        let texts = [path.lent(), class, name, argument];
        managed::execute(entered.handle(), texts, execution)
    });
    answer(executed.map(|value| result.write_if_wanted(value as u32)))
}

/// `ExecuteAssembly`: calls `Main` of an assembly.
///
/// # Safety
/// There are as many arguments as `count` says, if it is not below 0.
pub unsafe fn run(
    domain: u32,
    assembly: Wide<'_>,
    count: i32,
    arguments: Array<'_, Wide<'_>>,
    mut result: Out<'_, u32>,
) -> HRESULT {
    let clr = match started() {
        Ok(clr) => clr,
        Err(why) => return why,
    };
    let Some(place) = Place::of(domain, assembly) else {
        return E_POINTER;
    };
    let inside = match task::inside() {
        Ok(inside) => inside,
        Err(why) => return why,
    };
    let entered = match domains::enter(domain) {
        Ok(entered) => entered,
        Err(why) => return why,
    };
    let path = place.text();
    let Some(own) = entered.domain() else {
        clr.load(Path::new(&place.into_text()));
        // SAFETY: the runtime is alive, and checks the pointers for null. The caller of this
        // function passes as many arguments as it says.
        return unsafe {
            clr.host()
                .ExecuteAssembly(domain, path.lent(), count, arguments, result)
        };
    };
    let Ok(length) = usize::try_from(count) else {
        return E_INVALIDARG;
    };
    // SAFETY: the caller vouches for the count.
    match unsafe { arguments.get(length) } {
        None => return E_POINTER,
        Some(texts) if texts.iter().any(|text| text.is_null()) => return E_POINTER,
        Some(_) => {}
    }
    drop(inside);
    let ran = execution::controlled(|execution| {
        // SAFETY: there are so many arguments, and none is null.
        unsafe { managed::run(entered.handle(), path.lent(), count, arguments, execution) }
    });
    answer(ran.map(|code| {
        own.exits_with(code);
        result.write_if_wanted(code as u32);
    }))
}

/// `CreateDelegate`: a pointer for native code to an `UnmanagedCallersOnly` method.
pub fn function(
    domain: u32,
    [assembly, class, name]: [Wide<'_>; 3],
    address: Out<'_, isize>,
) -> HRESULT {
    let clr = match started() {
        Ok(clr) => clr,
        Err(why) => return why,
    };
    if domain != DOMAIN {
        let place = Place::of(domain, assembly);
        let (Some(place), false) = (place, class.is_null() || name.is_null()) else {
            return E_POINTER;
        };
        return address.fill(|| {
            let _inside = task::inside()?;
            exported::function(domain, place.text().lent(), class, name)
        });
    }
    let names = [assembly, class, name].map(Wide::to_text);
    if let [Some(path), Some(class), Some(name)] = names
        && path.contains('/')
        && !address.is_null()
    {
        return address.fill(|| in_file(clr, &path, &class, &name));
    }
    // SAFETY: the runtime is alive, and checks the pointers for null.
    unsafe {
        clr.host()
            .CreateDelegate(domain, assembly, class, name, address)
    }
}

fn in_file(clr: &Clr, path: &str, class: &str, name: &str) -> Result<isize, HRESULT> {
    clr.method_of_file(&full_path(Path::new(path)), class, name)
}

/// Where an assembly is.
enum Place {
    /// In this file.
    File(String),
    /// The host provides it by this identity, or its domain finds it.
    Store(String),
}

impl Place {
    /// What the host means: the file of that name, or, if there is no such file and assemblies
    /// come from elsewhere too, an identity. `None` if it is null.
    fn of(domain: u32, assembly: Wide<'_>) -> Option<Self> {
        let path = absolute(assembly)?;
        let text = assembly.to_text()?;
        let has_identities = assemblies::has_store() || domain != DOMAIN;
        let is_file = text.contains('/') || !has_identities || Path::new(&path).is_file();
        Some(if is_file {
            Self::File(path)
        } else {
            Self::Store(text)
        })
    }

    fn into_text(self) -> String {
        let (Self::File(text) | Self::Store(text)) = self;
        text
    }

    fn text(&self) -> WideString {
        let (Self::File(text) | Self::Store(text)) = self;
        WideString::new(text)
    }
}

/// The absolute path that the host means, from the current folder. `None` if it is null.
fn absolute(path: Wide<'_>) -> Option<String> {
    let path = path.to_text()?;
    let full = full_path(Path::new(&path)).into_os_string().into_string();
    Some(full.unwrap_or(path))
}
