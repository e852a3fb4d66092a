//! Observations for the way across a channel.
//!
//! Takes observations one by one, gives them back in the same order; texts, segments and parameters of all of them lie in
//! three shared buffers, so that a batch that was cleared takes the next ones without an allocation. Never grows by itself:
//! its owner sends it off when it is large enough.

use std::net::IpAddr;

use super::record::{MAX_PARAMETERS, MAX_SEGMENTS, ParameterSpan, SegmentSpan, Span, append, lend};
use super::{Field, Glimpse, Kind, Mention, Mentioned, Observation, Said, Scheme, ServiceKey, Sink};
use crate::base::Timestamp;

/// Owned observations.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    text: String,
    segments: Vec<SegmentSpan>,
    parameters: Vec<ParameterSpan>,
    items: Vec<Item>,
    glimpses: Vec<Glimpse>,
    /// Bytes that the glimpses take.
    glimpsed: usize,
    /// What was said in some of them, by their numbers.
    said: Vec<(usize, Heard)>,
    fields: Vec<FieldSpan>,
    /// Services that named values; the values end where the numbers say.
    named: Vec<(Scheme, Span, u16, usize)>,
    mentions: Vec<Mention>,
}

/// What was said; its fields end where this number says.
#[derive(Clone, Copy, Debug)]
struct Heard {
    messages: [u64; 2],
    bytes: [u64; 2],
    since: bool,
    fields_end: usize,
}

#[derive(Clone, Copy, Debug)]
struct FieldSpan {
    path: Span,
    kind: Kind,
    server: bool,
    messages: u64,
}

/// One observation; its segments and parameters end where these numbers say, and begin where the item before ended.
#[derive(Clone, Debug)]
struct Item {
    ts: Timestamp,
    server: IpAddr,
    caller: u64,
    request_size: u64,
    response_size: u64,
    latency: Option<u64>,
    scheme: Scheme,
    port: u16,
    status: Option<u16>,
    grpc_status: Option<u16>,
    trailing_slash: bool,
    partial: bool,
    host: Span,
    method: Span,
    operation: Span,
    request_type: Span,
    response_type: Span,
    segments_end: u32,
    parameters_end: u32,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Copies an observation in. Segments beyond the 64th and parameters beyond the 128th, which no [`super::Watch`]
    /// gives, are left out.
    pub fn push(&mut self, o: &Observation<'_>) {
        let text = &mut self.text;
        let host = append(text, o.service.host);
        let method = append(text, o.method);
        let operation = append(text, o.operation);
        let request_type = append(text, o.request_type);
        let response_type = append(text, o.response_type);
        for s in o.path.iter().take(MAX_SEGMENTS) {
            self.segments.push(SegmentSpan { hash: s.hash, kind: s.kind, text: append(text, s.text) });
        }
        for p in o.query.iter().take(MAX_PARAMETERS) {
            self.parameters.push(ParameterSpan { name: append(text, p.name), kind: p.kind });
        }
        if let Some(said) = &o.said {
            for f in said.fields {
                let path = append(text, f.path);
                self.fields.push(FieldSpan { path, kind: f.kind, server: f.server, messages: f.messages });
            }
            let Said { messages, bytes, since, .. } = *said;
            self.said.push((self.items.len(), Heard { messages, bytes, since, fields_end: self.fields.len() }));
        }
        self.items.push(Item {
            ts: o.ts,
            server: o.server,
            caller: o.caller,
            request_size: o.request_size,
            response_size: o.response_size,
            latency: o.latency,
            scheme: o.service.scheme,
            port: o.service.port,
            status: o.status,
            grpc_status: o.grpc_status,
            trailing_slash: o.trailing_slash,
            partial: o.partial,
            host,
            method,
            operation,
            request_type,
            response_type,
            segments_end: self.segments.len() as u32,
            parameters_end: self.parameters.len() as u32,
        });
    }

    /// Gives each observation, in the order in which they came.
    pub fn for_each(&self, mut then: impl FnMut(&Observation<'_>)) {
        let (mut segments_start, mut parameters_start, mut fields_start) = (0, 0, 0);
        let mut said = self.said.iter().peekable();
        let mut fields = Vec::new();
        for (number, item) in self.items.iter().enumerate() {
            let heard = said.next_if(|(of, _)| *of == number).map(|(_, heard)| heard);
            if let Some(heard) = heard {
                fields.clear();
                fields.extend(self.fields.get(fields_start..heard.fields_end).unwrap_or_default().iter().map(|f| {
                    Field { server: f.server, path: f.path.of(&self.text), kind: f.kind, messages: f.messages }
                }));
                fields_start = heard.fields_end;
            }
            let said = heard.map(|heard| Said {
                messages: heard.messages,
                bytes: heard.bytes,
                fields: &fields,
                since: heard.since,
            });
            let (segments_end, parameters_end) = (item.segments_end as usize, item.parameters_end as usize);
            let segments = &self.segments[segments_start..segments_end];
            let parameters = &self.parameters[parameters_start..parameters_end];
            (segments_start, parameters_start) = (segments_end, parameters_end);
            lend(&self.text, segments, parameters, |path, query| {
                then(&Observation {
                    ts: item.ts,
                    service: ServiceKey { scheme: item.scheme, host: item.host.of(&self.text), port: item.port },
                    server: item.server,
                    caller: item.caller,
                    method: item.method.of(&self.text),
                    path,
                    operation: item.operation.of(&self.text),
                    trailing_slash: item.trailing_slash,
                    query,
                    status: item.status,
                    grpc_status: item.grpc_status,
                    request_type: item.request_type.of(&self.text),
                    response_type: item.response_type.of(&self.text),
                    request_size: item.request_size,
                    response_size: item.response_size,
                    latency: item.latency,
                    partial: item.partial,
                    said,
                });
            });
        }
    }

    /// Takes a glimpse in.
    pub fn push_glimpse(&mut self, glimpse: Glimpse) {
        self.glimpsed += glimpse.weight();
        self.glimpses.push(glimpse);
    }

    /// Takes the glimpses out, in the order in which they came.
    pub fn take_glimpses(&mut self) -> impl Iterator<Item = Glimpse> + '_ {
        self.glimpsed = 0;
        self.glimpses.drain(..)
    }

