//! Templates while traffic runs.
//!
//! Takes an inventory as it is, gives the [`Routers`] that capture threads look requests up in. A service is judged again only where
//! it has changed enough to be judged otherwise. Never counts anything.

use std::collections::HashMap;
use std::sync::Arc;

use super::changes::{self, ChangeKind, Scene, TemplateChange};
use super::learn::{self, Learnt};
use super::router::{self, Known, Router, Routers};
use super::service::Service;
use super::{Inventory, id, render};

/// A service is judged again when its exchanges have grown by one in so many, and by so many at least: shares and counts
/// are part of what is judged. What is new in its tree is judged at once.
const GROWN: u64 = 4;
const GROWN_BY: u64 = 64;

/// What was learnt of a service the last time.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// The tree's version then, and the exchanges.
    version: u64,
    calls: u64,
    router: Arc<Router>,
}

/// How learning again went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Relearnt {
    /// Services that were judged.
    pub services: usize,
    /// Services that still are to be.
    pub left: usize,
    /// What became of their templates, as it is in the history.
    pub changes: Vec<TemplateChange>,
}

impl Service {
    /// Could it be judged otherwise than the last time?
    fn is_stale(&self) -> bool {
        self.kept.as_ref().is_none_or(|kept| {
            kept.version != self.tree.version || self.facts.calls >= kept.calls + (kept.calls / GROWN).max(GROWN_BY)
        })
    }
}

impl Inventory {
    /// Judges services again that have changed, until `enough` says stop; it is asked after each. What becomes of templates that are
    /// published is told when it has held for a while; that new ones appeared is told at once.
    pub fn relearn(&mut self, enough: impl FnMut() -> bool) -> Relearnt {
        self.learn_again(enough, false)
    }

    fn learn_again(&mut self, mut enough: impl FnMut() -> bool, at_once: bool) -> Relearnt {
        let count = self.services.len();
        // Each time a little further on, so that a service that always changes keeps no other from its turn.
        let all = (0..count).map(|n| (self.turn + n) % count);
        let stale: Vec<usize> = all.filter(|at| self.services[*at].is_stale()).collect();
        let mut done = Relearnt { services: 0, left: stale.len(), changes: Vec::new() };
        for at in stale {
            let service = &self.services[at];
            let learnt = learn::learn(&service.tree, &self.told_of(service), false);
            let router = Arc::new(compiled(service, &learnt, self));
            done.changes.extend(self.publish(at, &learnt, &router, at_once));
            let service = &mut self.services[at];
            service.kept = Some(Kept { version: service.tree.version, calls: service.facts.calls, router });
            done.services += 1;
            done.left -= 1;
            self.turn = at + 1;
            if enough() {
                break;
            }
        }
        self.generation += u64::from(done.services > 0);
        done
    }

    /// Judges all services again, and tells at once what became of their templates: where nothing more will come.
    pub fn relearn_all(&mut self) -> Vec<TemplateChange> {
        self.services.iter_mut().for_each(|service| service.kept = None);
        self.learn_again(|| false, true).changes
    }

    /// Notes what was learnt of a service; gives what is told of it.
    fn publish(&mut self, at: usize, learnt: &Learnt, router: &Router, at_once: bool) -> Vec<TemplateChange> {
        let (service, now) = (&self.services[at], router.templates());
        let (last_seen, calls) = (service.facts.last_seen, service.facts.calls);
        let turns = changes::compare(self.history.published(service.id), now, &owners(service, learnt));
        let turns = self.history.ripe(service.id, turns, now, calls, at_once);
        let judged = turns.iter().any(|turn| matches!(turn.kind, ChangeKind::Folded | ChangeKind::Split));
        // Asked for only now: the reasons of all judgements are many, and seldom wanted.
        let again = judged.then(|| learn::learn(&service.tree, &self.told_of(service), true));
        let decisions = again.as_ref().map(|l| &l.decisions[..]).unwrap_or_default();
        let was = self.history.published(service.id);
        let scene = Scene { service: service.facts.key().origin(), at: last_seen, was, now, decisions };
        let entries = scene.entries(&turns);
        self.history.publish(service.id, (last_seen, calls), &turns, now, entries, self.limits.template_changes)
    }

    /// What [`relearn`](Self::relearn) has learnt so far, of all services.
    pub fn routers(&self) -> Routers {
        let mut routers = Routers::new(&self.methods, self.generation);
        for service in &self.services {
            if let Some(kept) = &service.kept {
                routers.add(&service.facts.key(), kept.router.clone());
            }
        }
        routers
    }

    /// The templates of all that was seen, ready for looking up. The final word on a request that was counted is
    /// [`Assignment`](super::Assignment)'s: a failure that leads nowhere may look here like one of a parameter's.
    pub fn compile(&self) -> Routers {
        let mut routers = Routers::new(&self.methods, self.generation);
        for service in &self.services {
            let learnt = learn::learn(&service.tree, &self.told_of(service), false);
            routers.add(&service.facts.key(), Arc::new(compiled(service, &learnt, self)));
        }
        routers
    }
}

fn compiled(service: &Service, learnt: &Learnt, inventory: &Inventory) -> Router {
    let known = learnt.templates.iter().map(|t| known(service, t, inventory.methods.name(t.method))).collect();
    router::compile(&service.tree, learnt, known)
}

fn known(service: &Service, template: &learn::Template, method: &str) -> Known {
    let raw = || render::live(&service.tree, &template.endpoints).map(|e| &e.state);
    let (first_seen, origin) = raw().map(|s| (s.first_seen, s.origin)).min().unwrap_or_default();
    Known {
        id: id::endpoint(service.id, origin),
        first_seen,
        method: method.into(),
        template: render::text(service, template).into(),
        documented: template.documented,
        calls: raw().map(|s| s.calls).sum(),
    }
}

/// By the id that each raw endpoint would have by itself, the template that holds it.
fn owners(service: &Service, learnt: &Learnt) -> HashMap<u64, usize> {
    let raw = |(number, template): (usize, &learn::Template)| {
        let ids = render::live(&service.tree, &template.endpoints).map(|e| id::endpoint(service.id, e.state.origin));
        ids.map(|id| (id, number)).collect::<Vec<_>>()
    };
    learnt.templates.iter().enumerate().flat_map(raw).collect()
}
