//! Frames from an interface.
//!
//! Takes an interface's name, gives its frames straight from the kernel's ring, in batches. Waits without blocking a shutdown, and keeps drop
//! counters that do not wrap. Never starts a thread: several interfaces are several [`Live`]s on threads of the caller.

use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pcap::{Active, Capture, Precision};

use super::{CaptureError, filter, interfaces};
use crate::base::Timestamp;
use crate::wire::{Frame, LinkType};

/// The most frames of one call, so that a busy link does not keep the caller from its timers.
const BATCH_MAX: usize = 4096;

/// The most batches of [`Live::drain`]: about a million frames.
const DRAIN_MAX: usize = 256;

/// Milliseconds after which the kernel hands over a block that is not full.
const BLOCK_MILLIS: i32 = 50;

/// How to capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most bytes captured of a frame. The default, 256 KiB, cuts nothing.
    pub snaplen: u32,
    /// Bytes of the kernel's ring. The default, 64 MiB, bridges half a second at 1 Gbit/s.
    pub buffer_bytes: u32,
    /// See frames for other machines: what a SPAN port sends.
    pub promiscuous: bool,
    /// A filter in tcpdump's language; empty: none.
    pub filter: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { snaplen: 262_144, buffer_bytes: 64 << 20, promiscuous: true, filter: String::new() }
    }
}

/// What came of one [`Live::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// So many frames were handed over.
    Frames(usize),
    /// Nothing for as long as was asked for.
    Idle,
    /// [`Stop::stop`] was called.
    Stopped,
}

/// Counters since the interface was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets that passed the filter.
    pub received: u64,
    /// Packets dropped because the ring was full.
    pub dropped: u64,
    /// Packets that the interface itself dropped, where it tells.
    pub interface_dropped: u64,
}

impl Stats {
    /// All that was lost before the sensor could read it.
    pub fn lost(&self) -> u64 {
        self.dropped + self.interface_dropped
    }
}

/// Ends a capture from another thread or a signal handler's thread.
#[derive(Clone)]
pub struct Stop {
    stopped: Arc<AtomicBool>,
    wake: Arc<PipeWriter>,
}

impl Stop {
    /// Makes the running or next [`Live::poll`] give [`Polled::Stopped`], at once.
    pub fn stop(&self) {
        if !self.stopped.swap(true, Ordering::SeqCst) {
            // One byte always fits a pipe; should it fail all the same, the flag is seen at the next timeout.
            _ = (&*self.wake).write(&[0]);
        }
    }
}

/// The ear of a [`Stop`]: stays when an interface is closed, and wakes the one that is opened in its place.
pub struct Waker {
    stop: Stop,
    woken: PipeReader,
}

impl Waker {
    fn new() -> std::io::Result<Self> {
        let (woken, wake) = std::io::pipe()?;
        Ok(Self { stop: Stop { stopped: Arc::default(), wake: Arc::new(wake) }, woken })
    }

    /// Was [`Stop::stop`] called?
    pub fn is_stopped(&self) -> bool {
        self.stop.stopped.load(Ordering::SeqCst)
    }

    /// Waits for so long, or until [`Stop::stop`] is called. Gives whether it was.
    pub fn wait(&self, timeout: Duration) -> bool {
        let mut fds = [PollFd::new(self.woken.as_fd(), PollFlags::POLLIN)];
        // Interrupted: the caller comes again.
        let _ = poll(&mut fds, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX));
        self.is_stopped()
    }
}

/// A counter of 32 bits that wraps, made wide. Must be read more often than it wraps.
#[derive(Clone, Copy, Default)]
struct Wide {
    last: u32,
    total: u64,
}

impl Wide {
    fn update(&mut self, now: u32) -> u64 {
        self.total += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.total
    }
}

/// An open interface.
pub struct Live {
    capture: Capture<Active>,
    interface: String,
    link: LinkType,
    waker: Waker,
    received: Wide,
    dropped: Wide,
    interface_dropped: Wide,
}