    /// Gives what was mentioned, in the order in which it came. The observations of these services come before.
    pub fn for_each_mentioned(&self, mut then: impl FnMut(&Mentioned<'_>)) {
        let mut start = 0;
        for &(scheme, host, port, end) in &self.named {
            let mentions = self.mentions.get(start..end).unwrap_or_default();
            start = end;
            then(&Mentioned { service: ServiceKey { scheme, host: host.of(&self.text), port }, mentions });
        }
    }

    /// Lets all go and keeps the buffers.
    pub fn clear(&mut self) {
        self.text.clear();
        self.named.clear();
        self.mentions.clear();
        self.segments.clear();
        self.parameters.clear();
        self.items.clear();
        self.glimpses.clear();
        self.glimpsed = 0;
        self.said.clear();
        self.fields.clear();
    }

    /// Observations in the batch.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Is there none, and no glimpse either?
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.glimpses.is_empty()
    }

    /// Bytes that observations and glimpses take.
    pub fn bytes(&self) -> usize {
        self.text.len()
            + size_of_val(self.segments.as_slice())
            + size_of_val(self.parameters.as_slice())
            + size_of_val(self.items.as_slice())
            + self.glimpsed
            + size_of_val(self.said.as_slice())
            + size_of_val(self.fields.as_slice())
            + size_of_val(self.named.as_slice())
            + size_of_val(self.mentions.as_slice())
    }
}

impl Sink for Batch {
    #[inline]
    fn observation(&mut self, observation: &Observation<'_>) {
        self.push(observation);
    }

    fn glimpse(&mut self, glimpse: Glimpse) {
        self.push_glimpse(glimpse);
    }

    fn mentioned(&mut self, mentioned: &Mentioned<'_>) {
        let host = append(&mut self.text, mentioned.service.host);
        self.mentions.extend_from_slice(mentioned.mentions);
        self.named.push((mentioned.service.scheme, host, mentioned.service.port, self.mentions.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Kind, Parameter, Segment};

    #[test]
    fn gives_back_what_was_put_in() {
        let path =
            [Segment { kind: Kind::Word, hash: 0, text: "users" }, Segment { kind: Kind::Uuid, hash: 9, text: "" }];
        let query = [Parameter { name: "page", kind: Kind::Integer }];
        let o = Observation {
            ts: Timestamp(5),
            service: ServiceKey { scheme: Scheme::Https, host: "api.example", port: 443 },
            server: "10.0.0.1".parse().unwrap(),
            caller: 3,
            method: "GET",
            path: &path,
            operation: "",
            trailing_slash: true,
            query: &query,
            status: Some(200),
            grpc_status: Some(5),
            request_type: "",
            response_type: "application/json",
            request_size: 1,
            response_size: 2,
            latency: Some(3),
            partial: true,
            said: None,
        };
        let fields = [
            Field { server: true, path: "a.b", kind: Kind::Integer, messages: 3 },
            Field { server: false, path: "c[]", kind: Kind::Text, messages: 1 },
        ];
        let words = Said { messages: [1, 2], bytes: [3, 4], fields: &fields, since: true };
        let said = Observation { path: &path[..1], query: &[], said: Some(words), ..o };
        let mut batch = Batch::new();
        for round in 0..3 {
            batch.push(&o);
            batch.push(&said);
            batch.push(&Observation { path: &[], ..o });
            let mut seen = Vec::new();
            batch.for_each(|o| seen.push(format!("{o:?}")));
            assert_eq!(seen.len(), batch.len());
            assert_eq!(seen[0], format!("{o:?}"), "round {round}");
            assert_eq!(seen[1], format!("{said:?}"));
            assert!(batch.bytes() > 0);
            batch.clear();
            assert!(batch.is_empty());
        }
    }

    #[test]
    fn long_paths_and_queries_are_cut() {
        let path = vec![Segment { kind: Kind::Word, hash: 0, text: "a" }; 100];
        let query = vec![Parameter { name: "q", kind: Kind::Word }; 200];
        let o = Observation {
            ts: Timestamp(5),
            service: ServiceKey { scheme: Scheme::Http, host: "a", port: 80 },
            server: "::1".parse().unwrap(),
            caller: 3,
            method: "GET",
            path: &path,
            operation: "",
            trailing_slash: false,
            query: &query,
            status: None,
            grpc_status: None,
            request_type: "",
            response_type: "",
            request_size: 0,
            response_size: 0,
            latency: None,
            partial: false,
            said: None,
        };
        let mut batch = Batch::new();
        batch.push(&o);
        batch.for_each(|o| assert_eq!((o.path.len(), o.query.len()), (MAX_SEGMENTS, MAX_PARAMETERS)));
    }
}
