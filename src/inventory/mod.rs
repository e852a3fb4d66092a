//! Floor 6: what is known.
//!
//! Takes observations, gives path templates and mergeable endpoint state, and a [`View`] of both for people and
//! machines. Bounded in services, endpoints and words; what is let go is counted. Never holds a value: words that may
//! be literals, kinds, counts and sketches only.
//!
//! Exchanges are counted under their *raw* paths (words as they came, values as one). Templates are a view over these,
//! made anew whenever it is asked for: a better judgement later, or a document, holds for all that was ever seen.

mod apis;
mod assign;
mod changes;
pub mod documented;
mod explain;
mod id;
mod kin;
mod learn;
mod methods;
mod names;
mod opaque;
mod operations;
mod provenance;
mod records;
mod relearn;
mod render;
mod router;
mod rule;
mod service;
pub mod sketch;
mod state;
pub mod store;
mod training;
mod tree;
mod view;

use hashbrown::HashTable;

use crate::base::{InventoryLimits, Ledger, Oddities, Oddity};
use crate::observe::{Glimpse, Key, Mentioned, Observation, ServiceKey, Sink};
use apis::{Rows, Union};
use changes::History;
use documented::Route;
use learn::Told;
use methods::{MethodId, Methods};
use names::Names;
use opaque::Opaque;
use provenance::Provenance;
use service::{Context, Room, Service};
use tree::EndpointId;

pub use apis::is_common;
pub use assign::Assignment;
pub use changes::{ChangeKind, Named, TemplateChange};
pub use explain::{Doubt, Explained, SegmentReason};
pub use opaque::{
    BlindService, BlindView, CertificateView, ClientCertificates, Hint, Likeness, NamedBy, OpaqueView, Sight,
    SightCounts, TurnsView,
};
pub use records::RestoreError;
pub use relearn::Relearnt;
pub use router::{Known, Routed, Routers};
pub use rule::{Rule, RuleKind};
pub use state::EndpointState;
pub use training::Labelled;
pub use view::{
    EndpointView, FieldView, GrpcStatus, MemberView, MessagesView, ParameterView, PathParameter, PrefixView, Quantiles,
    SaidView, ServiceView, ValueType, VersionView, View,
};

/// A record that changed, for the store: opaque bytes under an opaque key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Key of the record.
    pub key: Vec<u8>,
    /// New content; `None`: the record is gone.
    pub value: Option<Vec<u8>>,
}

/// All services, and what is known of them.
#[derive(Debug)]
pub struct Inventory {
    /// What was strange, the breach of limits above all.
    pub oddities: Oddities,
    limits: InventoryLimits,
    services: Vec<Service>,
    index: HashTable<u32>,
    methods: Methods,
    names: Names,
    /// Servers that are not, or not wholly, read.
    opaque: Opaque,
    routes: Vec<Route>,
    rules: Vec<Rule>,
    /// Raw endpoints of all services.
    endpoints: usize,
    /// Keys of records of services that were let go.
    gone: Vec<Vec<u8>>,
    /// Observations from which on services may be swept again: it costs all services once.
    sweep_at: u64,
    observed: u64,
    /// The key of all hashes in it.
    key: Key,
    /// Values that bodies named, of all services; and how many one service may have of them.
    named: usize,
    named_room: usize,
    /// What became of templates.
    history: History,
    /// How often templates were learnt anew.
    generation: u64,
    /// The service that is learnt next.
    turn: usize,
}

impl Inventory {
    /// An empty inventory.
    pub fn new(limits: InventoryLimits) -> Self {
        Self {
            key: Key::FIXED,
            named: 0,
            named_room: limits.named_values,
            oddities: Oddities::default(),
            limits,
            services: Vec::new(),
            index: HashTable::new(),
            methods: Methods::new(),
            names: Names::new(),
            opaque: Opaque::default(),
            routes: Vec::new(),
            rules: Vec::new(),
            endpoints: 0,
            gone: Vec::new(),
            sweep_at: 0,
            observed: 0,
            history: History::default(),
            generation: 0,
            turn: 0,
        }
    }

    /// Sets the key under which what it is given was hashed, where that is not [`Key::FIXED`].
    pub fn set_key(&mut self, key: Key) {
        self.key = key;
    }

