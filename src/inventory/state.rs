//! What is known of an endpoint.
//!
//! Takes exchanges one by one, gives counts, times, sketches and facets, and one [`EndpointState::merge`]: commutative and
//! associative, used when templates fold, when workers hand over their share and when the store is read again. Never
//! holds a value.

mod said;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::names::{Name, Names};
use super::sketch::{Counters, Days, Distinct, bucket, quantiles};
use super::{ParameterView, Quantiles, id};
use crate::base::{InventoryLimits, Timestamp};
use crate::observe::{Kind, Observation};
use crate::proto::grpc;

/// What a counter counts: the upper bits of its key.
const STATUS: u32 = 0;
const LATENCY: u32 = 1 << 20;
const REQUEST_SIZE: u32 = 2 << 20;
const RESPONSE_SIZE: u32 = 3 << 20;
/// Kind of a value by its place in the path: place in the bits 5 to 10, kind in the lower five.
const PLACE: u32 = 4 << 20;
/// A gRPC call by its status.
const GRPC: u32 = 5 << 20;
/// Messages of the client and of the server, and bytes of them.
const SAID: u32 = 6 << 20;
const NEXT: u32 = 1 << 20;

/// All that is known of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointState {
    /// Exchanges.
    pub calls: u64,
    /// Those without a response.
    pub unanswered: u64,
    /// First and last exchange.
    pub first_seen: Timestamp,
    /// See `first_seen`.
    pub last_seen: Timestamp,
    /// Hash of the path and method under which the first of its exchanges was seen; gives the endpoint its id. Of several
    /// that began at the same nanosecond the smallest.
    pub origin: u64,
    days: Days,
    counters: Counters,
    callers: Distinct,
    facets: Vec<Facet>,
}

/// Where a facet's name was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Role {
    RequestType,
    ResponseType,
    Query,
    /// A field of the client's messages.
    Asks,
    /// A field of the server's messages.
    Tells,
}

const ROLES: [Role; 5] = [Role::RequestType, Role::ResponseType, Role::Query, Role::Asks, Role::Tells];

/// A media type, a query parameter or a field of messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Facet {
    role: Role,
    name: Name,
    calls: u64,
    /// Kinds of a query parameter's values.
    kinds: Kinds,
}

/// How often each kind of value was seen. Mostly there is one, which then lies in the value itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<(Kind, u64)>", into = "Vec<(Kind, u64)>")]
enum Kinds {
    One((Kind, u64)),
    /// None or several, ascending.
    Other(Vec<(Kind, u64)>),
}

/// A status that a server gives for what is there, though it did not do it: not allowed, too often, wrong input, broken.
/// 405 says that the path is there and the method is not.
pub(super) fn hints_at_something(status: u16) -> bool {
    matches!(status, 401 | 402 | 403 | 405 | 406 | 409 | 411..=431 | 500 | 502..=599)
}

