//! When the kernel received what is read from a socket.
//!
//! A program learns of bytes when it is woken for them, which on a busy machine, or an idle virtual one, is some
//! hundredths to some milliseconds after they came. Linux notes the time for each packet (`SO_TIMESTAMPNS`, see the
//! kernel's documentation on timestamping) and tells it with the read.

use std::{io, time::Instant};

use tokio::net::TcpStream;

/// Asks the kernel to note when bytes come, which it begins to do a moment later. `false` where it can't: reads then
/// tell no time.
pub fn note(socket: &TcpStream) -> bool {
    system::note(socket)
}

/// Reads what is there, without waiting. With it, when the last byte of it came, if the kernel tells.
///
/// # Errors
/// `WouldBlock` when there is nothing; else the system's.
pub fn read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<Instant>)> {
    system::read(socket, buffer)
}

#[cfg(target_os = "linux")]
mod system {
    use std::{
        io::{self, IoSliceMut},
        os::fd::AsRawFd,
        time::{Duration, Instant, SystemTime},
    };

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};
    use tokio::{io::Interest, net::TcpStream};

    /// An older time means that the wall clock was set meanwhile.
    const OLDEST: Duration = Duration::from_secs(1);

    /// Room for the one control message, aligned as its head.
    #[repr(align(8))]
    struct Control([u8; 64]);

    pub fn note(socket: &TcpStream) -> bool {
        setsockopt(socket, ReceiveTimestampns, &true).is_ok()
    }

    pub fn read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<Instant>)> {
        socket.try_io(Interest::READABLE, || {
            let mut control = Control([0; 64]);
            let mut buffers = [IoSliceMut::new(buffer)];
            let message = recvmsg::<()>(
                socket.as_raw_fd(),
                &mut buffers,
                Some(&mut control.0),
                MsgFlags::empty(),
            )?;
            let noted = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(at) => {
                    let seconds = u64::try_from(at.tv_sec()).ok()?;
                    Some(Duration::new(seconds, u32::try_from(at.tv_nsec()).ok()?))
                }
                _ => None,
            });
            Ok((message.bytes, noted.and_then(instant)))
        })
    }

    /// The kernel notes wall-clock time.
    fn instant(since_epoch: Duration) -> Option<Instant> {
        let (now, wall) = (Instant::now(), SystemTime::now());
        let age = wall
            .duration_since(SystemTime::UNIX_EPOCH.checked_add(since_epoch)?)
            .ok()?;
        now.checked_sub(age).filter(|_| age < OLDEST)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use std::{io, time::Instant};

    use tokio::net::TcpStream;

    pub fn note(_: &TcpStream) -> bool {
        false
    }

    pub fn read(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<Instant>)> {
        Ok((socket.try_read(buffer)?, None))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::AsyncWriteExt,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[tokio::test]
    async fn the_time_is_that_of_the_coming_and_not_of_the_read() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (near, _) = listener.accept().await.unwrap();
        if !note(&near) {
            return;
        }
        let first = Instant::now();
        let mut buffer = [0; 16];
        // The kernel begins to note times some moments after it was asked to.
        for _ in 0..200 {
            let before = Instant::now();
            far.write_all(b"hello").await.unwrap();
            near.readable().await.unwrap();
            let there = Instant::now();
            // Whoever reads late learns of the time before all the same.
            std::thread::sleep(Duration::from_millis(20));
            let (count, at) = read(&near, &mut buffer).unwrap();
            assert_eq!(&buffer[..count], b"hello");
            if let Some(at) = at {
                // Two clocks are read one after the other.
                let slack = Duration::from_millis(5);
                assert!(before <= at + slack && at <= there + slack, "{:?}", there - at);
                break;
            }
            assert!(first.elapsed() < Duration::from_secs(4), "no time was told");
        }
        let nothing = read(&near, &mut buffer).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    }
}
