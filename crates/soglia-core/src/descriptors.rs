//! Open files that go from one process to another, with bytes, over a Unix socket.
//!
//! A path means nothing in a process that sees other file systems, and a process of another user
//! may not open what it leads to. An open file has neither limit.
#![allow(
    unsafe_code,
    reason = "ancillary data of sockets, which std has no means for"
)]

use std::{
    io,
    mem::{size_of, zeroed},
    os::{
        fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    ptr,
};

/// Room for the head of ancillary data and one descriptor, aligned as heads must be.
#[repr(C, align(8))]
struct Room([u8; 64]);

/// Sends bytes, and an open file with the first of them. Returns how many bytes were sent.
///
/// # Errors
/// Those of the operating system.
pub fn send(socket: &UnixStream, bytes: &[u8], file: Option<BorrowedFd<'_>>) -> io::Result<usize> {
    let file = file.map(|file| file.as_raw_fd());
    send_raw(socket.as_raw_fd(), bytes, file)
}

/// The same by numbers. Neither allocates nor locks, so it may follow a `fork`.
///
/// # Errors
/// Those of the operating system.
pub fn send_raw(socket: RawFd, bytes: &[u8], file: Option<RawFd>) -> io::Result<usize> {
    let mut room = Room([0; 64]);
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a msghdr of zeros is one without parts. Its parts then point to locals and to
    // `bytes`, which outlive the call. `room` has room for a head and one descriptor, because
    // CMSG_SPACE(4) is 24. The kernel only reads them.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        if let Some(file) = file {
            message.msg_control = room.0.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
            let head = libc::CMSG_FIRSTHDR(&raw const message);
            (*head).cmsg_level = libc::SOL_SOCKET;
            (*head).cmsg_type = libc::SCM_RIGHTS;
            (*head).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            ptr::write_unaligned(libc::CMSG_DATA(head).cast(), file);
        }
        let sent = libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL);
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// Receives bytes, and an open file if one came with them. Returns how many bytes came; none means
/// that the other end has closed the socket. The file is closed on exec.
///
/// # Errors
/// Those of the operating system.
pub fn receive(socket: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut room = Room([0; 64]);
    let mut part = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a msghdr of zeros is one without parts. Its parts then point to locals and to
    // `bytes`, which outlive the call and are as long as it says.
    let (received, message) = unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = room.0.as_mut_ptr().cast();
        // CMSG_SPACE would have room for a second descriptor, which would then be lost.
        message.msg_controllen = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        let received = libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC);
        (received, message)
    };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let mut file = None;
    // SAFETY: the kernel has written whole heads into `room`, and says how many bytes. A head of
    // this type is followed by descriptors that are this process's own from now on: the first is
    // kept, and there is no room for others, which the kernel has closed.
    unsafe {
        let mut head = libc::CMSG_FIRSTHDR(&raw const message);
        while !head.is_null() {
            let is_file = ((*head).cmsg_level, (*head).cmsg_type)
                == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
                && (*head).cmsg_len >= libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            if is_file {
                let number: RawFd = ptr::read_unaligned(libc::CMSG_DATA(head).cast());
                file = Some(OwnedFd::from_raw_fd(number));
            }
            head = libc::CMSG_NXTHDR(&raw const message, head);
        }
    }
    Ok((received, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::File,
        io::{Read, Write},
        os::fd::AsFd,
        thread,
    };

    #[test]
    #[cfg_attr(miri, ignore = "miri has no ancillary data")]
    fn a_file_arrives_with_the_bytes_it_was_sent_with() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"content").unwrap();
        assert_eq!(send(&here, b"two", Some(file.as_fd())).unwrap(), 3);
        drop(file);
        let mut bytes = [0; 8];
        let (received, file) = receive(&there, &mut bytes).unwrap();
        assert_eq!(&bytes[..received], b"two");
        let mut file = File::from(file.unwrap());
        let mut text = String::new();
        io::Seek::rewind(&mut file).unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");

        send(&here, b"alone", None).unwrap();
        let (received, file) = receive(&there, &mut bytes).unwrap();
        assert_eq!((&bytes[..received], file.is_none()), (&b"alone"[..], true));
        drop(here);
        assert_eq!(receive(&there, &mut bytes).unwrap().0, 0);
        assert!(send(&there, b"x", None).is_err());
    }

    #[test]
    #[cfg_attr(miri, ignore = "miri has no ancillary data")]
    fn a_file_comes_with_the_first_part_of_its_bytes() {
        let (here, there) = UnixStream::pair().unwrap();
        let (kept, _other) = UnixStream::pair().unwrap();
        let sender = thread::spawn(move || send(&here, &[7; 6], Some(kept.as_fd())).unwrap());
        let mut bytes = [0; 4];
        let (received, file) = receive(&there, &mut bytes).unwrap();
        assert_eq!((received, file.is_some()), (4, true));
        let (received, file) = receive(&there, &mut bytes).unwrap();
        assert_eq!((received, file.is_none()), (2, true));
        assert_eq!(sender.join().unwrap(), 6);
    }
}
