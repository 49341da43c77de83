//! The user and groups of a process, as two user namespaces number them.

use std::{fs, io};

/// The most groups that are read.
const MOST_GROUPS: usize = 65_536;

/// A user and groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    pub(super) user: u32,
    pub(super) group: u32,
    pub(super) groups: Vec<u32>,
}

impl Ids {
    /// Those with which a process opens files, as they are numbered here.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let status = fs::read(format!("/proc/{pid}/status"))?;
        Self::parse(&String::from_utf8_lossy(&status))
            .ok_or_else(|| io::Error::other("the kernel shows no user of the process"))
    }

    /// The fourth numbers of two lines, and all of a third one.
    fn parse(status: &str) -> Option<Self> {
        let numbers = |name: &str| {
            let mut lines = status.lines();
            let line = lines.find_map(|line| line.strip_prefix(name))?;
            let numbers = line.split_whitespace().map_while(|n| n.parse().ok());
            Some(numbers.take(MOST_GROUPS).collect::<Vec<u32>>())
        };
        Some(Self {
            user: *numbers("Uid:")?.get(3)?,
            group: *numbers("Gid:")?.get(3)?,
            groups: numbers("Groups:").unwrap_or_default(),
        })
    }

    /// As the user namespace of that process numbers them. Groups that it does not have are left
    /// out.
    pub(super) fn inside(&self, pid: u32) -> Option<Self> {
        let map = |of: &str| fs::read_to_string(format!("/proc/{pid}/{of}")).ok();
        let (users, groups) = (map("uid_map")?, map("gid_map")?);
        Some(Self {
            user: mapped(&users, self.user)?,
            group: mapped(&groups, self.group)?,
            groups: self
                .groups
                .iter()
                .filter_map(|g| mapped(&groups, *g))
                .collect(),
        })
    }
}

/// The number inside for one outside. Each line has the first of each, and how many there are.
fn mapped(map: &str, outside: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_whitespace().map_while(|n| n.parse::<u32>().ok());
        let (inside, first, count) = (numbers.next()?, numbers.next()?, numbers.next()?);
        let nth = outside.checked_sub(first).filter(|nth| *nth < count)?;
        inside.checked_add(nth)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_the_one_that_opens_files() {
        let status = "Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \n";
        let ids = Ids::parse(status).unwrap();
        assert_eq!((ids.user, ids.group, ids.groups), (4, 8, vec![9, 10]));
        for bad in [
            "",
            "Uid:\t1\t2\t3\n",
            "Uid:\t1\t2\t3\tx\nGid:\t5\t6\t7\t8\n",
        ] {
            assert_eq!(Ids::parse(bad), None, "{bad}");
        }
        assert!(Ids::of(std::process::id()).is_ok() && Ids::of(u32::MAX).is_err());
    }

    #[test]
    fn numbers_are_mapped_line_by_line() {
        let map = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!(mapped(map, 1000), Some(0));
        assert_eq!(mapped(map, 100_999), Some(1000));
        assert_eq!((mapped(map, 0), mapped(map, 165_536)), (None, None));
        assert_eq!(mapped("0 0 4294967295\n", 33), Some(33));
        assert_eq!((mapped("x", 1), mapped("4294967295 0 9", 3)), (None, None));
    }

    #[test]
    fn this_process_is_numbered_as_here() {
        let own = Ids::of(std::process::id()).unwrap();
        let inside = own.inside(std::process::id()).unwrap();
        assert_eq!((inside.user, inside.group), (own.user, own.group));
    }
}