impl EndpointState {
    /// Counts an exchange in. `values` has a bit for each place of the path that holds a value. Gives the facets that
    /// were let go because the endpoint holds too many.
    #[inline]
    pub(super) fn observe(
        &mut self,
        o: &Observation<'_>,
        values: u64,
        limits: &InventoryLimits,
        names: &mut Names,
    ) -> u64 {
        let mut let_go = 0;
        if let Some(said) = &o.said {
            let_go += self.hear(said, limits, names);
            if said.since {
                self.last_seen = self.last_seen.max(o.ts);
                return let_go;
            }
        }
        if self.calls == 0 || o.ts <= self.first_seen {
            self.date_back(o.ts, id::origin(o.method, o.operation, o.path));
        }
        self.last_seen = self.last_seen.max(o.ts);
        self.calls += 1;
        self.days.insert(o.ts.day());
        self.callers.insert(o.caller);
        let mut places = values;
        while places != 0 {
            let place = places.trailing_zeros();
            places &= places - 1;
            if let Some(segment) = o.path.get(place as usize) {
                self.counters.bump(PLACE | place << 5 | segment.kind as u32);
            }
        }
        if let Some(latency) = o.latency {
            self.counters.bump(LATENCY + bucket(latency));
        }
        if !o.partial {
            self.counters.bump(REQUEST_SIZE + bucket(o.request_size));
            self.counters.bump(RESPONSE_SIZE + bucket(o.response_size));
        }
        let Some(status) = o.status else {
            self.unanswered += 1;
            return let_go;
        };
        self.counters.bump(STATUS + u32::from(status));
        if let Some(status) = o.grpc_status {
            self.counters.bump(GRPC + u32::from(status));
        }
        if !o.response_type.is_empty() {
            let_go += u64::from(!self.facet(Role::ResponseType, o.response_type, None, limits, names));
        }
        // What a server refused says nothing about what it takes.
        if o.succeeded() {
            if !o.request_type.is_empty() {
                let_go += u64::from(!self.facet(Role::RequestType, o.request_type, None, limits, names));
            }
            for parameter in o.query {
                let kind = Some(parameter.kind);
                let_go += u64::from(!self.facet(Role::Query, parameter.name, kind, limits, names));
            }
        }
        let_go
    }

    fn date_back(&mut self, ts: Timestamp, origin: u64) {
        if self.calls == 0 || (ts, origin) < (self.first_seen, self.origin) {
            (self.first_seen, self.origin) = (ts, origin);
        }
    }

    /// Reads a little of all that [`observe`](Self::observe) is going to look at. Among many endpoints all of it has to come
    /// from memory; asked for at once, the pieces arrive together and not one after the other.
    #[inline]
    pub(super) fn warm(&self, caller: u64) -> u64 {
        let facet = self.facets.first().map_or(0, |f| f.calls);
        self.last_seen.0 ^ self.counters.warm() ^ self.callers.warm(caller) ^ facet
    }

    /// Lets names be shared that were read by themselves.
    pub(super) fn share_names(&mut self, names: &mut Names) {
        self.facets.iter_mut().for_each(|f| f.name = names.share(&f.name));
    }

    /// Counts a facet; `false` where there is no room for it.
    #[inline]
    fn facet(
        &mut self,
        role: Role,
        name: &str,
        kind: Option<Kind>,
        limits: &InventoryLimits,
        names: &mut Names,
    ) -> bool {
        match self.facets.iter_mut().find(|f| f.role == role && *f.name == *name) {
            Some(facet) => {
                facet.calls += 1;
                if let Some(kind) = kind {
                    facet.kinds.add(kind, 1);
                }
                true
            }
            None => self.new_facet(role, name, kind, limits, names),
        }
    }

    #[cold]
    fn new_facet(
        &mut self,
        role: Role,
        name: &str,
        kind: Option<Kind>,
        limits: &InventoryLimits,
        names: &mut Names,
    ) -> bool {
        if self.facets.iter().filter(|f| f.role == role).count() >= role.limit(limits) {
            return false;
        }
        let at = self.facets.partition_point(|f| (f.role, &*f.name) < (role, name));
        let kinds = kind.map_or(Kinds::Other(Vec::new()), |kind| Kinds::One((kind, 1)));
        self.facets.reserve_exact(1);
        self.facets.insert(at, Facet { role, name: names.share(name), calls: 1, kinds });
        true
    }

    /// Adds what is known of another endpoint. Of more facets than the limits allow, those with the most exchanges are
    /// kept, and of equals those first by name; gives how many were let go. Within the limits, commutative and associative.
    pub fn merge(&mut self, other: &Self, limits: &InventoryLimits) -> u64 {
        if other.calls == 0 {
            return 0;
        }
        self.date_back(other.first_seen, other.origin);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.calls += other.calls;
        self.unanswered += other.unanswered;
        self.days.merge(&other.days);
        self.counters.merge(&other.counters);
        self.callers.merge(&other.callers);
        for theirs in &other.facets {
            let place = |f: &Facet| (f.role, &*f.name).cmp(&(theirs.role, &*theirs.name));
            match self.facets.binary_search_by(place) {
                Ok(at) => {
                    let mine = &mut self.facets[at];
                    mine.calls += theirs.calls;
                    theirs.kinds.iter().for_each(|&(kind, n)| mine.kinds.add(kind, n));
                }
                Err(at) => self.facets.insert(at, theirs.clone()),
            }
        }
        ROLES.into_iter().map(|role| self.trim(role, role.limit(limits))).sum()
    }

