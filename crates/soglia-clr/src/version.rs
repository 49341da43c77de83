//! Which runtime this is.

use soglia_abi::profiler::{
    info::{ICorProfilerInfo, ICorProfilerInfo3},
    types::COR_PRF_CORE_CLR,
};
use windows_core::Interface;

use crate::objects;

/// The version in the name of the runtime's folder, which is exact. `None` for a runtime that the
/// program brought along.
pub fn of_folder() -> Option<String> {
    let folder = objects::runtime_folder()?;
    let version = folder.file_name()?.to_str()?;
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then(|| version.to_owned())
}

/// The name of a runtime. .NET Core reports the version of its files: 4.700 is .NET Core 3, and 4.6
/// are the versions before.
pub fn name([major, minor, build]: [u16; 3], folder: Option<&str>) -> String {
    match (major, minor, folder) {
        (..5, _, Some(version)) => format!(".NET Core {version}"),
        (..5, 700.., None) => ".NET Core 3".into(),
        (..5, _, None) => ".NET Core 2 or older".into(),
        (_, _, Some(version)) => format!(".NET {version}"),
        _ => format!(".NET {major}.{minor}.{build}"),
    }
}

/// Major, minor and build number of the runtime, as it reports them.
pub fn of_runtime(info: &ICorProfilerInfo) -> Option<[u16; 3]> {
    let (mut kind, mut version) = (COR_PRF_CORE_CLR, [0; 3]);
    let [major, minor, build] = &mut version;
    let nothing = std::ptr::null_mut();
    let info = info.cast::<ICorProfilerInfo3>().ok()?;
    // SAFETY: the pointers are to locals, or null, which asks for nothing.
    let answer = unsafe {
        info.GetRuntimeInformation(
            nothing,
            &raw mut kind,
            major,
            minor,
            build,
            nothing,
            0,
            nothing.cast(),
            nothing,
        )
    };
    answer.is_ok().then_some(version)
}

#[cfg(test)]
mod tests {
    #[test]
    fn old_runtimes_are_called_by_their_names() {
        for (of_runtime, folder, name) in [
            ([4, 700, 22], Some("3.1.23"), ".NET Core 3.1.23"),
            ([4, 700, 22], None, ".NET Core 3"),
            ([4, 6, 30411], Some("2.1.30"), ".NET Core 2.1.30"),
            ([4, 6, 30411], None, ".NET Core 2 or older"),
            ([6, 0, 36], Some("6.0.36"), ".NET 6.0.36"),
            ([7, 0, 20], None, ".NET 7.0.20"),
        ] {
            assert_eq!(super::name(of_runtime, folder), name);
        }
    }
}
