//! The interfaces of this machine.
//!
//! Takes nothing, gives their names, states and addresses, to people and to scripts. Opens none of them, and needs no privilege.

use std::net::IpAddr;

use nix::net::if_::InterfaceFlags;
use pcap::{ConnectionStatus, Device, IfFlags};
use serde::Serialize;

use super::CaptureError;

/// One interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Interface {
    /// What `-i` takes.
    pub name: String,
    /// libpcap's description, where it has one.
    pub description: Option<String>,
    /// Is it administratively up?
    pub up: bool,
    /// Has it a carrier?
    pub running: bool,
    /// Is it a loopback interface?
    pub loopback: bool,
    /// Is it wireless?
    pub wireless: bool,
    /// Is something plugged in, where that can be told?
    pub connected: Option<bool>,
    /// Its link layer by the name that libpcap gives it, as far as the system tells without opening the interface.
    pub link: Option<&'static str>,
    /// Its addresses.
    pub addresses: Vec<InterfaceAddress>,
}

/// An address with its prefix length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// Bits of the network's prefix, where there is a netmask.
    pub prefix: Option<u8>,
}

/// Whether anything can be heard on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It is up and has a carrier, or that cannot be told.
    Up,
    /// It is up, and nothing is at the other end.
    NoCarrier,
    /// It was taken down.
    Down,
    /// There is no interface of this number any more.
    Gone,
}

/// The number of an interface, which stays the same when it is renamed, and is another one when it is made again.
pub fn index(name: &str) -> Option<u32> {
    nix::net::if_::if_nametoindex(name).ok()
}

/// The state of the interface with this number.
pub fn state(index: u32) -> LinkState {
    let Ok(all) = nix::ifaddrs::getifaddrs() else { return LinkState::Up };
    let is_it = |a: &nix::ifaddrs::InterfaceAddress| {
        let link = a.address.as_ref().and_then(|address| address.as_link_addr());
        link.is_some_and(|link| link.ifindex() == index as usize)
    };
    let Some(flags) = all.into_iter().find(is_it).map(|a| a.flags) else { return LinkState::Gone };
    match (flags.contains(InterfaceFlags::IFF_UP), flags.contains(InterfaceFlags::IFF_RUNNING)) {
        (false, _) => LinkState::Down,
        (true, false) => LinkState::NoCarrier,
        (true, true) => LinkState::Up,
    }
}

/// All interfaces, in libpcap's order: the likeliest first.
///
/// # Errors
/// When libpcap cannot list them.
pub fn list() -> Result<Vec<Interface>, CaptureError> {
    let devices = Device::list().map_err(|e| CaptureError::Interface {
        interface: "interfaces".to_owned(),
        message: super::filter::message(&e),
        remedy: "",
    })?;
    Ok(devices.into_iter().map(interface).collect())
}

fn interface(device: Device) -> Interface {
    let flags = &device.flags;
    Interface {
        link: link(&device.name),
        up: flags.is_up(),
        running: flags.is_running(),
        loopback: flags.contains(IfFlags::LOOPBACK),
        wireless: flags.is_wireless(),
        connected: match flags.connection_status {
            ConnectionStatus::Connected => Some(true),
            ConnectionStatus::Disconnected => Some(false),
            ConnectionStatus::Unknown | ConnectionStatus::NotApplicable => None,
        },
        addresses: device
            .addresses
            .iter()
            .map(|a| InterfaceAddress { address: a.addr, prefix: a.netmask.map(prefix) })
            .collect(),
        name: device.name,
        description: device.desc,
    }
}

fn prefix(mask: IpAddr) -> u8 {
    let ones = match mask {
        IpAddr::V4(mask) => mask.to_bits().count_ones(),
        IpAddr::V6(mask) => mask.to_bits().count_ones(),
    };
    ones as u8 // at most 128
}

/// The link layer from the hardware type (`ARPHRD_` in `<linux/if_arp.h>`) that Linux publishes.
#[cfg(target_os = "linux")]
fn link(name: &str) -> Option<&'static str> {
    if name == "any" {
        return Some("LINUX_SLL2");
    }
    // A name is one component of a path, or it is not a network interface (libpcap lists USB and Bluetooth, too).
    if name.contains(['/', '.']) && !std::path::Path::new("/sys/class/net").join(name).exists() {
        return None;
    }
    let kind = std::fs::read_to_string(format!("/sys/class/net/{name}/type")).ok()?;
    match kind.trim().parse::<u32>().ok()? {
        1 | 772 => Some("EN10MB"), // Linux' loopback has Ethernet headers
        512 => Some("PPP"),
        768 | 769 | 776 | 778 | 65534 => Some("RAW"),
        801..=803 => Some("IEEE802_11"),
        _ => None,
    }
}

#[cfg(not(target_os = "linux"))]
fn link(_: &str) -> Option<&'static str> {
    None
}

/// The names, for an error message.
pub(super) fn names() -> String {
    match list() {
        Ok(all) if !all.is_empty() => all.into_iter().map(|i| i.name).collect::<Vec<_>>().join(", "),
        _ => "none that this user can see".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there() {
        let all = list().unwrap();
        let Some(lo) = all.iter().find(|i| i.loopback) else {
            println!("skipped: this machine shows no loopback interface");
            return;
        };
        assert!(lo.addresses.iter().all(|a| a.address.is_loopback() || a.address.is_ipv6() || a.prefix.is_some()));
        let json = serde_json::to_value(lo).unwrap();
        assert_eq!(json["loopback"], true);
    }

    #[test]
    fn prefixes_are_counted() {
        assert_eq!(prefix("255.255.240.0".parse().unwrap()), 20);
        assert_eq!(prefix("ffff:ffff::".parse().unwrap()), 32);
    }
}