    fn trim(&mut self, role: Role, limit: usize) -> u64 {
        let mut of_role: Vec<_> =
            self.facets.iter().filter(|f| f.role == role).map(|f| (u64::MAX - f.calls, f.name.clone())).collect();
        if of_role.len() <= limit {
            return 0;
        }
        of_role.sort_unstable();
        let gone = of_role.split_off(limit);
        self.facets.retain(|f| f.role != role || !gone.iter().any(|(_, name)| *name == f.name));
        gone.len() as u64
    }

    /// Notes that the exchanges counted so far had a value of this kind at a place where they were told apart by it.
    pub(super) fn place_holds(&mut self, place: usize, kind: Kind) {
        if let Some(place) = place_bits(place) {
            self.counters.add(PLACE | place | kind as u32, self.calls);
        }
    }

    /// The kinds of values at a place of the path.
    pub(super) fn kinds_at(&self, place: usize) -> impl Iterator<Item = (Kind, u64)> + '_ {
        let first = place_bits(place).map(|place| PLACE | place);
        let range = first.map(|first| self.counters.range(first, first + 32));
        range.into_iter().flatten().filter_map(|(key, n)| Some((*Kind::ALL.get(key as usize & 31)?, n)))
    }

    /// Exchanges by status code.
    pub fn statuses(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.counters.range(STATUS, STATUS + NEXT).map(|(key, n)| (key as u16, n))
    }

    /// gRPC calls by their status.
    pub fn grpc_statuses(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.counters.range(GRPC, GRPC + NEXT).map(|(key, n)| (key as u16, n))
    }

    /// Exchanges by status code, those without an answer under 0.
    pub(super) fn statuses_or_none(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let unanswered = (self.unanswered > 0).then_some((0, self.unanswered));
        unanswered.into_iter().chain(self.statuses())
    }

    /// Was it ever answered as something that is there may be: refused, asked too often, broken? What is not there is
    /// answered with 404, 400, 410 or 501.
    pub(super) fn may_be_real(&self) -> bool {
        self.succeeded() > 0 || self.statuses().any(|(status, _)| hints_at_something(status))
    }

    /// Exchanges answered with 2xx, 3xx or a granted upgrade (101), but for those of gRPC methods that the server does not have.
    pub fn succeeded(&self) -> u64 {
        let granted = self.sum(STATUS + 101, STATUS + 102);
        (granted + self.sum(STATUS + 200, STATUS + 400)).saturating_sub(self.unimplemented())
    }

    /// gRPC calls of a method that the server does not have.
    pub(super) fn unimplemented(&self) -> u64 {
        let status = GRPC + u32::from(grpc::UNIMPLEMENTED);
        self.sum(status, status + 1)
    }

    fn sum(&self, first: u32, end: u32) -> u64 {
        self.counters.range(first, end).map(|(_, n)| n).sum()
    }

    /// Days with at least one exchange.
    pub fn days_seen(&self) -> u32 {
        self.days.count()
    }

    /// Distinct callers, estimated beyond 64.
    pub fn callers(&self) -> u64 {
        self.callers.count()
    }

    /// Time to first byte in nanoseconds, request body and response body in bytes.
    pub fn quantiles(&self) -> [Quantiles; 3] {
        [LATENCY, REQUEST_SIZE, RESPONSE_SIZE]
            .map(|base| quantiles(self.counters.range(base, base + NEXT).map(move |(key, n)| (key - base, n))))
    }

    /// Media types of requests and of responses.
    pub fn media_types(&self) -> [BTreeMap<String, u64>; 2] {
        [Role::RequestType, Role::ResponseType]
            .map(|role| self.facets.iter().filter(|f| f.role == role).map(|f| (f.name.to_string(), f.calls)).collect())
    }

    /// Query parameters by name.
    pub fn query(&self) -> BTreeMap<String, ParameterView> {
        let query = self.facets.iter().filter(|f| f.role == Role::Query);
        query
            .map(|f| (f.name.to_string(), ParameterView { calls: f.calls, kinds: f.kinds.iter().copied().collect() }))
            .collect()
    }

    /// Bytes on the heap that nobody shares, for measuring.
    pub fn heap_bytes(&self) -> usize {
        let facets: usize = self.facets.iter().map(|f| f.kinds.heap_bytes()).sum();
        self.days.heap_bytes()
            + self.counters.heap_bytes()
            + self.callers.heap_bytes()
            + self.facets.capacity() * size_of::<Facet>()
            + facets
    }
}

