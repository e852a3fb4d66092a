//! What was said in exchanges that are made of messages: gRPC calls, WebSocket connections.
//!
//! Takes counts of messages and the fields of JSON ones, adds them to what is known of an endpoint, gives them as a view. Lies
//! in the endpoint's counters and facets, so that it is merged and stored as all else. Never holds a value.

use std::collections::BTreeMap;

use super::{EndpointState, Facet, Kinds, Names, Role, SAID};
use crate::base::InventoryLimits;
use crate::inventory::{FieldView, MessagesView, SaidView, ValueType};
use crate::observe::{Kind, Said};

impl EndpointState {
    /// Counts messages in. Gives the fields that were let go because the endpoint holds too many.
    pub(super) fn hear(&mut self, said: &Said<'_>, limits: &InventoryLimits, names: &mut Names) -> u64 {
        for (key, n) in (SAID..).zip(said.messages.into_iter().chain(said.bytes)) {
            self.counters.add(key, n);
        }
        let mut let_go = 0;
        for field in said.fields {
            let role = if field.server { Role::Tells } else { Role::Asks };
            let kinds = Kinds::One((field.kind, field.messages));
            match self.facets.binary_search_by(|f| (f.role, &*f.name).cmp(&(role, field.path))) {
                Ok(at) => {
                    if let Some(facet) = self.facets.get_mut(at) {
                        facet.calls += field.messages;
                        facet.kinds.add(field.kind, field.messages);
                    }
                }
                Err(_) if self.facets.iter().filter(|f| f.role == role).count() >= role.limit(limits) => let_go += 1,
                Err(at) => {
                    let facet = Facet { role, name: names.share(field.path), calls: field.messages, kinds };
                    self.facets.insert(at, facet);
                }
            }
        }
        let_go
    }

    /// What was said; `None` where its exchanges are not made of messages.
    pub fn messages(&self) -> Option<MessagesView> {
        let mut counts = [0; 4];
        for (key, n) in self.counters.range(SAID, SAID + 4) {
            if let Some(count) = counts.get_mut((key - SAID) as usize) {
                *count = n;
            }
        }
        let [asked, told, asked_bytes, told_bytes] = counts;
        let said = |messages, bytes, role| SaidView { messages, bytes, fields: self.fields(role) };
        let view =
            MessagesView { client: said(asked, asked_bytes, Role::Asks), server: said(told, told_bytes, Role::Tells) };
        (asked + told > 0).then_some(view)
    }

    fn fields(&self, role: Role) -> BTreeMap<String, FieldView> {
        let fields = self.facets.iter().filter(|f| f.role == role);
        fields
            .map(|f| {
                let types = f.kinds.iter().map(|(kind, n)| (value_type(*kind), *n)).collect();
                (f.name.to_string(), FieldView { messages: f.calls, types })
            })
            .collect()
    }
}

fn value_type(kind: Kind) -> ValueType {
    match kind {
        Kind::Integer => ValueType::Integer,
        Kind::Decimal => ValueType::Number,
        Kind::Boolean => ValueType::Boolean,
        Kind::Empty => ValueType::Null,
        _ => ValueType::String,
    }
}
