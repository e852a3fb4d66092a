//! The project's own recordings, wrapped in tunnels as switches and clouds mirror them: the same exchanges come out.

use std::path::Path;

use shadowtap::base::Limits;
use shadowtap::capture::files::Files;
use shadowtap::exchange::{Observer, Outcome, Sides};
use shadowtap::pipeline::Pipeline;
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::Connection;
use shadowtap::wire::{Frame, LinkType};

#[path = "common/wrap.rs"]
#[allow(dead_code, reason = "the file serves other tests, too")]
mod wrap;

use wrap::{Made, WRAPS, Wrap};

/// Method, target, status, client's port.
type Exchange = (String, Vec<u8>, u16, u16);

/// The frames that come in the place of one; the number is that one's.
type Change<'a> = &'a dyn Fn(&[u8], u16) -> Vec<Vec<u8>>;

/// In order of their ends.
#[derive(Default)]
struct Exchanges(Vec<Exchange>);

impl Observer for Exchanges {
    type Request = Exchange;

    fn request(&mut self, _: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request {
        (head.method.to_owned(), head.target.bytes().to_vec(), 0, sides.client.port)
    }

    fn hidden(&mut self, _: &Connection, sides: Sides, head: &RequestHead<'_>) -> Self::Request {
        (head.method.to_owned(), Vec::new(), 0, sides.client.port)
    }

    fn response(&mut self, request: &mut Self::Request, head: &ResponseHead<'_>) {
        request.2 = head.status;
    }

    fn finish(&mut self, _: &Connection, request: Self::Request, _: &Outcome) {
        self.0.push(request);
    }

    fn orphan(&mut self, _: &Connection, sides: Sides, head: &ResponseHead<'_>) -> Self::Request {
        (String::new(), Vec::new(), head.status, sides.client.port)
    }
}

/// What a recording holds when each of its frames goes through `change`.
fn exchanges(sample: &str, change: Change<'_>) -> Vec<Exchange> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("capture-samples").join(sample).join("traffic.pcap");
    let mut files = Files::open(&[path]).expect("a recording");
    let mut pipeline = Pipeline::new(Exchanges::default(), &Limits::default());
    let mut id = 0_u16;
    while let Some(frame) = files.next().expect("sound") {
        assert_eq!(frame.link, LinkType::ETHERNET);
        id = id.wrapping_add(1);
        for data in change(frame.data, id) {
            pipeline.frame(&Frame { data: &data, wire_len: data.len() as u32, ..frame });
        }
    }
    pipeline.finish();
    let ledger = pipeline.ledger();
    assert_eq!(ledger.accounted(), ledger.captured);
    pipeline.into_observer().0
}

#[test]
fn hard_case_27_a_recording_reads_the_same_in_each_tunnel() {
    for sample in ["shop", "aria2"] {
        let plain = exchanges(sample, &|frame, _| vec![frame.to_vec()]);
        assert!(plain.len() > 10, "{sample}");
        for wrap in WRAPS {
            let wrapped = exchanges(sample, &|frame, _| vec![wrap.around(Made::Ethernet(frame.to_vec())).frame()]);
            assert!(wrapped == plain, "{sample} in {wrap:?}: {} of {}", wrapped.len(), plain.len());
        }
    }
}

#[test]
fn hard_case_27_a_recording_in_a_tunnel_in_fragments_reads_the_same() {
    let plain = exchanges("shop", &|frame, _| vec![frame.to_vec()]);
    for wrap in [Wrap::Vxlan, Wrap::Erspan2, Wrap::Geneve, Wrap::GreBridged] {
        let wrapped = exchanges("shop", &|frame, id| {
            let mut outer = wrap.around(Made::Ethernet(frame.to_vec())).packet();
            outer[4..6].copy_from_slice(&id.to_be_bytes());
            let mut parts: Vec<_> = wrap::fragments(&outer, 576).iter().map(|ip| wrap::ethernet(0x0800, ip)).collect();
            parts.reverse();
            parts
        });
        assert!(wrapped == plain, "{wrap:?}: {} of {}", wrapped.len(), plain.len());
    }
}

#[test]
fn hard_case_28_a_recording_that_comes_plain_and_in_a_tunnel_counts_once() {
    let plain = exchanges("shop", &|frame, _| vec![frame.to_vec()]);
    let twice =
        exchanges("shop", &|frame, _| vec![frame.to_vec(), Wrap::Vxlan.around(Made::Ethernet(frame.to_vec())).frame()]);
    assert!(twice == plain, "{} of {}", twice.len(), plain.len());
}
