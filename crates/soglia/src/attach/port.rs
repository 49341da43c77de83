//! The runtime's diagnostics port: a socket in the file system that the process sees, named after
//! its number and the time it started.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{FileTypeExt, MetadataExt},
            net::UnixStream,
        },
    },
    path::PathBuf,
};

use soglia_core::{
    control::Peer,
    plain::{plain, plain_path},
};

use super::{enter::Deed, error::AttachError, inside::Folder, target::Target};

/// The most sockets of earlier processes with the same number that are tried.
const MOST_SOCKETS: usize = 64;
/// How the names of diagnostics ports begin. The number of the process follows.
const PREFIX: &str = "dotnet-diagnostic-";
/// The bit of a socket in `/proc/net/unix` that listens.
const LISTENS: u32 = 0x1_0000;

impl Target {
    /// Connects to the runtime's diagnostics port.
    ///
    /// # Errors
    /// If it has none, which means that it is no .NET process, or that something is switched off.
    pub fn connect_diagnostics(&self) -> Result<UnixStream, AttachError> {
        let os = |what| move |error| self.os(what, error);
        let root = self.root().map_err(os("its file system"))?;
        let bound = self.bound();
        let mut folders = vec![self.temporary(), "/tmp".into()];
        folders.extend(
            bound
                .iter()
                .filter_map(|path| Some(path.parent()?.to_owned())),
        );
        let mut last = None;
        let mut seen = HashSet::new();
        for path in folders {
            let Some(folder) = root.folder(&path).ok().filter(|_| seen.insert(path)) else {
                continue;
            };
            for name in self.sockets(&folder) {
                match self.connect_to(&folder, &name) {
                    Ok(Some(port)) => return Ok(port),
                    Ok(None) => {}
                    Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                    Err(error) => last = Some(error),
                }
            }
        }
        Err(match last {
            Some(error) => self.os("its diagnostics socket", error),
            None => self.why_no_socket(&bound),
        })
    }

    /// Where the process puts temporary files, as it names that folder.
    pub(super) fn temporary(&self) -> PathBuf {
        let named = self.variable("TMPDIR").filter(|folder| !folder.is_empty());
        named.map_or_else(|| "/tmp".into(), PathBuf::from)
    }

    /// Names of sockets that may be its own. The right one by name is the first, then come others
    /// with its number, the newest first: a process in another time namespace reads another time.
    fn sockets(&self, folder: &Folder) -> Vec<OsString> {
        let exact = OsString::from(format!("{PREFIX}{}-{}-socket", self.inner, self.started));
        let prefix = format!("{PREFIX}{}-", self.inner);
        let is_like_it = |name: &OsString| {
            let bytes = name.as_bytes();
            bytes.starts_with(prefix.as_bytes()) && bytes.ends_with(b"-socket") && *name != exact
        };
        let others = folder.names().into_iter().filter(is_like_it);
        let mut others: Vec<_> = others
            .filter_map(|name| {
                let about = folder.look(&name).and_then(|file| file.metadata()).ok()?;
                Some((std::cmp::Reverse((about.mtime(), about.mtime_nsec())), name))
            })
            .collect();
        others.sort();
        let others = others.into_iter().map(|(_, name)| name);
        std::iter::once(exact)
            .chain(others)
            .take(MOST_SOCKETS)
            .collect()
    }

    /// Connects to a socket, if it is one and this process listens on it.
    fn connect_to(&self, folder: &Folder, name: &OsStr) -> io::Result<Option<UnixStream>> {
        let Ok(socket) = folder.look(name) else {
            return Ok(None);
        };
        if !socket.metadata()?.file_type().is_socket() {
            return Ok(None);
        }
        // What was looked at is what is connected to, and no path is too long.
        let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
        let port = self.as_user(&[])?.run(Deed::Connect(path.as_bytes()))?;
        let port = UnixStream::from(port.ok_or(io::ErrorKind::NotConnected)?);
        // The numbers of processes are used again, and all may put files into `/tmp`.
        Ok(Some(port).filter(|port| Peer::of(port).is_ok_and(|peer| peer.pid == self.pid)))
    }

    /// The names of the sockets on which this process listens, as the kernel knows them: wherever
    /// they are, and also when the files have been removed. Abstract names begin with `@`.
    pub(super) fn listens_on(&self) -> Vec<String> {
        let entries = fs::read_dir(format!("/proc/{}/fd", self.pid));
        let links = entries.into_iter().flatten().flatten();
        let links = links.filter_map(|entry| fs::read_link(entry.path()).ok());
        let own: HashSet<u64> = links
            .filter_map(|link| {
                let link = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
                link.parse().ok()
            })
            .collect();
        let all = fs::read(format!("/proc/{}/net/unix", self.pid)).unwrap_or_default();
        listening(&String::from_utf8_lossy(&all), &own)
    }

