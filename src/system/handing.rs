//! Hands an open file to another process, over a socket between the two (`SCM_RIGHTS`, unix(7)).

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// Makes an empty file in memory and hands it to the other end, with an empty line. Both have the same position in it.
///
/// # Errors
/// If the system has no such files (it is not Linux), if no descriptor is free, or if the socket is full.
#[cfg(target_os = "linux")]
pub(crate) fn hand_file(stream: &UnixStream) -> io::Result<File> {
    use std::io::IoSlice;
    use std::os::fd::AsFd;

    use rustix::fs::{MemfdFlags, memfd_create};
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    let file = memfd_create("progrun", MemfdFlags::CLOEXEC)?;
    let handed = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    ancillary.push(SendAncillaryMessage::ScmRights(&handed));
    sendmsg(
        stream,
        &[IoSlice::new(b"\n")],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    )?;
    Ok(file.into())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn hand_file(_stream: &UnixStream) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads as from any socket, and takes in a file that the other end hands over.
///
/// # Errors
/// As of any socket.
pub(crate) fn receive(
    stream: &UnixStream,
    buffer: &mut [u8],
    file: &mut Option<File>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    let received = recvmsg(
        stream,
        &mut [IoSliceMut::new(buffer)],
        &mut ancillary,
        flags,
    )?;
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(handed) = message {
            *file = handed.last().map(File::from);
        }
    }
    Ok(received.bytes)
}