impl Role {
    fn limit(self, limits: &InventoryLimits) -> usize {
        match self {
            Self::RequestType | Self::ResponseType => limits.media_types,
            Self::Query => limits.query_parameters,
            Self::Asks | Self::Tells => limits.message_fields,
        }
    }
}

fn place_bits(place: usize) -> Option<u32> {
    (place < 64).then_some((place as u32) << 5)
}

impl Kinds {
    fn iter(&self) -> std::slice::Iter<'_, (Kind, u64)> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Other(kinds) => kinds.iter(),
        }
    }

    #[inline]
    fn add(&mut self, kind: Kind, n: u64) {
        match self {
            Self::One((mine, calls)) if *mine == kind => *calls += n,
            _ => self.add_to_list(kind, n),
        }
    }

    fn add_to_list(&mut self, kind: Kind, n: u64) {
        let mut kinds: Vec<_> = std::mem::replace(self, Self::Other(Vec::new())).into();
        match kinds.binary_search_by_key(&kind, |k| k.0) {
            Ok(at) => kinds[at].1 += n,
            Err(at) => kinds.insert(at, (kind, n)),
        }
        *self = kinds.into();
    }

    fn heap_bytes(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Other(kinds) => kinds.capacity() * size_of::<(Kind, u64)>(),
        }
    }
}

impl From<Vec<(Kind, u64)>> for Kinds {
    fn from(kinds: Vec<(Kind, u64)>) -> Self {
        match kinds[..] {
            [one] => Self::One(one),
            _ => Self::Other(kinds),
        }
    }
}