    /// The key under which what it is given was hashed.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Sets the routes that documents name. They hold for all that was seen, before and after, until set again.
    pub fn set_documented(&mut self, routes: Vec<Route>) {
        // As they are, for segments that are observed whole though the document takes them apart (`{name}.{ext}` with an
        // ending that nobody knows), and taken apart, for the others.
        let mut routes: Vec<_> = routes.into_iter().flat_map(|r| [r.unglued(), r]).collect();
        routes.sort_unstable();
        routes.dedup();
        self.routes = routes;
    }

    /// Sets the rules that people pinned; they hold as documented routes do, and win where both speak of a word.
    pub fn set_rules(&mut self, rules: Vec<Rule>) {
        self.rules = rules;
    }

    /// Those rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Counts an exchange in.
    #[inline]
    pub fn observe(&mut self, o: &Observation<'_>) {
        if o.said.is_some_and(|said| said.since) {
            return self.hear(o);
        }
        self.observed += 1;
        let Some(index) = self.find(&o.service).or_else(|| self.add_service(&o.service)) else {
            self.oddities.bump(Oddity::ServiceLimit);
            return;
        };
        let room = self.room();
        let method = match self.methods.number(o.method, o.operation) {
            Some(method) => method,
            None => self.without_operation(o.method),
        };
        let service = &mut self.services[index as usize];
        let before = service.tree.len();
        service.observe(&mut Context {
            o,
            method,
            room,
            limits: &self.limits,
            oddities: &mut self.oddities,
            names: &mut self.names,
        });
        self.endpoints = self.endpoints + service.tree.len() - before;
    }

    /// The number of a method whose operation there is no room for.
    #[cold]
    fn without_operation(&mut self, method: &str) -> MethodId {
        self.oddities.bump(Oddity::OperationLimit);
        self.methods.number(method, "").unwrap_or_default()
    }

    /// Finds the raw endpoint of a request, its operation's where there is one.
    fn reach(&self, service: &Service, o: &Observation<'_>) -> Option<EndpointId> {
        let with = self.methods.known(o.method, o.operation);
        let methods = [with, self.methods.known(o.method, "")];
        let mut found = methods.into_iter().flatten().map(|m| service.tree.reach(o.path, m, self.limits.path_segments));
        found.find_map(|found| Some(found?.0))
    }

    /// Counts what was said since in an exchange that was observed before. Where its endpoint was let go meanwhile, nothing.
    #[cold]
    fn hear(&mut self, o: &Observation<'_>) {
        let Some(index) = self.find(&o.service) else { return };
        let known = self.methods.known(o.method, o.operation);
        let Some(method) = known.or_else(|| self.methods.known(o.method, "")) else { return };
        let room = self.room();
        self.services[index as usize].hear(&mut Context {
            o,
            method,
            room,
            limits: &self.limits,
            oddities: &mut self.oddities,
            names: &mut self.names,
        });
    }

    /// Adds another inventory to this one: what two sensors, or two threads of one, saw. Within the limits it does not matter
    /// which is added to which. The documented routes and the rules of this one stay.
    pub fn merge(&mut self, other: Self) {
        self.oddities.merge(&other.oddities);
        self.observed += other.observed;
        self.history.merge(other.history, self.limits.template_changes);
        self.opaque.merge(other.opaque, &self.limits, &mut self.oddities);
        for theirs in &other.services {
            let Some(index) = self.find(&theirs.facts.key()).or_else(|| self.add_service(&theirs.facts.key())) else {
                self.oddities.add(Oddity::ServiceLimit, theirs.facts.calls);
                continue;
            };
            let service = &mut self.services[index as usize];
            let before = service.tree.len();
            service.merge(theirs, &other.methods, &mut self.methods, &self.limits, &mut self.oddities);
            self.endpoints = self.endpoints + service.tree.len() - before;
            self.take_named(index, |provenance, room| {
                provenance.merge(&theirs.provenance, room);
                true
            });
        }
    }

    /// The inventory as it is shown.
    pub fn view(&self, visibility: &Ledger, oddities: &Oddities) -> View {
        let mut all = self.oddities.clone();
        all.merge(oddities);
        let (mut services, mut apis) = self.services_and_apis();
        let order = |a: &ServiceView, b: &ServiceView| (&a.host, a.port, a.scheme).cmp(&(&b.host, b.port, b.scheme));
        services.sort_by(order);
        apis.sort_by(|a, b| order(a, b).then_with(|| a.id.cmp(&b.id)));
        let (opaque, blind, sight) = self.opaque.view(&services, visibility);
        View {
            schema: View::SCHEMA,
            first_seen: services.iter().map(|s| s.first_seen).min().unwrap_or_default(),
            last_seen: services.iter().map(|s| s.last_seen).max().unwrap_or_default(),
            services,
            apis,
            opaque,
            blind,
            sight,
            visibility: visibility.clone(),
            oddities: all,
        }
    }

