//! Exchanges that somebody else wrote down.
//!
//! Takes the parts of an exchange as an access log has them, gives the same [`Observation`](super::Observation) that the wire
//! would have given: the same splitting, the same kinds, the same keyed hashes. Never keeps a value.

use super::watch::Told;
use super::{Sink, Watch};
use crate::base::{Address, Timestamp};
use crate::exchange::{Outcome, Partial};
use crate::proto::{Fields, RequestHead, Target, Version};

/// One exchange of a log. What the log does not say is empty or `None`.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'a> {
    /// When the request began.
    pub ts: Timestamp,
    /// Who asked: a hash of what the log calls the client.
    pub client: Address,
    /// Who answered.
    pub server: Address,
    /// Host, with its port where it is not the usual one; empty where unknown.
    pub host: &'a str,
    /// Method.
    pub method: &'a str,
    /// Path and query, or the whole URL.
    pub target: &'a str,
    /// Status code.
    pub status: Option<u16>,
    /// Media type of the request's body.
    pub request_type: &'a str,
    /// Media type of the response's body.
    pub response_type: &'a str,
    /// Body bytes of request and response, where the log knows both.
    pub sizes: Option<(u64, u64)>,
    /// Nanoseconds to the answer.
    pub latency: Option<u64>,
    /// Bodies of request and response where the log has them, decoded; only JSON is looked into.
    pub bodies: [&'a [u8]; 2],
    /// The response's `Location`.
    pub location: Option<&'a str>,
    /// The request's `Authorization`.
    pub authorization: Option<&'a str>,
}

impl Default for Logged<'_> {
    /// A `GET` of `/` of which nothing more is known.
    fn default() -> Self {
        Self {
            ts: Timestamp::default(),
            client: Address::v4(0, 0),
            server: Address::v4(0, 80),
            host: "",
            method: "GET",
            target: "/",
            status: None,
            request_type: "",
            response_type: "",
            sizes: None,
            latency: None,
            bodies: [b""; 2],
            location: None,
            authorization: None,
        }
    }
}

impl<S: Sink> Watch<S> {
    /// Observes an exchange of a log.
    pub fn logged(&mut self, entry: &Logged<'_>) {
        let head = RequestHead {
            method: entry.method,
            target: Target::from(entry.target),
            host: (!entry.host.is_empty()).then_some(entry.host.as_bytes()),
            version: Version::Http11,
            fields: Fields(&[]),
            content_type: (!entry.request_type.is_empty()).then_some(entry.request_type.as_bytes()),
            size: 0,
        };
        let response_type = (!entry.response_type.is_empty()).then_some(entry.response_type.as_bytes());
        // Sizes that nobody knows are kept out of the sketches, as those of a cut exchange are.
        let (partial, (request_body, response_body)) = match entry.sizes {
            Some(sizes) => (Partial::default(), sizes),
            None => (Partial::CUT, (0, 0)),
        };
        let outcome = Outcome {
            started: entry.ts,
            latency: entry.latency,
            request_body,
            response_body,
            partial: if entry.status.is_none() { Partial::NO_RESPONSE } else { partial },
            interim: 0,
        };
        let told = Told {
            bodies: entry.bodies,
            location: entry.location.map(str::as_bytes),
            authorization: entry.authorization.map(str::as_bytes),
        };
        self.whole(&head, (entry.client, entry.server), entry.status, response_type, &outcome, &told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Batch, Key};

    #[test]
    fn a_line_of_a_log_is_what_the_wire_would_have_given() {
        let mut watch = Watch::new(Batch::new(), Key::FIXED);
        watch.logged(&Logged {
            ts: Timestamp(7),
            host: "API.example:8080",
            target: "/users/507f1f77bcf86cd799439011?page=2",
            status: Some(200),
            response_type: "application/json; charset=utf-8",
            ..Logged::default()
        });
        let mut seen = 0;
        watch.sink.for_each(|o| {
            seen += 1;
            assert_eq!((o.service.host, o.method, o.status), ("api.example", "GET", Some(200)));
            assert_eq!((o.path.len(), o.path[0].text, o.path[1].text), (2, "users", ""));
            assert_eq!((o.query[0].name, o.response_type, o.partial), ("page", "application/json", true));
        });
        assert_eq!(seen, 1);
        assert_eq!(watch.waiting(), 0);
    }
}