impl From<Kinds> for Vec<(Kind, u64)> {
    fn from(kinds: Kinds) -> Self {
        match kinds {
            Kinds::One(one) => vec![one],
            Kinds::Other(kinds) => kinds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{Field, Parameter, Said, Scheme, Segment, ServiceKey};
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    struct Call {
        ts: u64,
        caller: u64,
        status: Option<u16>,
        size: u64,
        latency: Option<u64>,
        kind: usize,
        names: Vec<usize>,
    }

    const NAMES: [&str; 6] = ["page", "limit", "q", "sort", "fields", "cursor"];
    const TYPES: [&str; 3] = ["application/json", "text/plain", "application/xml"];

    fn call() -> impl Strategy<Value = Call> {
        let status = prop::option::of(prop::sample::select(vec![200u16, 201, 304, 404, 500]));
        let names = prop::collection::vec(0usize..NAMES.len(), 0..3);
        (0u64..1 << 50, 0u64..100, status, 0u64..5000, prop::option::of(1u64..1 << 30), 0usize..19, names).prop_map(
            |(ts, caller, status, size, latency, kind, names)| Call { ts, caller, status, size, latency, kind, names },
        )
    }

    fn state(calls: &[Call], limits: &InventoryLimits) -> EndpointState {
        let mut state = EndpointState::default();
        for c in calls {
            let path = [Segment { kind: Kind::ALL[c.kind], hash: 1, text: "" }];
            let mut names = c.names.clone();
            names.dedup();
            let query: Vec<_> = names.iter().map(|n| Parameter { name: NAMES[*n], kind: Kind::ALL[c.kind] }).collect();
            let field = |n: &usize| Field {
                server: n.is_multiple_of(2),
                path: NAMES[*n],
                kind: [Kind::Text, Kind::Integer, Kind::Empty][c.kind % 3],
                messages: 1 + c.size % 3,
            };
            let fields: Vec<_> = names.iter().map(field).collect();
            let o = Observation {
                ts: Timestamp(c.ts),
                service: ServiceKey { scheme: Scheme::Http, host: "a", port: 80 },
                server: "::1".parse().unwrap(),
                caller: c.caller.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                method: "GET",
                path: &path,
                operation: "",
                trailing_slash: false,
                query: &query,
                status: c.status,
                grpc_status: c.status.filter(|_| c.kind % 2 == 0).map(|s| s % 17),
                request_type: TYPES[c.kind % 3],
                response_type: TYPES[c.caller as usize % 3],
                request_size: c.size,
                response_size: c.size * 3,
                latency: c.latency,
                partial: c.size % 7 == 0,
                said: (c.kind % 3 == 0).then_some(Said {
                    messages: [c.size % 5, 1],
                    bytes: [c.size, 7],
                    fields: &fields,
                    since: false,
                }),
            };
            state.observe(&o, 1, limits, &mut Names::new());
        }
        state
    }

    fn merged(a: &EndpointState, b: &EndpointState) -> EndpointState {
        let mut m = a.clone();
        m.merge(b, &InventoryLimits::default());
        m
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        prop::collection::vec(call(), 0..30)
    }

    proptest! {
        #[test]
        fn merge_is_commutative_and_associative(a in calls(), b in calls(), c in calls()) {
            let limits = InventoryLimits::default();
            let (a, b, c) = (state(&a, &limits), state(&b, &limits), state(&c, &limits));
            prop_assert_eq!(merged(&a, &b), merged(&b, &a));
            prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
            prop_assert_eq!(&merged(&a, &EndpointState::default()), &a);
        }

        #[test]
        fn merged_parts_equal_the_whole_also_through_bytes(all in calls(), cut in 0usize..30) {
            let limits = InventoryLimits::default();
            let cut = cut.min(all.len());
            let through = |s: EndpointState| postcard::from_bytes::<EndpointState>(&postcard::to_stdvec(&s).unwrap()).unwrap();
            let (a, b) = (through(state(&all[..cut], &limits)), through(state(&all[cut..], &limits)));
            prop_assert_eq!(merged(&b, &a), state(&all, &limits));
        }

        #[test]
        fn facets_stay_within_their_limits(a in calls(), b in calls()) {
            let limits = InventoryLimits { query_parameters: 2, media_types: 1, message_fields: 2, ..InventoryLimits::default() };
            let mut m = state(&a, &limits);
            m.merge(&state(&b, &limits), &limits);
            prop_assert!(m.query().len() <= 2);
            prop_assert!(m.messages().is_none_or(|m| m.client.fields.len() <= 2 && m.server.fields.len() <= 2));
            prop_assert!(m.media_types().iter().all(|t| t.len() <= 1));
        }
    }

    #[test]
    fn the_oldest_gives_the_id_and_of_equals_the_smallest() {
        let born = |first_seen, origin| EndpointState {
            calls: 1,
            first_seen: Timestamp(first_seen),
            origin,
            ..Default::default()
        };
        let all = [born(5, 9), born(3, 8), born(3, 7), born(4, 1)];
        assert_eq!(all.iter().fold(EndpointState::default(), |a, b| merged(&a, b)).origin, 7);
    }

    #[test]
    fn refused_requests_teach_no_parameters() {
        let limits = InventoryLimits::default();
        let call = |status| Call { ts: 1, caller: 1, status, size: 1, latency: None, kind: 2, names: vec![0] };
        assert!(state(&[call(Some(404)), call(Some(400)), call(None)], &limits).query().is_empty());
        let s = state(&[call(Some(200)), call(Some(404))], &limits);
        assert_eq!(s.query()["page"], ParameterView { calls: 1, kinds: [(Kind::Integer, 1)].into() });
        assert_eq!((s.calls, s.succeeded(), s.unanswered), (2, 1, 0));
    }

    #[test]
    fn what_was_said_since_is_no_further_exchange() {
        let limits = InventoryLimits::default();
        let call = Call { ts: 5, caller: 1, status: Some(101), size: 1, latency: None, kind: 2, names: vec![] };
        let mut s = state(&[call], &limits);
        let path = [Segment { kind: Kind::Word, hash: 0, text: "feed" }];
        let fields = [
            Field { server: true, path: "orders[].price", kind: Kind::Decimal, messages: 3 },
            Field { server: true, path: "orders[].price", kind: Kind::Empty, messages: 1 },
        ];
        for n in 1..=2 {
            let o = Observation {
                ts: Timestamp(100 * n),
                service: ServiceKey { scheme: Scheme::Http, host: "a", port: 80 },
                server: "::1".parse().unwrap(),
                caller: 1,
                method: "GET",
                path: &path,
                operation: "",
                trailing_slash: false,
                query: &[],
                status: Some(101),
                grpc_status: None,
                request_type: "",
                response_type: "",
                request_size: 0,
                response_size: 0,
                latency: None,
                partial: false,
                said: Some(Said { messages: [1, 4], bytes: [10, 4000], fields: &fields, since: true }),
            };
            s.observe(&o, 0, &limits, &mut Names::new());
        }
        assert_eq!((s.calls, s.succeeded(), s.first_seen, s.last_seen), (1, 1, Timestamp(5), Timestamp(200)));
        let messages = s.messages().unwrap();
        assert_eq!((messages.client.messages, messages.client.bytes), (2, 20));
        assert_eq!((messages.server.messages, messages.server.bytes), (8, 8000));
        let price = &messages.server.fields["orders[].price"];
        assert_eq!(serde_json::to_string(price).unwrap(), r#"{"messages":8,"types":{"number":6,"null":2}}"#);
    }

    #[test]
    fn a_method_that_the_server_does_not_have_is_no_success() {
        let limits = InventoryLimits::default();
        let mut s = EndpointState::default();
        let call = |grpc_status| Observation {
            ts: Timestamp(1),
            service: ServiceKey { scheme: Scheme::Http, host: "a", port: 80 },
            server: "::1".parse().unwrap(),
            caller: 1,
            method: "POST",
            path: &[],
            operation: "",
            trailing_slash: false,
            query: &[],
            status: Some(200),
            grpc_status,
            request_type: "application/grpc",
            response_type: "",
            request_size: 0,
            response_size: 0,
            latency: None,
            partial: false,
            said: None,
        };
        s.observe(&call(Some(12)), 0, &limits, &mut Names::new());
        assert_eq!((s.succeeded(), s.may_be_real()), (0, false));
        s.observe(&call(Some(5)), 0, &limits, &mut Names::new());
        assert_eq!(s.succeeded(), 1);
    }

    #[test]
    fn an_endpoint_seen_once_is_small() {
        let limits = InventoryLimits::default();
        let call = Call { ts: 1, caller: 1, status: Some(200), size: 100, latency: Some(5), kind: 2, names: vec![0] };
        let s = state(&[call], &limits);
        assert!(
            size_of::<EndpointState>() + s.heap_bytes() < 512,
            "{} + {}",
            size_of::<EndpointState>(),
            s.heap_bytes()
        );
        assert!(postcard::to_stdvec(&s).unwrap().len() < 130, "{}", postcard::to_stdvec(&s).unwrap().len());
    }
}