impl Live {
    /// Opens an interface. Needs CAP_NET_RAW; what was opened keeps working when privileges are dropped afterwards.
    ///
    /// # Errors
    /// When there is no such interface, it is down, capturing is not permitted, or the filter is wrong.
    pub fn open(interface: &str, options: &Options) -> Result<Self, CaptureError> {
        let activate = |promiscuous: bool| {
            Capture::from_device(interface)?
                .promisc(promiscuous)
                .snaplen(i32::try_from(options.snaplen).unwrap_or(i32::MAX))
                .buffer_size(i32::try_from(options.buffer_bytes).unwrap_or(i32::MAX))
                .timeout(BLOCK_MILLIS)
                // Immediate mode stays off: its slots are as large as the snapshot length, and a ring of few of them drops.
                .precision(Precision::Nano)
                .open()
        };
        let opened = match activate(options.promiscuous) {
            // A warning of libpcap's that the crate takes for an error: the pseudo-interface `any` knows no promiscuous mode.
            Err(e) if options.promiscuous && filter::message(&e).to_ascii_lowercase().contains("promiscuous") => {
                activate(false)
            }
            other => other,
        };
        let mut capture =
            opened.and_then(Capture::setnonblock).map_err(|e| refused(interface, &filter::message(&e)))?;
        let link = u16::try_from(capture.get_datalink().0).map_or(LinkType(u16::MAX), LinkType);
        if !options.filter.trim().is_empty() {
            capture.filter(&options.filter, true).map_err(|e| filter::explain(&options.filter, link, &e))?;
        }
        let waker = Waker::new().map_err(|e| refused(interface, &e.to_string()))?;
        Ok(Self {
            capture,
            interface: interface.to_owned(),
            link,
            waker,
            received: Wide::default(),
            dropped: Wide::default(),
            interface_dropped: Wide::default(),
        })
    }

    /// The name it was opened with.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// What its frames start with.
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// A handle that ends the capture.
    pub fn stop_handle(&self) -> Stop {
        self.waker.stop.clone()
    }

    /// Closes the interface; its [`Stop`]s still wake whoever has the waker.
    pub fn close(self) -> Waker {
        self.waker
    }

    /// Obeys the [`Stop`]s of another one from now on, in place of its own.
    pub fn woken_by(self, waker: Waker) -> Self {
        Self { waker, ..self }
    }