    /// All services, and the APIs that several of them are together.
    fn services_and_apis(&self) -> (Vec<ServiceView>, Vec<ServiceView>) {
        let learn = |service: &Service| Rows::learn(&service.tree, &self.told_of(service), &self.methods);
        let learnt: Vec<Rows> = self.services.iter().map(learn).collect();
        let mut services: Vec<Option<ServiceView>> = vec![None; self.services.len()];
        let mut apis = Vec::new();
        for group in self.groups(&learnt) {
            let members: Vec<&Service> = group.members.iter().filter_map(|m| self.services.get(*m)).collect();
            let told = self.told_of_all(&members);
            let Some(union) = Union::new(&members, &told, &self.methods, &self.limits) else { continue };
            let (api, views) = render::api(&group, &union, &members, &self.methods, &self.limits);
            for (number, view) in group.members.iter().zip(views) {
                if let Some(place) = services.get_mut(*number) {
                    *place = Some(view);
                }
            }
            apis.push(api);
        }
        let alone = |((view, service), rows): ((Option<ServiceView>, &Service), &Rows)| {
            view.unwrap_or_else(|| render::service(service, rows, &self.methods, &self.limits, None))
        };
        (services.into_iter().zip(&self.services).zip(&learnt).map(alone).collect(), apis)
    }

    /// The services that are one API, those of each in the order of their names.
    fn groups(&self, learnt: &[Rows]) -> Vec<apis::Group> {
        let portraits = self.services.iter().zip(learnt).map(|(s, rows)| s.portrait(rows, &self.methods)).collect();
        let key = |number: &usize| {
            let facts = self.services.get(*number).map(|s| &s.facts);
            facts.map(|f| (f.host.clone(), f.port, f.scheme))
        };
        let mut groups = apis::group(portraits, &self.rules);
        groups.iter_mut().for_each(|group| group.members.sort_by_key(key));
        groups
    }

    /// The API that a service is a part of, laid over each other, and what is said of it.
    fn together(&self, number: usize) -> Option<(Union, Told<'_>)> {
        let learn = |service: &Service| Rows::learn(&service.tree, &self.told_of(service), &self.methods);
        let learnt: Vec<Rows> = self.services.iter().map(learn).collect();
        let group = self.groups(&learnt).into_iter().find(|group| group.members.contains(&number))?;
        let members: Vec<&Service> = group.members.iter().filter_map(|m| self.services.get(*m)).collect();
        let told = self.told_of_all(&members);
        Some((Union::new(&members, &told, &self.methods, &self.limits)?, told))
    }