    /// Whether it listens on a diagnostics port.
    pub(crate) fn listens_for_diagnostics(&self) -> bool {
        !self.bound().is_empty()
    }

    /// The paths of diagnostics ports on which this process listens.
    fn bound(&self) -> Vec<PathBuf> {
        let all = self.listens_on().into_iter().map(PathBuf::from);
        all.filter(|path| {
            let name = path.file_name().unwrap_or_default();
            path.is_absolute() && name.as_bytes().starts_with(PREFIX.as_bytes())
        })
        .collect()
    }

    fn why_no_socket(&self, bound: &[PathBuf]) -> AttachError {
        let pid = self.pid;
        // The files of a process that ends are gone first.
        if !self.lives() || self.mapped().is_empty() && self.ends_now() {
            return AttachError::Ended(pid);
        }
        if bound.is_empty() && !self.runs_dotnet() {
            return self.not_dotnet();
        }
        let no = |why| AttachError::NoSocket { pid, why };
        if let Some((variable, value)) = self.switch() {
            let value = plain(&value);
            return no(format!(
                "{variable}={value} in its environment switches it off; start the program without that"
            ));
        }
        if let Some(path) = bound.first() {
            return no(format!(
                "{} was there and has been removed, as programs that clean up /tmp do; start the program again, and \
                 have that folder left alone",
                plain_path(path)
            ));
        }
        no(format!(
            "none is in {}; it may still be starting (try again), or it could not write there when it started",
            plain_path(&self.temporary())
        ))
    }

    /// The variable that switches the port off, and its value.
    fn switch(&self) -> Option<(String, String)> {
        let names = ["EnableDiagnostics", "EnableDiagnostics_IPC"];
        names.iter().find_map(|name| {
            // The runtime takes the first of two names that is there.
            let (name, value) = ["DOTNET_", "COMPlus_"].iter().find_map(|prefix| {
                let name = format!("{prefix}{name}");
                let value = self.variable(&name).filter(|value| !value.is_empty())?;
                Some((name, value))
            })?;
            let is_off = crate::launch::clr_number(OsStr::new(&value)) == Some(0);
            is_off.then_some((name, value))
        })
    }
}

/// The numbers of processes that listen on a diagnostics port of the usual name, as they number
/// themselves.
pub(crate) fn listeners() -> HashSet<u32> {
    let all = fs::read("/proc/net/unix").unwrap_or_default();
    let all = all_listening(&String::from_utf8_lossy(&all), |_| true);
    let numbers = all.iter().filter_map(|name| {
        let name = name.rsplit('/').next()?.strip_prefix(PREFIX)?;
        name.split('-').next()?.parse().ok()
    });
    numbers.collect()
}

/// The names of the sockets that listen and are among these, from the kernel's list.
fn listening(list: &str, own: &HashSet<u64>) -> Vec<String> {
    all_listening(list, |inode| own.contains(&inode))
}

/// The same, of the sockets with inodes that are wanted.
fn all_listening(list: &str, wanted: impl Fn(u64) -> bool) -> Vec<String> {
    let names = list.lines().skip(1).filter_map(|line| {
        let (head, name) = line.split_at(line.find(['/', '@'])?);
        // Number, references, protocol, flags, type, state, inode.
        let mut fields = head.split_whitespace();
        let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
        let inode: u64 = fields.last()?.parse().ok()?;
        (flags & LISTENS != 0 && wanted(inode)).then(|| name.to_owned())
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_has_the_sockets_that_listen() {
        let list = "Num       RefCount Protocol Flags    Type St Inode Path\n\
            00000000: 00000002 00000000 00010000 0001 01 48151 /run/a b/dotnet-diagnostic-7-1-socket\n\
            00000000: 00000003 00000000 00000000 0001 03 48152 /tmp/connected\n\
            00000000: 00000002 00000000 00010000 0001 01 48153 @soglia/control/7/1\n\
            00000000: 00000002 00000000 00010000 0001 01  4815 /tmp/another-process\n\
            00000000: 00000002 00000000 00010000 0001 01 48155\n";
        let own = HashSet::from([48151, 48152, 48153, 48154, 48155]);
        let names = [
            "/run/a b/dotnet-diagnostic-7-1-socket",
            "@soglia/control/7/1",
        ];
        assert_eq!(listening(list, &own), names);
        assert_eq!(
            listening(list, &HashSet::from([4815])),
            ["/tmp/another-process"]
        );
        assert_eq!(listening("x\n/\n1 2 3 4 /", &own), [""; 0]);
    }
}