    /// Hands the frames that are there to `take`; waits up to `timeout` when there are none. The frames lie in the kernel's ring and are gone
    /// when `take` returns.
    ///
    /// # Errors
    /// When the interface went away or down.
    pub fn poll(&mut self, timeout: Duration, mut take: impl FnMut(&Frame<'_>)) -> Result<Polled, CaptureError> {
        for may_wait in [true, false] {
            if self.waker.is_stopped() {
                return Ok(Polled::Stopped);
            }
            let got = self.dispatch(&mut take)?;
            if got > 0 {
                return Ok(Polled::Frames(got));
            }
            if may_wait {
                self.wait(timeout)?;
            }
        }
        Ok(Polled::Idle)
    }

    /// Hands over what has been captured by now, stopped or not: the last thing to do before letting go. Gives how many.
    ///
    /// Waits for up to two block times: frames in a block that is not full are in the ring, but not to be seen before.
    ///
    /// # Errors
    /// As [`Live::poll`].
    pub fn drain(&mut self, mut take: impl FnMut(&Frame<'_>)) -> Result<usize, CaptureError> {
        let mut all = 0;
        let end = Instant::now() + 2 * Duration::from_millis(BLOCK_MILLIS as u64);
        // On a busy link the ring never runs dry.
        for _ in 0..DRAIN_MAX {
            let got = self.dispatch(&mut take)?;
            all += got;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            if got == 0 {
                self.wait_for(left, &mut [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN)])?;
            }
        }
        Ok(all)
    }

    fn dispatch(&mut self, take: &mut impl FnMut(&Frame<'_>)) -> Result<usize, CaptureError> {
        let link = self.link;
        let batch = self.capture.dispatch(Some(BATCH_MAX), |packet| {
            let header = packet.header;
            // Nanosecond precision was asked for, so the microseconds field holds nanoseconds. Times before 1970 there are none.
            let ts = Timestamp::from_parts(header.ts.tv_sec.max(0) as u64, header.ts.tv_usec.max(0) as u64);
            take(&Frame { ts, link, data: packet.data, wire_len: header.len });
        });
        batch.map_err(|e| refused(&self.interface, &filter::message(&e)))
    }

    fn wait(&self, timeout: Duration) -> Result<(), CaptureError> {
        let woken = PollFd::new(self.waker.woken.as_fd(), PollFlags::POLLIN);
        self.wait_for(timeout, &mut [PollFd::new(self.capture.as_fd(), PollFlags::POLLIN), woken])
    }

    fn wait_for(&self, timeout: Duration, fds: &mut [PollFd<'_>]) -> Result<(), CaptureError> {
        match poll(fds, PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX)) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(e) => Err(refused(&self.interface, e.desc())),
        }
    }

    /// The counters. The kernel's have 32 bits: to be read more often than every 2^32 packets.
    ///
    /// # Errors
    /// When the interface went away.
    pub fn stats(&mut self) -> Result<Stats, CaptureError> {
        let now = self.capture.stats().map_err(|e| refused(&self.interface, &filter::message(&e)))?;
        Ok(Stats {
            received: self.received.update(now.received),
            dropped: self.dropped.update(now.dropped),
            interface_dropped: self.interface_dropped.update(now.if_dropped),
        })
    }
}

/// Finds out what libpcap's words mean.
fn refused(interface: &str, message: &str) -> CaptureError {
    let said = message.to_ascii_lowercase();
    let interface = interface.to_owned();
    if said.contains("permi") {
        let program = std::env::current_exe().map_or_else(|_| "shadowtap".to_owned(), |p| p.display().to_string());
        return CaptureError::NotPermitted { interface, program };
    }
    if said.contains("no such device") || said.contains("doesn't exist") {
        return CaptureError::NoInterface { interface, known: interfaces::names() };
    }
    let remedy = if said.contains("not up") || said.contains("network is down") {
        "; bring it up: `ip link set IFACE up`"
    } else if said.contains("disappeared") {
        "; it went away while it was captured from"
    } else if said.contains("memory") {
        "; try a smaller capture buffer"
    } else {
        ""
    };
    CaptureError::Interface { interface, message: message.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn counters_survive_their_wrap() {
        let mut wide = Wide::default();
        assert_eq!(wide.update(10), 10);
        assert_eq!(wide.update(u32::MAX), u64::from(u32::MAX));
        assert_eq!(wide.update(4), (1 << 32) + 4);
    }

    #[test]
    fn errors_come_with_their_remedy() {
        let error = Live::open("no-such-if", &Options::default()).map(|_| ()).unwrap_err();
        let CaptureError::NoInterface { known, .. } = &error else { panic!("{error}") };
        assert!(!known.is_empty());
        let error = refused("eth0", "eth0: You don't have permission to perform this capture on that device");
        assert!(error.to_string().contains("setcap cap_net_raw"), "{error}");
        let error = refused("eth0", "eth0: That device is not up");
        assert!(error.to_string().contains("ip link set"), "{error}");
    }

    fn loopback(options: &Options) -> Option<Live> {
        match Live::open("lo", options) {
            Ok(live) => Some(live),
            Err(e) => {
                println!("SKIPPED: cannot capture from the loopback interface here: {e}");
                None
            }
        }
    }

    #[test]
    fn frames_of_the_loopback_interface_arrive() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let options = Options { filter: format!("udp dst port {port}"), buffer_bytes: 4 << 20, ..Options::default() };
        let Some(mut live) = loopback(&options) else { return };
        assert_eq!(live.link(), LinkType::ETHERNET);
        for _ in 0..10 {
            socket.send_to(b"from the loopback", ("127.0.0.1", port)).unwrap();
        }
        let mut seen = Vec::new();
        let started = Instant::now();
        while seen.len() < 10 && started.elapsed() < Duration::from_secs(5) {
            live.poll(Duration::from_millis(200), |f| {
                assert!(f.data.ends_with(b"from the loopback"));
                assert_eq!(f.wire_len as usize, f.data.len());
                seen.push(f.ts);
            })
            .unwrap();
        }
        assert_eq!(seen.len(), 10);
        assert!(seen.is_sorted() && seen[0].0 > 1_600_000_000_000_000_000);
        assert!(seen.iter().any(|t| t.0 % 1000 != 0), "nanoseconds");
        let stats = live.stats().unwrap();
        assert!(stats.received >= 10 && stats.lost() == 0, "{stats:?}");
    }

    #[test]
    fn an_idle_link_does_not_block_a_stop() {
        let options = Options { filter: "udp dst port 1 and udp src port 1".to_owned(), ..Options::default() };
        let Some(mut live) = loopback(&options) else { return };
        assert_eq!(live.poll(Duration::from_millis(20), |_| ()).unwrap(), Polled::Idle);
        let stop = live.stop_handle();
        let started = Instant::now();
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            stop.stop();
        });
        assert_eq!(live.poll(Duration::from_secs(60), |_| ()).unwrap(), Polled::Stopped);
        assert!(started.elapsed() < Duration::from_secs(5));
        stopper.join().unwrap();
        assert_eq!(live.poll(Duration::from_secs(60), |_| ()).unwrap(), Polled::Stopped);
        assert_eq!(live.drain(|_| ()).unwrap(), 0);
    }

    #[test]
    fn a_wrong_filter_is_refused_with_its_place() {
        let options = Options { filter: "tcp port 80 nad host x".to_owned(), ..Options::default() };
        match Live::open("lo", &options).map(|_| ()).unwrap_err() {
            e @ CaptureError::Filter { .. } => assert!(e.to_string().contains("behind `tcp port 80`"), "{e}"),
            e => println!("SKIPPED: cannot capture from the loopback interface here: {e}"),
        }
    }

    #[test]
    fn any_opens_in_spite_of_promiscuous_mode() {
        match Live::open("any", &Options::default()) {
            Ok(live) => assert!(matches!(live.link(), LinkType::LINUX_SLL | LinkType::LINUX_SLL2)),
            Err(e) => println!("SKIPPED: cannot capture from any interface here: {e}"),
        }
    }
}