    /// What documents and people say of services that are one API.
    fn told_of_all<'a>(&'a self, members: &[&'a Service]) -> Told<'a> {
        let mut routes: Vec<&Route> = members.iter().flat_map(|m| self.told_of(m).routes).collect();
        routes.sort_unstable();
        routes.dedup();
        // In the order in which people wrote them: the first that speaks of a word wins.
        let rules = self.rules.iter().filter(|r| members.iter().any(|m| r.holds_for(&m.facts.host))).collect();
        // Members of one API name the same things: those of the member that named most.
        let most = members.iter().copied().max_by_key(|m| (m.provenance.len(), std::cmp::Reverse(m.id)));
        let named = most.filter(|m| !m.provenance.is_empty()).map(|m| (&m.provenance, self.key));
        Told { routes, rules, named }
    }

    /// What documents and people say of a service.
    fn told_of<'a>(&'a self, service: &'a Service) -> Told<'a> {
        let facts = &service.facts;
        let routes = self.routes.iter().filter(|r| {
            r.host.as_deref().is_none_or(|host| host == &*facts.host) && r.port.is_none_or(|port| port == facts.port)
        });
        let rules = self.rules.iter().filter(|r| r.holds_for(&facts.host));
        let named = (!service.provenance.is_empty()).then_some((&service.provenance, self.key));
        Told { routes: routes.collect(), rules: rules.collect(), named }
    }

    /// What became of templates, with the entries' numbers, oldest first: what [`relearn`](Self::relearn) has found.
    pub fn history(&self) -> impl DoubleEndedIterator<Item = (u64, &TemplateChange)> {
        self.history.entries()
    }

    /// Services, and raw endpoints (path and method, before templates fold them).
    pub fn size(&self) -> (usize, usize) {
        (self.services.len(), self.endpoints)
    }

    #[inline]
    fn find(&self, key: &ServiceKey<'_>) -> Option<u32> {
        self.index.find(hash(key), |i| self.services[*i as usize].facts.key() == *key).copied()
    }

    #[cold]
    fn add_service(&mut self, key: &ServiceKey<'_>) -> Option<u32> {
        if self.services.len() >= self.limits.services && !self.sweep_services() {
            return None;
        }
        let index = self.services.len() as u32;
        self.services.push(Service::new(key));
        self.insert_index(index);
        Some(index)
    }

    fn insert_index(&mut self, index: u32) {
        let services = &self.services;
        let at = hash(&services[index as usize].facts.key());
        self.index.insert_unique(at, index, |i| hash(&services[*i as usize].facts.key()));
    }

    /// Lets services go that never had a success: names that a scanner made up. `false` when none could be.
    fn sweep_services(&mut self) -> bool {
        if self.observed < self.sweep_at {
            return false;
        }
        self.sweep_at = self.observed + self.limits.services as u64;
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.services).into_iter().partition(Service::is_proven);
        for service in &gone {
            self.oddities.add(Oddity::ServiceLimit, service.facts.calls);
            self.gone.extend(records::keys(service, &self.methods));
            self.history.forget(service.id);
        }
        self.services = kept;
        self.endpoints = self.services.iter().map(|s| s.tree.len()).sum();
        self.named = self.services.iter().map(|s| s.provenance.len()).sum();
        self.index.clear();
        for index in 0..self.services.len() as u32 {
            self.insert_index(index);
        }
        self.services.len() < self.limits.services
    }

    /// Adds to what a service's bodies named. Once all services together have too much of it, each keeps less: what has the
    /// smallest hashes, so that it does not matter what came first.
    fn take_named(&mut self, index: u32, add: impl FnOnce(&mut Provenance, usize) -> bool) {
        let Some(service) = self.services.get_mut(index as usize) else { return };
        let (before, whole) = (service.provenance.len(), service.provenance.is_whole());
        service.named_changed |= add(&mut service.provenance, self.named_room);
        self.named = self.named + service.provenance.len() - before;
        if whole && !service.provenance.is_whole() {
            self.oddities.bump(Oddity::NamedLimit);
        }
        if self.named > self.limits.named_values_total && self.named_room > 1 {
            self.named_room =
                (self.limits.named_values_total / self.services.len().max(1)).clamp(1, self.named_room / 2);
            self.named = 0;
            for service in &mut self.services {
                let before = service.provenance.len();
                self.named += service.provenance.keep(self.named_room);
                service.named_changed |= service.provenance.len() < before;
            }
            self.oddities.bump(Oddity::NamedLimit);
        }
    }

    /// How many endpoints one service may have. Once the inventory as a whole is full, only those that have less than
    /// half of their fair share may grow, so that no flood on one keeps another from being learnt.
    #[inline]
    fn room(&self) -> Room {
        let per_service = self.limits.endpoints_per_service;
        if self.endpoints < self.limits.endpoints {
            return Room(per_service);
        }
        Room(per_service.min(self.limits.endpoints / (2 * self.services.len().max(1))))
    }
}

impl Sink for Inventory {
    #[inline]
    fn observation(&mut self, observation: &Observation<'_>) {
        self.observe(observation);
    }

    fn glimpse(&mut self, glimpse: Glimpse) {
        self.opaque.observe(glimpse, &self.limits, &mut self.oddities);
    }

    fn mentioned(&mut self, mentioned: &Mentioned<'_>) {
        if let Some(index) = self.find(&mentioned.service) {
            self.take_named(index, |provenance, room| provenance.note(mentioned.mentions, room));
        }
    }
}

#[inline]
fn hash(key: &ServiceKey<'_>) -> u64 {
    tree::hash(u64::from(key.port) << 1 | key.scheme as u64, key.host.as_bytes())
}
