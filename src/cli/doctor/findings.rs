//! From figures to findings.
//!
//! Takes what was seen, gives what is wrong, in the order of its weight. Each threshold says what it keeps apart; a mirror without faults
//! stays below all of them.

use serde::Serialize;

use super::examine::Seen;
use crate::base::{Bucket, Ledger, Missing, Oddities, Oddity};
use crate::report::figures::{bytes, exact, percent, things};
use crate::wire::{Copies, Tunnels};

/// All that is known of a mirror.
pub(super) struct Evidence {
    pub ledger: Ledger,
    pub oddities: Oddities,
    pub tunnels: Tunnels,
    pub copies: Copies,
    pub exchanges: u64,
    pub seen: Seen,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Weight {
    /// The inventory is wrong or empty because of it.
    Fault,
    /// It costs something, or it may be as it should.
    Doubt,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// A stable name.
    pub name: &'static str,
    pub weight: Weight,
    /// What is wrong.
    pub words: String,
    /// What shows it.
    pub evidence: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Payload of TCP and UDP, read or not.
fn payload(ledger: &Ledger) -> u64 {
    let other = [Bucket::Framing, Bucket::Duplicate, Bucket::NotTcp, Bucket::Undecodable, Bucket::Tunnel];
    ledger.accounted() - other.iter().map(|b| ledger.get(*b)).sum::<u64>()
}

/// What is wrong.
pub(super) fn of(e: &Evidence) -> Vec<Finding> {
    let mut out = Vec::new();
    if e.ledger.packets == 0 {
        out.push(Finding {
            name: "nothing",
            weight: Weight::Fault,
            words: "Nothing was captured.".to_owned(),
            evidence: "Not one packet came.".to_owned(),
            remedy: "Check the cable, that the mirror session is on (not shut), that its destination is this port, and that the \
                filter, if you gave one, lets something through: a mirror with VLAN tags needs `vlan and …`.",
        });
        return out;
    }
    directions(e, &mut out);
    loss(e, &mut out);
    frames(e, &mut out);
    content(e, &mut out);
    out.sort_by_key(|finding| finding.weight);
    out
}

fn directions(e: &Evidence, out: &mut Vec<Finding>) {
    let alone = e.seen.clients_alone + e.seen.servers_alone;
    // Connections at the edge of a capture are seen from one side only; where a tenth is, it is the mirror.
    if alone > 0 && alone * 10 >= e.seen.connections {
        let whose = match (e.seen.clients_alone, e.seen.servers_alone) {
            (_, 0) => "what clients send is there, what servers answer is not",
            (0, _) => "what servers answer is there, what clients send is not",
            _ => "of some the clients' side, of others the servers'",
        };
        out.push(Finding {
            name: "one-direction",
            weight: Weight::Fault,
            words: "One direction of connections is missing.".to_owned(),
            evidence: format!(
                "{} of {} have packets of one side only: {whose}. What the missing side sent was acknowledged: {}.",
                exact(alone),
                things(e.seen.connections, "connection", "connections"),
                bytes(e.seen.unheard)
            ),
            remedy: "Mirror both directions (`both`, not `rx` or `tx`) of the port, or all ports that the traffic enters by; with two \
                uplinks or a link aggregate, all members. With several interfaces here, bond them: both directions must meet.",
        });
    }
    if e.seen.asymmetric > 0 && e.seen.asymmetric * 20 >= e.seen.connections {
        let name = |tag: Option<u16>| tag.map_or("no tag".to_owned(), |id| format!("VLAN {id}"));
        let [a, b] = e.seen.example.unwrap_or_default();
        out.push(Finding {
            name: "vlan-asymmetry",
            weight: Weight::Doubt,
            words: "The two directions of connections have different VLAN tags.".to_owned(),
            evidence: format!(
                "{} of {}: for example {} one way and {} the other.",
                exact(e.seen.asymmetric),
                things(e.seen.connections, "connection", "connections"),
                name(a),
                name(b)
            ),
            remedy: "Nothing is lost as long as `limits.tunnels.vlan_in_key` is false (the default). A BPF filter must let both through: \
                `(tcp) or (vlan and tcp)`. To mend it, let the mirror keep tags both ways (`encapsulation replicate`) or in neither.",
        });
    }
    if e.copies.condition() {
        let framing = if e.copies.reframed * 2 >= e.copies.copies {
            ", most of them in another framing than the first (a tag or a tunnel more)"
        } else {
            ""
        };
        out.push(Finding {
            name: "mirrored-twice",
            weight: Weight::Doubt,
            words: "Packets are mirrored twice.".to_owned(),
            evidence: format!(
                "About {} of {} segments with payload came a second time within 50 ms, with the same IP identification, numbers and \
                 timestamps{framing}. Retransmissions have others.",
                exact(e.copies.copies),
                exact(e.copies.looked)
            ),
            remedy: "Each packet counts once here, but takes twice the room on the mirror. Mirror one of the two ports that the traffic \
                passes, or one direction (`rx`) of all of them; not a tunnel and what it carries.",
        });
    }
}

fn loss(e: &Evidence, out: &mut Vec<Finding>) {
    let dropped = e.ledger.dropped_packets;
    if dropped > 0 {
        out.push(Finding {
            name: "dropped-here",
            weight: Weight::Fault,
            words: "This machine drops packets.".to_owned(),
            evidence: format!(
                "{} dropped by the kernel or the interface ({} of those that arrived).",
                things(dropped, "packet", "packets"),
                percent(dropped, dropped + e.ledger.packets)
            ),
            remedy: "Raise `buffer_bytes`, keep other work off this machine, filter out what is of no interest (`not port 22`), or give \
                the interface more receive descriptors (`ethtool -G IFACE rx 4096`).",
        });
    }
    let unseen = e.ledger.missing(Missing::Unseen).saturating_sub(e.seen.unheard);
    let all = payload(&e.ledger) + unseen;
    // A capture's ends cut connections; beyond one byte in a thousand, and more than a packet or two, it is loss.
    if unseen > 4_000 && unseen * 1000 >= all {
        out.push(Finding {
            name: "oversubscribed",
            weight: Weight::Fault,
            words: "Packets are lost on the way to this sensor.".to_owned(),
            evidence: format!(
                "{} were acknowledged by their receivers but never came here ({} of the payload); so they were lost by the mirror, not \
                 by the network.",
                bytes(unseen),
                percent(unseen, all)
            ),
            remedy: "The mirror port carries less than is mirrored to it: mirror fewer ports or one direction, take a faster port, or \
                let the switch filter (an ACL on the session). Look at the drop counters of the destination port.",
        });
    }
}

fn frames(e: &Evidence, out: &mut Vec<Finding>) {
    if e.seen.cut > 0 {
        out.push(Finding {
            name: "snaplen",
            weight: Weight::Fault,
            words: "Packets are cut.".to_owned(),
            evidence: format!(
                "{} of {} were captured in part, most of them {} bytes; {} are missing.",
                exact(e.seen.cut),
                things(e.ledger.packets, "packet", "packets"),
                exact(e.seen.cut_to as u64),
                bytes(e.ledger.missing(Missing::Truncated))
            ),
            remedy: "Capture whole packets: `tcpdump -s 0`, `snaplen = 262144` here, no truncation (packet slicing, `mtu-truncate`) in \
                the switch's or the cloud's mirror session.",
        });
    }
    if e.seen.merged > 0 {
        out.push(Finding {
            name: "super-frames",
            weight: Weight::Doubt,
            words: "Frames are longer than the network's.".to_owned(),
            evidence: format!(
                "{} of more than 9,300 bytes, the longest of {}: a network card or driver has put segments together (GRO, LRO, TSO).",
                things(e.seen.merged, "frame", "frames"),
                exact(u64::from(e.seen.longest))
            ),
            remedy: "They are read as they are. With a snapshot length below 262144 they would be cut; on a sensor's own interface turn \
                it off: `ethtool -K IFACE gro off lro off tso off`.",
        });
    }
    if e.seen.steps > 0 {
        out.push(Finding {
            name: "clock",
            weight: Weight::Doubt,
            words: "The capture's clock steps backwards.".to_owned(),
            evidence: format!(
                "{}, the largest of {} ms.",
                things(e.seen.steps, "step", "steps"),
                exact(e.seen.step / 1_000_000)
            ),
            remedy: "Let the clock be slewed, not set (chrony's `makestep` only at the start), take one time source for all capture \
                interfaces, and merge files by time (`mergecap`). Latencies across a step are not given.",
        });
    }
}

fn content(e: &Evidence, out: &mut Vec<Finding>) {
    let closed: Vec<_> = e.tunnels.seen().filter(|&(_, _, closed)| closed > 0).collect();
    // A tunnel or two among much traffic are somebody's own business.
    let bytes_in = e.ledger.get(Bucket::Tunnel);
    if bytes_in > 0 && bytes_in * 100 >= e.ledger.captured {
        let kinds: Vec<_> = closed
            .iter()
            .map(|(kind, _, n)| format!("{} ({})", kind.name(), things(*n, "packet", "packets")))
            .collect();
        out.push(Finding {
            name: "tunnel",
            weight: Weight::Fault,
            words: "Traffic is in tunnels that can't be opened.".to_owned(),
            evidence: format!("{} ({}): {}.", bytes(bytes_in), percent(bytes_in, e.ledger.captured), kinds.join(", ")),
            remedy: "Mirror where the tunnel has ended: behind the VPN gateway, or on the inner side of the overlay. What is encrypted \
                can't be read anywhere else.",
        });
    }
    let unknown = e.oddities.get(Oddity::LinkUnknown);
    if unknown > 0 {
        out.push(Finding {
            name: "link-type",
            weight: Weight::Fault,
            words: "Frames are of a link type that is not read.".to_owned(),
            evidence: things(unknown, "frame", "frames"),
            remedy: "Capture on an Ethernet interface, or with `-i any`.",
        });
    }
    let sum = |buckets: &[Bucket]| buckets.iter().map(|b| e.ledger.get(*b)).sum::<u64>();
    let http = sum(&[Bucket::Http, Bucket::Decrypted]);
    let opaque = sum(&[Bucket::Tls, Bucket::TlsNoKeys, Bucket::Quic]);
    let all = payload(&e.ledger);
    if all > 0 && opaque * 20 >= all * 19 {
        out.push(Finding {
            name: "all-tls",
            weight: Weight::Fault,
            words: "Nearly all of it is encrypted, and there are no keys.".to_owned(),
            evidence: format!("{} of {} payload are TLS or QUIC ({}).", bytes(opaque), bytes(all), percent(opaque, all)),
            remedy: "Mirror where TLS has ended: behind the load balancer or ingress. Or give key logs of clients or servers (`--keylog`).",
        });
    } else if http == 0 && e.exchanges == 0 {
        out.push(Finding {
            name: "no-http",
            weight: Weight::Fault,
            words: "There is no HTTP in it.".to_owned(),
            evidence: format!("{} of payload, none of it HTTP; {} are TLS or QUIC.", bytes(all), bytes(opaque)),
            remedy: "Mirror the ports that the API's servers or their load balancer are on, and check the filter: HTTP is found on any \
                port, so the filter should not name one.",
        });
    }
}
